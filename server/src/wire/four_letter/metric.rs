//! The metrics of a server as plain data, and the two forms in which `mntr` shows them.

use std::fmt;

use super::java::Double;
use crate::protocol::MetricsProvider;

/// One metric, under the name that a real server gives it.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let metrics = server.admin().metrics();
/// assert!(metrics.iter().any(|metric| metric.name == "znode_count"));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Name, without the `zk_` of `mntr`.
    pub name: &'static str,
    /// Value.
    pub value: MetricValue,
}

/// Value of a metric. The members of a set have the first name of a path as their key.
///
/// ```
/// use minikeeper::admin::MetricValue;
///
/// let server = minikeeper::Server::start()?;
/// let metrics = server.admin().metrics();
/// let reads = metrics.iter().find(|metric| metric.name == "read_per_namespace");
/// assert_eq!(reads.map(|reads| &reads.value), Some(&MetricValue::SummarySet(vec![])));
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MetricValue {
    /// A number that only grows.
    Counter(u64),
    /// A number that grows and shrinks.
    Gauge(i64),
    /// An average or a probability, with at most four decimals.
    Average(f64),
    /// Number, sum and extremes of observed values.
    Summary(Summary),
    /// A counter for each key.
    CounterSet(Vec<(String, u64)>),
    /// A gauge for each key.
    GaugeSet(Vec<(String, i64)>),
    /// A summary for each key.
    SummarySet(Vec<(String, Summary)>),
}

/// Summary of observed values.
///
/// ```
/// use minikeeper::admin::Summary;
///
/// assert_eq!(Summary::default().average(), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Number of values.
    pub count: u64,
    /// Sum of the values.
    pub sum: u64,
    /// Smallest value; 0 before the first one.
    pub min: u64,
    /// Largest value; 0 before the first one.
    pub max: u64,
    /// Quantiles of a detailed summary.
    pub quantiles: Option<Quantiles>,
}

/// Quantiles of observed values: so many of the values are at most this large.
///
/// ```
/// assert_eq!(minikeeper::admin::Quantiles::default().p99, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quantiles {
    /// Half of the values.
    pub p50: u64,
    /// 90 % of the values.
    pub p90: u64,
    /// 95 % of the values.
    pub p95: u64,
    /// 99 % of the values.
    pub p99: u64,
    /// 99.9 % of the values.
    pub p999: u64,
}

impl Summary {
    /// Adds a value to the number, the sum and the extremes.
    pub(crate) fn add(&mut self, value: u64, times: u64) {
        if times == 0 {
            return;
        }
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.max = self.max.max(value);
        self.count += times;
        self.sum = self.sum.saturating_add(value.saturating_mul(times));
    }

    /// Average with at most four decimals (`AvgMinMaxCounter.getAvg`); 0 before the first value.
    ///
    /// ```
    /// assert_eq!(minikeeper::admin::Summary::default().average(), 0.0);
    /// ```
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a sum beyond 2^53 is shown with fifteen digits"
    )]
    pub fn average(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        rounded(self.sum as f64 / self.count as f64)
    }
}

/// Rounds to four decimals, as Java's `RoundingMode.HALF_UP` does.
pub(super) fn rounded(average: f64) -> f64 {
    // Java rounds a tie up, format! rounds it to even. With four decimals, only odd multiples of 1/32 are ties.
    let is_tie = (average * 32.0) % 2.0 == 1.0;
    let text = format!("{:.4}", if is_tie { average + 1e-5 } else { average });
    text.parse().unwrap_or(average)
}

/// A number of `mntr`. Its `Display` is Java's text of the number.
///
/// ```
/// use minikeeper::admin::MetricNumber;
///
/// assert_eq!(MetricNumber::Decimal(71.0).to_string(), "71.0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricNumber {
    /// A whole number.
    Whole(i64),
    /// A floating-point number, also NaN.
    Decimal(f64),
}

impl fmt::Display for MetricNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Decimal(number) => write!(f, "{}", Double(*number)),
        }
    }
}

/// One sample of a metric in the form of Prometheus.
///
/// ```
/// let server = minikeeper::Server::start()?;
/// let metrics = server.admin().metrics();
/// let znodes = metrics.iter().find(|metric| metric.name == "znode_count").expect("it is there");
/// assert_eq!(znodes.samples()[0].value, 5.0);
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Name of the metric, with `_count` and `_sum` for those of a summary.
    pub name: String,
    /// Labels and their values.
    pub labels: Vec<(&'static str, String)>,
    /// Value of the sample.
    pub value: f64,
}

impl Metric {
    /// Returns the lines of `mntr`, without `zk_`: names and numbers.
    ///
    /// ```
    /// use minikeeper::admin::MetricNumber;
    /// use minikeeper::config::MetricsProvider;
    ///
    /// let server = minikeeper::Server::start()?;
    /// let metrics = server.admin().metrics();
    /// let znodes = metrics.iter().find(|metric| metric.name == "znode_count").expect("it is there");
    /// let lines = znodes.lines(MetricsProvider::Default);
    /// assert_eq!(lines, [("znode_count".to_owned(), MetricNumber::Whole(5))]);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn lines(&self, provider: MetricsProvider) -> Vec<(String, MetricNumber)> {
        match provider {
            MetricsProvider::Default => self.default_lines(),
            MetricsProvider::Prometheus => {
                let line = |sample: Sample| {
                    let Sample {
                        mut name,
                        labels,
                        value,
                    } = sample;
                    let labels: Vec<String> = labels
                        .iter()
                        .map(|(name, value)| format!("{name}=\"{value}\""))
                        .collect();
                    if !labels.is_empty() {
                        name = format!("{name}{{{}}}", labels.join(","));
                    }
                    (name, MetricNumber::Decimal(value))
                };
                self.samples().into_iter().map(line).collect()
            }
        }
    }

    fn default_lines(&self) -> Vec<(String, MetricNumber)> {
        let name = self.name;
        let whole = |number: u64| MetricNumber::Whole(i64::try_from(number).unwrap_or(i64::MAX));
        match &self.value {
            MetricValue::Counter(number) => vec![(name.to_owned(), whole(*number))],
            MetricValue::Gauge(number) => vec![(name.to_owned(), MetricNumber::Whole(*number))],
            MetricValue::Average(number) => vec![(name.to_owned(), MetricNumber::Decimal(*number))],
            MetricValue::Summary(summary) => summary.default_lines(name),
            MetricValue::CounterSet(set) => {
                let line =
                    |(key, number): &(String, u64)| (format!("{key}_{name}"), whole(*number));
                set.iter().map(line).collect()
            }
            MetricValue::GaugeSet(set) => {
                let line = |(key, number): &(String, i64)| {
                    (format!("{key}_{name}"), MetricNumber::Whole(*number))
                };
                set.iter().map(line).collect()
            }
            MetricValue::SummarySet(set) => {
                let lines = |(key, summary): &(String, Summary)| {
                    summary.default_lines(&format!("{key}_{name}"))
                };
                set.iter().flat_map(lines).collect()
            }
        }
    }

    /// Returns the samples that Prometheus reads.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let metrics = server.admin().metrics();
    /// let reads = metrics.iter().find(|metric| metric.name == "readlatency").expect("it is there");
    /// let names: Vec<_> = reads.samples().into_iter().map(|sample| sample.name).collect();
    /// assert_eq!(names[3..], ["readlatency_count", "readlatency_sum"]);
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus has no other numbers"
    )]
    pub fn samples(&self) -> Vec<Sample> {
        let sample = |labels, value| Sample {
            name: self.name.to_owned(),
            labels,
            value,
        };
        let of = |key: &String| vec![("key", key.clone())];
        match &self.value {
            MetricValue::Counter(number) => vec![sample(vec![], *number as f64)],
            MetricValue::Gauge(number) => vec![sample(vec![], *number as f64)],
            MetricValue::Average(number) => vec![sample(vec![], *number)],
            MetricValue::Summary(summary) => summary.samples(self.name, &[]),
            MetricValue::CounterSet(set) => {
                let samples = set
                    .iter()
                    .map(|(key, number)| sample(of(key), *number as f64));
                samples.collect()
            }
            MetricValue::GaugeSet(set) => {
                let samples = set
                    .iter()
                    .map(|(key, number)| sample(of(key), *number as f64));
                samples.collect()
            }
            MetricValue::SummarySet(set) => {
                let samples = set
                    .iter()
                    .flat_map(|(key, summary)| summary.samples(self.name, &of(key)));
                samples.collect()
            }
        }
    }

    /// Returns the type that Prometheus knows: `counter`, `gauge` or `summary`.
    ///
    /// ```
    /// let server = minikeeper::Server::start()?;
    /// let metrics = server.admin().metrics();
    /// let uptime = metrics.iter().find(|metric| metric.name == "uptime").expect("it is there");
    /// assert_eq!(uptime.kind(), "gauge");
    /// # Ok::<(), minikeeper::StartError>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            MetricValue::Counter(_) | MetricValue::CounterSet(_) => "counter",
            MetricValue::Gauge(_) | MetricValue::GaugeSet(_) | MetricValue::Average(_) => "gauge",
            MetricValue::Summary(_) | MetricValue::SummarySet(_) => "summary",
        }
    }
}

impl Summary {
    /// `AvgMinMaxCounter.values`, and `AvgMinMaxPercentileCounter.values` for a detailed summary.
    fn default_lines(&self, name: &str) -> Vec<(String, MetricNumber)> {
        let whole = |number: u64| MetricNumber::Whole(i64::try_from(number).unwrap_or(i64::MAX));
        let mut lines = vec![
            (format!("avg_{name}"), MetricNumber::Decimal(self.average())),
            (format!("min_{name}"), whole(self.min)),
            (format!("max_{name}"), whole(self.max)),
            (format!("cnt_{name}"), whole(self.count)),
            (format!("sum_{name}"), whole(self.sum)),
        ];
        if let Some(quantiles) = self.quantiles {
            let Quantiles {
                p50,
                p95,
                p99,
                p999,
                ..
            } = quantiles;
            let numbers = [("p50", p50), ("p95", p95), ("p99", p99), ("p999", p999)];
            lines.extend(numbers.map(|(which, number)| (format!("{which}_{name}"), whole(number))));
        }
        lines
    }

    /// `PrometheusMetricsProvider`'s summaries: the median, and two more quantiles for a detailed summary. A summary
    /// without values, or without quantiles, has NaN.
    #[expect(
        clippy::cast_precision_loss,
        reason = "Prometheus has no other numbers"
    )]
    fn samples(&self, name: &str, labels: &[(&'static str, String)]) -> Vec<Sample> {
        let measured = self.quantiles.filter(|_| self.count > 0);
        let of = |which: fn(Quantiles) -> u64| measured.map_or(f64::NAN, |all| which(all) as f64);
        let mut quantiles = vec![("0.5", of(|all| all.p50))];
        if self.quantiles.is_some() {
            quantiles.push(("0.9", of(|all| all.p90)));
            quantiles.push(("0.99", of(|all| all.p99)));
        }
        let mut samples: Vec<Sample> = quantiles
            .iter()
            .map(|(quantile, value)| {
                let mut labels = labels.to_vec();
                labels.push(("quantile", (*quantile).to_owned()));
                Sample {
                    name: name.to_owned(),
                    labels,
                    value: *value,
                }
            })
            .collect();
        for (number, value) in [("count", self.count), ("sum", self.sum)] {
            samples.push(Sample {
                name: format!("{name}_{number}"),
                labels: labels.to_vec(),
                value: value as f64,
            });
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metric: &Metric, provider: MetricsProvider) -> String {
        let lines = metric.lines(provider).into_iter();
        let lines: Vec<String> = lines
            .map(|(name, number)| format!("{name} {number}"))
            .collect();
        lines.join("\n")
    }

    /// Expected lines are those of a real 3.9.5 after two writes below `/a` of 3 and 5 bytes.
    #[test]
    fn a_set_names_its_keys_as_each_provider_does() {
        let mut summary = Summary::default();
        summary.add(3, 1);
        summary.add(5, 1);
        let writes = Metric {
            name: "write_per_namespace",
            value: MetricValue::SummarySet(vec![("a".to_owned(), summary)]),
        };
        assert_eq!(
            text(&writes, MetricsProvider::Default),
            "avg_a_write_per_namespace 4.0\nmin_a_write_per_namespace 3\nmax_a_write_per_namespace 5\n\
             cnt_a_write_per_namespace 2\nsum_a_write_per_namespace 8"
        );
        assert_eq!(
            text(&writes, MetricsProvider::Prometheus),
            "write_per_namespace{key=\"a\",quantile=\"0.5\"} NaN\nwrite_per_namespace_count{key=\"a\"} 2.0\n\
             write_per_namespace_sum{key=\"a\"} 8.0"
        );
    }

    #[test]
    fn values_that_are_added_change_every_number() {
        let mut summary = Summary::default();
        summary.add(7, 2);
        summary.add(1, 1);
        summary.add(9, 0);
        let Summary {
            count,
            sum,
            min,
            max,
            ..
        } = summary;
        assert_eq!((count, sum, min, max), (3, 15, 1, 7));
    }
}
