//! Text of servers made printable: characters that would move a cursor, be invisible, or reverse a line are escaped.

use std::borrow::Cow;

/// Escapes such characters: `\x1b`, `\u{202e}`. Line ends stay.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match u32::from(letter) {
            _ if !is_odd(letter) => shown.push(letter),
            code @ 0..0x80 => shown.push_str(&format!("\\x{code:02x}")),
            code => shown.push_str(&format!("\\u{{{code:x}}}")),
        }
    }
    Cow::Owned(shown)
}

fn is_odd(letter: char) -> bool {
    (letter.is_control() && letter != '\n')
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{fffe}'..='\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn invisible_characters_are_escaped() {
        assert_eq!(
            printable("a\x1b[31m\0\u{202e}\u{85}\u{ffff}"),
            "a\\x1b[31m\\x00\\u{202e}\\u{85}\\u{ffff}"
        );
        assert_eq!(printable("ä <b> 猫\n"), "ä <b> 猫\n");
    }
}
