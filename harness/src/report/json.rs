//! The plain data, written and read.

use crate::judge::{FORMAT, Findings};

/// The findings as JSON; [`Findings`] describes the format.
///
/// # Errors
/// If they cannot be written, which none can be seen to cause.
pub fn json(findings: &Findings) -> Result<String, JsonError> {
    let mut text = serde_json::to_string_pretty(findings)?;
    text.push('\n');
    Ok(text)
}

/// Reads what [`json`] wrote.
///
/// # Errors
/// If it is something else, or of a newer format.
pub fn read_json(text: &str) -> Result<Findings, JsonError> {
    /// Looked at first: a newer format is not to be told as a missing field.
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_str(text)?;
    if format != FORMAT {
        return Err(JsonError::Format(format));
    }
    Ok(serde_json::from_str(text)?)
}

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is no JSON of a run.
    #[error("these are no findings: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another format than this harness knows.
    #[error("these findings are of format {0}, and this harness knows format {FORMAT}")]
    Format(u32),
}

#[cfg(test)]
mod tests {
    use super::{JsonError, json, read_json};
    use crate::report::sample;

    #[test]
    fn findings_read_back_as_they_were_written() {
        for findings in [sample::three_servers(), sample::alone()] {
            let text = json(&findings).expect("JSON");
            assert_eq!(read_json(&text).expect("findings"), findings);
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_its_number() {
        let error = read_json("{\"format\": 99, \"unheard\": []}").expect_err("a newer format");
        assert!(matches!(error, JsonError::Format(99)), "{error}");
        assert!(read_json("{}").is_err());
        assert!(read_json("no JSON").is_err());
    }

    #[test]
    fn the_verdicts_are_written_as_the_format_says() {
        let text = json(&sample::three_servers()).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let verdict = |case: &str, pair: &str| {
            value
                .pointer(&format!("/chapters/{case}/comparisons/{pair}/verdict"))
                .cloned()
        };
        assert_eq!(verdict("0/cases/0", "0"), Some("same".into()));
        assert_eq!(verdict("0/cases/0", "1"), Some("different".into()));
        assert_eq!(
            verdict("1/cases/0", "0"),
            Some(serde_json::json!({"known": ["multi-order"]}))
        );
        assert_eq!(
            verdict("1/cases/0", "1"),
            Some(serde_json::json!({"skipped": "needs ZooKeeper 3.9"}))
        );
    }
}
