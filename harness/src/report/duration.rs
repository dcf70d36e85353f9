//! Durations for readers, with two significant digits.

/// Formats milliseconds in a few characters: `7 ms`, `1.4 s`, `3 min 20 s`.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_is_written_in_a_suitable_unit() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1449, "1.4 s"),
            (200_900, "3 min 20 s"),
        ] {
            assert_eq!(span(ms), text);
        }
    }
}
