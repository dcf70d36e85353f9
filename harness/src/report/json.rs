//! Findings as JSON.

use crate::judge::{FORMAT, Findings};

/// Returns the findings as JSON; [`Findings`] describes the format.
///
/// # Errors
///
/// If the findings cannot be serialized, for which none are known.
pub fn json(findings: &Findings) -> Result<String, JsonError> {
    let mut text = serde_json::to_string_pretty(findings)?;
    text.push('\n');
    Ok(text)
}

/// Reads findings that [`json`] wrote.
///
/// # Errors
///
/// If the text is not JSON of this kind, or if its format is not [`FORMAT`].
pub fn read_json(text: &str) -> Result<Findings, JsonError> {
    /// Parsed first, so that a newer format is not reported as a missing field.
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

/// Reason for which findings cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not the JSON of a run.
    #[error("not the results of a run: {0}")]
    Json(#[from] serde_json::Error),
    /// The format is not the one of this version of the harness.
    #[error("the results have format {0}, but this version reads format {FORMAT}")]
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
    fn results_are_written_as_the_format_defines() {
        let text = json(&sample::three_servers()).expect("JSON");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let result = |case: &str, pair: &str| {
            value
                .pointer(&format!("/chapters/{case}/comparisons/{pair}/result"))
                .cloned()
        };
        assert_eq!(result("0/cases/0", "0"), Some("same".into()));
        assert_eq!(result("0/cases/0", "1"), Some("different".into()));
        assert_eq!(
            result("1/cases/0", "0"),
            Some(serde_json::json!({"known": ["multi-order"]}))
        );
        assert_eq!(
            result("1/cases/0", "1"),
            Some(serde_json::json!({"skipped": "needs ZooKeeper 3.9"}))
        );
    }
}
