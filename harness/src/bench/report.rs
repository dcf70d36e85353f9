//! Results as a table and as JSON.

use std::fmt;

use serde::Serialize;

/// Results of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Rows that were measured.
    pub rows: Vec<Row>,
}

/// Result of one row.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name for `--only`.
    pub name: &'static str,
    /// Description of the measurement.
    pub what: &'static str,
    /// Measured values.
    pub values: Vec<Value>,
    /// Targets of the values.
    pub targets: Vec<Target>,
    /// Remarks.
    pub notes: Vec<String>,
    /// Reasons for missing values.
    pub missing: Vec<String>,
}

/// A measured value.
#[derive(Clone, Debug, Serialize)]
pub struct Value {
    /// Server or part that was measured.
    pub of: String,
    /// Unit of the value.
    pub unit: &'static str,
    /// Median of the rounds.
    pub median: f64,
    /// Value of each round.
    pub rounds: Vec<f64>,
}

/// A target, and whether it is met.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// Description of the target.
    pub wanted: String,
    /// Measured value.
    pub got: f64,
    /// Whether the value meets the target.
    pub met: bool,
}

impl Row {
    pub(super) fn new(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            what,
            values: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
            missing: Vec::new(),
        }
    }

    pub(super) fn value(
        &mut self,
        of: impl Into<String>,
        unit: &'static str,
        rounds: Vec<f64>,
    ) -> f64 {
        let median = median(&rounds);
        self.values.push(Value {
            of: of.into(),
            unit,
            median,
            rounds,
        });
        median
    }

    pub(super) fn at_most(&mut self, got: f64, limit: f64, what: &str) {
        let wanted = format!("{what} under {}", number(limit));
        self.targets.push(Target {
            wanted,
            got,
            met: got < limit,
        });
    }

    pub(super) fn at_least(&mut self, got: f64, limit: f64, what: &str) {
        let wanted = format!("{what} at least {}", number(limit));
        self.targets.push(Target {
            wanted,
            got,
            met: got >= limit,
        });
    }
}

/// Returns the middle value; not a number if there are no values.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.what, self.name)?;
        for value in &self.values {
            let spread = match (
                value.rounds.iter().copied().reduce(f64::min),
                value.rounds.len(),
            ) {
                (Some(least), 2..) => {
                    let most = value
                        .rounds
                        .iter()
                        .copied()
                        .reduce(f64::max)
                        .unwrap_or(least);
                    format!("   ({} to {})", number(least), number(most))
                }
                _ => String::new(),
            };
            writeln!(
                f,
                "    {:34} {:>12} {}{spread}",
                value.of,
                number(value.median),
                value.unit
            )?;
        }
        for target in &self.targets {
            let result = if target.met { "met" } else { "MISSED" };
            writeln!(
                f,
                "    {result:6} {}: {}",
                target.wanted,
                number(target.got)
            )?;
        }
        for note in &self.notes {
            writeln!(f, "    {note}")?;
        }
        self.missing
            .iter()
            .try_for_each(|missing| writeln!(f, "    missing: {missing}"))
    }
}

/// Writes a number with three significant digits, and blanks between thousands.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        let digits = if value.abs() < 1.0 { 3 } else { 2 };
        let text = format!("{value:.digits$}");
        return match text.trim_end_matches('0').trim_end_matches('.') {
            "" | "-" => "0".to_owned(),
            text => text.to_owned(),
        };
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{median, number};

    #[test]
    fn numbers_have_three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.8512, "0.851"),
            (3.5, "3.5"),
            (1_234_567.8, "1,234,568"),
            (100.0, "100"),
            (40.0, "40"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_median_is_the_middle_one() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
