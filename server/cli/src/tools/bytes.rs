//! Data of znodes as text.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::value::Value;

/// Format of data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Data {
    /// Text if it is readable, otherwise base64
    #[default]
    Auto,
    /// Base64
    Base64,
    /// Hexadecimal
    Hex,
    /// No data, only its length
    None,
}

impl Data {
    /// Formats data for people: text in quotes, or encoded bytes.
    pub(crate) fn line(self, data: Option<&[u8]>) -> Option<String> {
        let Some(bytes) = data else {
            return (self != Self::None).then(|| "null".to_owned());
        };
        Some(match (self, text(bytes)) {
            (Self::None, _) => return None,
            (Self::Auto, Some(text)) => format!("{text:?}"),
            (Self::Auto | Self::Base64, _) => format!("base64:{}", BASE64.encode(bytes)),
            (Self::Hex, _) => format!("hex:{}", hex(bytes)),
        })
    }

    /// Formats data for people, cut to a part of a line.
    pub(crate) fn short_line(self, data: Option<&[u8]>) -> Option<String> {
        const MOST: usize = 60;
        match data {
            Some(bytes) if bytes.len() > MOST => {
                // Text is cut between two characters.
                let whole =
                    |end: &usize| text(bytes).is_none_or(|text| text.is_char_boundary(*end));
                let end = (0..=MOST).rev().find(whole).unwrap_or(0);
                let line = self.line(bytes.get(..end))?;
                Some(format!("{line}... ({} bytes)", bytes.len()))
            }
            _ => self.line(data),
        }
    }

    /// Returns data for programs: a field whose name is the encoding.
    pub(crate) fn field(self, data: Option<&[u8]>) -> Option<(&'static str, Value)> {
        let Some(bytes) = data else {
            return (self != Self::None).then_some(("data", Value::Null));
        };
        Some(match (self, text(bytes)) {
            (Self::None, _) => return None,
            (Self::Auto, Some(text)) => ("data", Value::text(text)),
            (Self::Auto | Self::Base64, _) => ("base64", Value::text(&BASE64.encode(bytes))),
            (Self::Hex, _) => ("hex", Value::text(&hex(bytes))),
        })
    }
}

/// Returns the bytes as text if they are readable.
fn text(bytes: &[u8]) -> Option<&str> {
    let readable = |text: &&str| !text.contains(|c: char| c.is_control() && !"\t\n\r".contains(c));
    std::str::from_utf8(bytes).ok().filter(readable)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_data_are_text() {
        let check = |how: Data, data: Option<&[u8]>, line: Option<&str>| {
            assert_eq!(how.line(data).as_deref(), line, "{how:?} {data:?}");
        };
        check(Data::Auto, Some(b"say \"hi\"\n"), Some(r#""say \"hi\"\n""#));
        check(Data::Auto, Some("h\u{e9}".as_bytes()), Some("\"h\u{e9}\""));
        check(Data::Auto, Some(b""), Some("\"\""));
        check(Data::Auto, Some(&[0, 1, 2]), Some("base64:AAEC"));
        check(Data::Hex, Some(&[0, 1, 0xfe]), Some("hex:0001fe"));
        check(Data::Base64, Some(b"v1"), Some("base64:djE="));
        check(Data::Auto, None, Some("null"));
        check(Data::None, None, None);
        check(Data::None, Some(b"v1"), None);
    }

    #[test]
    fn long_data_are_cut_between_characters() {
        let data = "\u{e9}".repeat(40);
        let line = Data::Auto.short_line(Some(data.as_bytes()));
        let expected = format!("{:?}... (80 bytes)", "\u{e9}".repeat(30));
        assert_eq!(line, Some(expected));
        let odd = format!("x{data}");
        let line = Data::Auto
            .short_line(Some(odd.as_bytes()))
            .expect("it is shown");
        assert!(
            line.starts_with(&format!("\"x{}\"...", "\u{e9}".repeat(29))),
            "{line}"
        );
        let binary = vec![0; 100];
        let line = Data::Hex.short_line(Some(&binary));
        assert_eq!(
            line,
            Some(format!("hex:{}... (100 bytes)", "00".repeat(60)))
        );
    }
}
