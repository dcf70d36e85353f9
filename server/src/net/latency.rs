//! Latency of requests: the time on the server's clock from the moment when a request was read to the end of the turn
//! in which it was carried out. All requests that one read brought have the same latency.

use crate::wire::{Quantiles, Summary};

/// Latencies of all connections, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    /// Requests since the last `srst`.
    pub(super) all: Summary,
    read: Distribution,
    update: Distribution,
}

impl Latencies {
    /// Counts requests that were carried out in one turn.
    pub(super) fn count(&mut self, latency_ms: u64, requests: u64, writes: u64) {
        self.all.add(latency_ms, requests);
        self.update.add(latency_ms, writes);
        self.read.add(latency_ms, requests.saturating_sub(writes));
    }

    pub(super) fn read(&self) -> Summary {
        self.read.summary()
    }

    pub(super) fn update(&self) -> Summary {
        self.update.summary()
    }
}

/// Number of classes: one for each value below 8, then four for each power of two.
const CLASSES: usize = 8 + 4 * 29;

/// Values, counted in classes whose width is at most a fourth of their values.
#[derive(Clone, Debug)]
struct Distribution {
    summary: Summary,
    classes: Box<[u64; CLASSES]>,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            summary: Summary::default(),
            classes: Box::new([0; CLASSES]),
        }
    }
}

/// Returns the class of a value.
fn class(value: u64) -> usize {
    let small = usize::try_from(value).unwrap_or(usize::MAX);
    if small < 8 {
        return small;
    }
    let power = small.ilog2();
    let quarter = (small >> (power - 2)) & 3;
    let class = 8 + 4 * (power as usize - 3) + quarter;
    class.min(CLASSES - 1)
}

/// Returns the largest value of a class.
fn largest(class: usize) -> u64 {
    let number = u64::try_from(class).unwrap_or(u64::MAX);
    if number < 8 {
        return number;
    }
    let (power, quarter) = ((number - 8) / 4 + 3, (number - 8) % 4);
    ((5 + quarter) << (power - 2)) - 1
}

impl Distribution {
    fn add(&mut self, value: u64, times: u64) {
        if times > 0 {
            self.summary.add(value, times);
            if let Some(count) = self.classes.get_mut(class(value)) {
                *count += times;
            }
        }
    }

    fn summary(&self) -> Summary {
        let quantile = |per_mille: u64| {
            let wanted = (self.summary.count * per_mille).div_ceil(1000);
            let mut seen = 0;
            let classes = self.classes.iter().enumerate();
            let mut reached = classes.filter_map(|(class, count)| {
                seen += count;
                (seen >= wanted).then_some(class)
            });
            let value = reached.next().map_or(0, largest);
            value.min(self.summary.max)
        };
        Summary {
            quantiles: Some(Quantiles {
                p50: quantile(500),
                p90: quantile(900),
                p95: quantile(950),
                p99: quantile(990),
                p999: quantile(999),
            }),
            ..self.summary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_a_class_that_ends_at_most_a_fourth_above_it() {
        for value in (0..5000).chain([1 << 20, (1 << 30) + 7]) {
            let end = largest(class(value));
            assert!(value <= end && end <= value + value / 4, "{value} {end}");
        }
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }

    #[test]
    fn reads_and_writes_are_counted_apart() {
        let mut latencies = Latencies::default();
        latencies.count(0, 99, 0);
        latencies.count(40, 2, 1);
        let read = latencies.read();
        assert_eq!((read.count, read.sum, read.max), (100, 40, 40));
        let quantiles = read.quantiles.unwrap_or_default();
        assert_eq!((quantiles.p50, quantiles.p99, quantiles.p999), (0, 0, 40));
        assert_eq!((latencies.update().count, latencies.all.count), (1, 101));
    }
}
