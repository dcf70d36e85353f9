//! The answer to `mntr`: every metric of a real server, also those that are always 0 here.

use std::fmt;

use super::VERSION;
use super::metric::{Metric, MetricValue, Quantiles, Summary};
use crate::protocol::{MetricsProvider, Mode};

/// Metrics that are measured here. Each field has its name in `mntr`, without `zk_`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MonitorReport {
    /// Form of the metrics.
    pub(crate) provider: MetricsProvider,
    pub(crate) server_state: Mode,
    /// `avg_latency`, `min_latency` and `max_latency`, in milliseconds.
    pub(crate) latency: Summary,
    pub(crate) packets_received: u64,
    pub(crate) packets_sent: u64,
    pub(crate) num_alive_connections: usize,
    pub(crate) outstanding_requests: u64,
    pub(crate) znode_count: usize,
    pub(crate) watch_count: usize,
    pub(crate) ephemerals_count: usize,
    /// Length of all paths and data, in bytes.
    pub(crate) approximate_data_size: u64,
    pub(crate) open_file_descriptor_count: u64,
    pub(crate) max_file_descriptor_count: u64,
    /// Number of sessions.
    pub(crate) global_sessions: usize,
    pub(crate) uptime_ms: u64,
    /// `last_client_response_size`, and those with `min` and `max`: -1 before the first reply.
    pub(crate) client_response_size: Option<ResponseSizes>,
    pub(crate) auth_failed_count: u64,
    pub(crate) bytes_received_count: u64,
    pub(crate) response_bytes: u64,
    pub(crate) connection_request_count: u64,
    pub(crate) connection_rejected: u64,
    pub(crate) connection_drop_count: u64,
    pub(crate) sessionless_connections_expired: u64,
    pub(crate) stale_sessions_expired: u64,
    /// Latency of reads and other requests that are no writes, in milliseconds.
    pub(crate) readlatency: Summary,
    /// Latency of writes, in milliseconds.
    pub(crate) updatelatency: Summary,
    /// Bytes read and written, and refusals, by the first name of the path.
    pub(crate) read_per_namespace: Vec<(String, Summary)>,
    pub(crate) write_per_namespace: Vec<(String, Summary)>,
    pub(crate) quota_exceeded_error_per_namespace: Vec<(String, u64)>,
    /// Sets of gauges by the first name of the path that has a quota.
    pub(crate) quotas: Quotas,
}

/// Limits and usage of the quotas, summed by the first name of their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quotas {
    pub(crate) count_limit: Vec<(String, i64)>,
    pub(crate) bytes_limit: Vec<(String, i64)>,
    pub(crate) count_usage: Vec<(String, i64)>,
    pub(crate) bytes_usage: Vec<(String, i64)>,
}

/// Sizes of replies, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResponseSizes {
    pub(crate) last: u64,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl MonitorReport {
    /// Returns the metrics.
    pub(crate) fn into_metrics(self) -> Vec<Metric> {
        let mut metrics = self.gauges();
        let counter = |(name, number)| Metric {
            name,
            value: MetricValue::Counter(number),
        };
        let counters = [
            ("bytes_received_count", self.bytes_received_count),
            ("response_bytes", self.response_bytes),
            ("connection_request_count", self.connection_request_count),
            ("connection_rejected", self.connection_rejected),
            ("connection_drop_count", self.connection_drop_count),
            (
                "sessionless_connections_expired",
                self.sessionless_connections_expired,
            ),
            ("stale_sessions_expired", self.stale_sessions_expired),
        ];
        let idle = IDLE_COUNTERS.iter().map(|name| (*name, 0));
        metrics.extend(counters.into_iter().chain(idle).map(counter));
        let summary = |name, summary| Metric {
            name,
            value: MetricValue::Summary(summary),
        };
        for (name, latency) in [
            ("readlatency", self.readlatency),
            ("updatelatency", self.updatelatency),
        ] {
            let quantiles = Some(latency.quantiles.unwrap_or_default());
            metrics.push(summary(
                name,
                Summary {
                    quantiles,
                    ..latency
                },
            ));
        }
        let idle = |name: &&'static str| summary(name, Summary::default());
        metrics.extend(IDLE_SUMMARIES.iter().map(idle));
        let detailed = Summary {
            quantiles: Some(Quantiles::default()),
            ..Summary::default()
        };
        let idle = IDLE_PERCENTILES.iter();
        metrics.extend(idle.map(|name| summary(name, detailed)));
        let empty = IDLE_SETS.iter().map(|name| Metric {
            name,
            value: MetricValue::SummarySet(Vec::new()),
        });
        metrics.extend(empty);
        metrics.extend(self.sets());
        metrics
    }

    /// Metrics with a value for each first name of a path.
    fn sets(self) -> Vec<Metric> {
        let quotas = self.quotas;
        let sets = [
            (
                "read_per_namespace",
                MetricValue::SummarySet(self.read_per_namespace),
            ),
            (
                "write_per_namespace",
                MetricValue::SummarySet(self.write_per_namespace),
            ),
            (
                "quota_exceeded_error_per_namespace",
                MetricValue::CounterSet(self.quota_exceeded_error_per_namespace),
            ),
            (
                "quota_count_limit_per_namespace",
                MetricValue::GaugeSet(quotas.count_limit),
            ),
            (
                "quota_bytes_limit_per_namespace",
                MetricValue::GaugeSet(quotas.bytes_limit),
            ),
            (
                "quota_count_usage_per_namespace",
                MetricValue::GaugeSet(quotas.count_usage),
            ),
            (
                "quota_bytes_usage_per_namespace",
                MetricValue::GaugeSet(quotas.bytes_usage),
            ),
        ];
        let metric = |(name, value)| Metric { name, value };
        sets.into_iter().map(metric).collect()
    }

    fn gauges(&self) -> Vec<Metric> {
        let gauge = |(name, number)| Metric {
            name,
            value: MetricValue::Gauge(number),
        };
        let average = |name, number| Metric {
            name,
            value: MetricValue::Average(number),
        };
        let size = |of: fn(ResponseSizes) -> u64| {
            self.client_response_size
                .map_or(-1, |sizes| whole(of(sizes)))
        };
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut metrics = vec![average("avg_latency", self.latency.average())];
        let gauges = [
            ("min_latency", whole(self.latency.min)),
            ("max_latency", whole(self.latency.max)),
            ("packets_received", whole(self.packets_received)),
            ("packets_sent", whole(self.packets_sent)),
            ("num_alive_connections", count(self.num_alive_connections)),
            ("outstanding_requests", whole(self.outstanding_requests)),
            ("znode_count", count(self.znode_count)),
            ("watch_count", count(self.watch_count)),
            ("ephemerals_count", count(self.ephemerals_count)),
            ("approximate_data_size", whole(self.approximate_data_size)),
            (
                "open_file_descriptor_count",
                whole(self.open_file_descriptor_count),
            ),
            (
                "max_file_descriptor_count",
                whole(self.max_file_descriptor_count),
            ),
            ("global_sessions", count(self.global_sessions)),
            ("local_sessions", 0),
            ("uptime", whole(self.uptime_ms)),
            ("last_client_response_size", size(|sizes| sizes.last)),
            ("min_client_response_size", size(|sizes| sizes.min)),
            ("max_client_response_size", size(|sizes| sizes.max)),
            ("outstanding_tls_handshake", 0),
            ("auth_failed_count", whole(self.auth_failed_count)),
            ("non_mtls_local_conn_count", 0),
            ("non_mtls_remote_conn_count", 0),
        ];
        metrics.extend(gauges.map(gauge));
        metrics.push(average("connection_drop_probability", 0.0));
        metrics
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl fmt::Display for MonitorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "zk_version\t{VERSION}")?;
        writeln!(f, "zk_server_state\t{}", self.server_state)?;
        for metric in self.clone().into_metrics() {
            for (name, number) in metric.lines(self.provider) {
                writeln!(f, "zk_{name}\t{number}")?;
            }
        }
        Ok(())
    }
}

/// Sets of summaries by member, which are empty because there is no traffic between members.
const IDLE_SETS: &[&str] = &[
    "ack_latency",
    "learner_handler_qp_size",
    "learner_handler_qp_time_ms",
];

/// Counters of events that do not happen here.
const IDLE_COUNTERS: &[&str] = &[
    "add_dead_watcher_stall_time",
    "cnxn_closed_without_zk_server_running",
    "commit_count",
    "connection_revalidate_count",
    "dead_watchers_cleared",
    "dead_watchers_queued",
    "diff_count",
    "digest_mismatches_count",
    "ensemble_auth_fail",
    "ensemble_auth_skip",
    "ensemble_auth_success",
    "insecure_admin_count",
    "large_requests_rejected",
    "learner_commit_received_count",
    "learner_proposal_received_count",
    "looking_count",
    "outstanding_changes_queued",
    "outstanding_changes_removed",
    "prep_processor_request_queued",
    "proposal_count",
    "quit_leading_due_to_disloyal_voter",
    "request_commit_queued",
    "request_throttle_wait_count",
    "requests_not_forwarded_to_commit_processor",
    "response_packet_cache_hits",
    "response_packet_cache_misses",
    "response_packet_get_children_cache_hits",
    "response_packet_get_children_cache_misses",
    "restore_error_count",
    "restore_rate_limited_count",
    "revalidate_count",
    "skip_learner_request_to_next_processor_count",
    "snap_count",
    "snapshot_error_count",
    "snapshot_rate_limited_count",
    "stale_replies",
    "stale_requests",
    "stale_requests_dropped",
    "sync_processor_request_queued",
    "throttled_ops",
    "tls_handshake_exceeded",
    "unrecoverable_error_count",
    "unsuccessful_handshake",
    "watch_bytes",
];

/// Metrics of five numbers each on a real server, which are not measured here.
const IDLE_SUMMARIES: &[&str] = &[
    "commit_commit_proc_req_queued",
    "commit_process_time",
    "concurrent_request_processing_in_commit_processor",
    "connection_token_deficit",
    "dbinittime",
    "election_time",
    "follower_sync_time",
    "fsynctime",
    "inflight_diff_count",
    "inflight_snap_count",
    "leader_unavailable_time",
    "learner_request_processor_queue_size",
    "netty_queued_buffer_capacity",
    "node_changed_watch_count",
    "node_children_watch_count",
    "node_created_watch_count",
    "node_deleted_watch_count",
    "observer_sync_time",
    "pending_session_queue_size",
    "prep_process_time",
    "prep_processor_queue_size",
    "proposal_process_time",
    "read_commit_proc_issued",
    "read_commit_proc_req_queued",
    "reads_after_write_in_session_queue",
    "reads_issued_from_session_queue",
    "requests_in_session_queue",
    "restore_time",
    "session_queues_drained",
    "snapshottime",
    "socket_closing_time",
    "startup_snap_load_time",
    "startup_txns_load_time",
    "startup_txns_loaded",
    "sync_process_time",
    "sync_processor_batch_size",
    "sync_processor_queue_size",
    "time_waiting_empty_pool_in_commit_processor_read_ms",
    "unavailable_time",
    "write_batch_time_in_commit_processor",
    "write_commit_proc_issued",
    "write_commit_proc_req_queued",
];

/// Metrics of nine numbers each on a real server, which are not measured here.
const IDLE_PERCENTILES: &[&str] = &[
    "close_session_prep_time",
    "commit_propagation_latency",
    "dead_watchers_cleaner_latency",
    "jvm_pause_time_ms",
    "local_write_committed_time_ms",
    "om_commit_process_time_ms",
    "om_proposal_process_time_ms",
    "prep_processor_queue_time_ms",
    "propagation_latency",
    "proposal_ack_creation_latency",
    "proposal_latency",
    "quorum_ack_latency",
    "read_commitproc_time_ms",
    "read_final_proc_time_ms",
    "request_throttle_queue_time_ms",
    "server_write_committed_time_ms",
    "sync_processor_queue_and_flush_time_ms",
    "sync_processor_queue_flush_time_ms",
    "sync_processor_queue_time_ms",
    "write_commitproc_time_ms",
    "write_final_proc_time_ms",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_metric_of_a_real_server_is_there() {
        let text = MonitorReport::default().to_string();
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split_once('\t').expect("a key and a value"))
            .collect();
        assert!(
            matches!(
                lines.as_slice(),
                [
                    ("zk_version", VERSION),
                    ("zk_server_state", "standalone"),
                    ..
                ]
            ),
            "{lines:?}"
        );
        let keys: BTreeSet<_> = lines.iter().map(|(key, _)| key).collect();
        // The number of metrics that a fresh 3.9.5 prints.
        assert_eq!((keys.len(), lines.len()), (494, 494));
    }

    #[test]
    fn averages_are_decimal_and_unknown_sizes_negative() {
        let fresh = MonitorReport::default().to_string();
        for line in [
            "zk_avg_latency\t0.0",
            "zk_connection_drop_probability\t0.0",
            "zk_min_client_response_size\t-1",
            "zk_avg_fsynctime\t0.0",
            "zk_sum_fsynctime\t0",
            "zk_p999_readlatency\t0",
            "zk_snap_count\t0",
        ] {
            assert!(fresh.lines().any(|found| found == line), "{line}");
        }
        let sizes = ResponseSizes {
            last: 32,
            min: 16,
            max: 123,
        };
        let used = MonitorReport {
            client_response_size: Some(sizes),
            latency: Summary {
                max: 9,
                sum: 46,
                count: 67,
                ..Summary::default()
            },
            ..MonitorReport::default()
        }
        .to_string();
        for line in [
            "zk_avg_latency\t0.6866",
            "zk_max_latency\t9",
            "zk_last_client_response_size\t32",
            "zk_max_client_response_size\t123",
        ] {
            assert!(used.lines().any(|found| found == line), "{line}");
        }
    }
}
