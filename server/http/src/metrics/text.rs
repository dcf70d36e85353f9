//! The text format of Prometheus, version 0.0.4, as its Java library writes it.

use std::fmt::Write as _;

use minikeeper::admin::{Metric, MetricNumber, Sample};

/// Labels of a sample, with their values.
type Labels = Vec<(&'static str, String)>;

/// Metric with its samples.
#[derive(Clone, Debug)]
pub(super) struct Family {
    name: String,
    kind: &'static str,
    help: String,
    samples: Vec<(String, Labels, f64)>,
}

impl Family {
    /// A metric of a real server. Its help is its name.
    pub(super) fn of(metric: &Metric) -> Self {
        let samples = metric.samples().into_iter();
        let samples = samples.map(|sample| {
            let Sample {
                name,
                labels,
                value,
                ..
            } = sample;
            (name, labels, value)
        });
        Self {
            name: metric.name.to_owned(),
            kind: metric.kind(),
            help: metric.name.to_owned(),
            samples: samples.collect(),
        }
    }

    /// A metric with one sample.
    pub(super) fn new(
        name: &str,
        kind: &'static str,
        help: &str,
        labels: Vec<(&'static str, String)>,
        value: f64,
    ) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            help: help.to_owned(),
            samples: vec![(name.to_owned(), labels, value)],
        }
    }
}

/// Prints metrics. With `names`, only samples with one of these names are printed.
pub(super) fn print(families: &[Family], names: &[String]) -> String {
    let mut text = String::new();
    for family in families {
        let is_wanted = |name: &String| names.is_empty() || names.contains(name);
        let samples = family.samples.iter().filter(|(name, ..)| is_wanted(name));
        let samples: Vec<_> = samples.collect();
        if samples.is_empty() && !names.is_empty() {
            continue;
        }
        let Family {
            name, kind, help, ..
        } = family;
        // Memory takes every text.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (name, labels, value) in samples {
            text.push_str(name);
            if !labels.is_empty() {
                text.push('{');
                for (label, value) in labels {
                    let _ = write!(text, "{label}=\"{}\",", escaped(value));
                }
                text.push('}');
            }
            let _ = writeln!(text, " {}", MetricNumber::Decimal(*value));
        }
    }
    text
}

/// Escapes the value of a label.
fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected lines have the form of those of a real 3.9.5.
    #[test]
    fn samples_are_printed_as_by_the_java_library() {
        let labels = vec![
            ("key", "a\"b\\\n".to_owned()),
            ("quantile", "0.5".to_owned()),
        ];
        let families = [
            Family::new("uptime", "gauge", "uptime", Vec::new(), 12_345_678.0),
            Family::new("read", "summary", "read", labels, f64::NAN),
        ];
        assert_eq!(
            print(&families, &[]),
            "# HELP uptime uptime\n# TYPE uptime gauge\nuptime 1.2345678E7\n\
             # HELP read read\n# TYPE read summary\nread{key=\"a\\\"b\\\\\\n\",quantile=\"0.5\",} NaN\n"
        );
        assert!(print(&families, &["uptime".to_owned()]).ends_with("uptime 1.2345678E7\n"));
        assert_eq!(print(&families, &["other".to_owned()]), "");
    }
}
