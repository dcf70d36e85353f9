//! Random choices from a seed: the same seed makes the same choices.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use minikeeper::random::SplitMix64;

/// Returns a seed that differs from run to run.
pub(crate) fn seed_of_the_clock() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |span| u64::from(span.subsec_nanos()))
}

/// Random choices for one of several purposes of a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(SplitMix64);

impl Random {
    /// Creates the choices for a purpose. The first number is skipped: printed seeds have always drawn from the second.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut generator = SplitMix64::new(seed, purpose);
        generator.next_u64();
        Self(generator)
    }

    /// Draws a number.
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a number of this range, which must not be empty.
    pub(crate) fn number(&mut self, range: Range<usize>) -> usize {
        let width = u64::try_from(range.len().max(1)).unwrap_or(u64::MAX);
        range.start + usize::try_from(self.next_u64() % width).unwrap_or(0)
    }

    /// Draws `true` with a probability of `share` percent.
    pub(crate) fn percent(&mut self, share: u64) -> bool {
        self.next_u64() % 100 < share
    }

    /// Draws one of these items, of which there must be at least one.
    pub(crate) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.number(0..of.len());
        of.get(at).expect("a slice to draw from is not empty")
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_printed_seed_draws_the_same_numbers_in_every_version() {
        let mut random = Random::new(7, 2);
        let drawn = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(
            drawn,
            [
                0x4bdb_b67d_f6d4_e611,
                0xafee_8dba_f5bc_6634,
                0x3de9_f03d_26a4_a572
            ]
        );
        let mut random = Random::new(7, 2);
        let drawn: Vec<usize> = (0..10).map(|_| random.number(0..100)).collect();
        assert_eq!(drawn, [61, 52, 6, 84, 89, 74, 54, 59, 89, 23]);
    }
}
