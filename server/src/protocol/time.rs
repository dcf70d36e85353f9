//! Moments in ZooKeeper's form.

use std::time::Duration;

/// A moment in milliseconds since 1970, the form of `ctime` and `mtime`.
///
/// ```
/// use std::time::Duration;
/// use minikeeper::protocol::Timestamp;
///
/// assert_eq!(Timestamp(1_000) + Duration::from_millis(5), Timestamp(1_005));
/// ```
// Repeated: the derives of a plain value.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time from `earlier` to this moment, or zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Timestamp {
    /// Returns the beginning of the moment's tick. Ticks are counted from 1970.
    pub(crate) fn beginning_of(self, tick: Duration) -> Self {
        let tick = i64::try_from(tick.as_millis()).unwrap_or(i64::MAX).max(1);
        Self(self.0.div_euclid(tick) * tick)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Returns the moment `span` later, without fractions of a millisecond.
    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

/// Milliseconds since 1970, as ZooKeeper's own tools print them.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
