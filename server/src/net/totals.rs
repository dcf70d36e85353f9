//! Counts over all connections, as four-letter words show them.

use super::latency::Latencies;
use super::namespaces::Namespaces;
use crate::config::MetricsProvider;
use crate::keeper::CloseReason;
use crate::wire::{ResponseSizes, Summary};

/// Counts over all connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    /// Counts that `srst` resets.
    pub(super) since_reset: Packets,
    pub(super) latencies: Latencies,
    pub(super) namespaces: Namespaces,
    pub(super) bytes_received: u64,
    pub(super) response_bytes: u64,
    pub(super) response_sizes: Option<ResponseSizes>,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) closed: u64,
    pub(super) auth_failed: u64,
    pub(super) sessions_expired: u64,
    pub(super) sessionless_expired: u64,
}

/// Packets in and out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packets {
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Totals {
    /// Resets the counts as `srst` does: `ServerStats.reset`, and `MetricsProvider.resetAllValues`, which does nothing
    /// with Prometheus.
    pub(super) fn reset(&mut self, provider: MetricsProvider) {
        let auth_failed = self.auth_failed;
        match provider {
            MetricsProvider::Default => *self = Self::default(),
            MetricsProvider::Prometheus => {
                self.since_reset = Packets::default();
                self.latencies.all = Summary::default();
                self.response_sizes = None;
            }
        }
        self.auth_failed = auth_failed;
    }

    /// Counts one connection that the server closes.
    pub(super) fn count_close(&mut self, reason: CloseReason) {
        self.closed += 1;
        match reason {
            CloseReason::TooManyConnections => self.rejected += 1,
            CloseReason::SessionExpired => self.sessions_expired += 1,
            CloseReason::NoSession => self.sessionless_expired += 1,
            CloseReason::AuthFailed => self.auth_failed += 1,
            CloseReason::AheadOfServer
            | CloseReason::SessionRefused
            | CloseReason::TakenOver
            | CloseReason::SessionClosed
            | CloseReason::Unimplemented
            | CloseReason::SessionMoved
            | CloseReason::MemberStopped
            | CloseReason::LostLeader
            | CloseReason::ReadOnlyEnded
            | CloseReason::NotReadOnlyClient
            | CloseReason::NotServing
            | CloseReason::DoesNotRead
            | CloseReason::DiskRefused
            | CloseReason::FourLetterWord
            | CloseReason::Restored
            | CloseReason::Test => {}
        }
    }

    /// Counts one frame that leaves.
    #[inline]
    pub(super) fn count_sent(&mut self, bytes: usize) {
        let bytes = number(bytes);
        self.since_reset.sent += 1;
        self.response_bytes += bytes;
        let sizes = self.response_sizes.get_or_insert(ResponseSizes {
            last: bytes,
            min: bytes,
            max: bytes,
        });
        sizes.last = bytes;
        sizes.min = sizes.min.min(bytes);
        sizes.max = sizes.max.max(bytes);
    }
}

pub(super) fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
