//! Splitting of a line into words, quoted bytes and brackets.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word: `getData`, `/a`, `12`.
    Word(String),
    /// Quoted bytes: `"..."`, with an optional repetition `"x"*100`.
    Quoted(Vec<u8>),
    /// A key, `name=`, before its value.
    Key(String),
    /// `[`
    Open,
    /// `]`
    Close,
    /// `;`
    Semicolon,
    /// `,`
    Comma,
}

const PUNCTUATION: &str = "\"[];,";

/// The tokens of one line, read from the front.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    tokens: std::collections::VecDeque<Token>,
}

impl Tokens {
    pub(super) fn of(line: &str) -> Result<Self, String> {
        let mut tokens = std::collections::VecDeque::new();
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let (token, after) = match first {
                '[' => (Token::Open, skip(rest, 1)),
                ']' => (Token::Close, skip(rest, 1)),
                ';' => (Token::Semicolon, skip(rest, 1)),
                ',' => (Token::Comma, skip(rest, 1)),
                '"' => quoted(skip(rest, 1))?,
                _ => word(rest),
            };
            tokens.push_back(token);
            rest = after.trim_start();
        }
        Ok(Self { tokens })
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        self.tokens.pop_front()
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.front()
    }

    /// Takes the next token if it is equal to this one.
    pub(super) fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.tokens.pop_front();
        }
        found
    }

    /// Takes the next token if it is this word.
    pub(super) fn flag(&mut self, word: &str) -> bool {
        self.take(&Token::Word(word.to_owned()))
    }

    pub(super) fn expect(&mut self, wanted: &Token) -> Result<(), String> {
        match self.next() {
            Some(token) if token == *wanted => Ok(()),
            other => Err(format!(
                "expected {wanted}, found {}",
                Found(other.as_ref())
            )),
        }
    }

    pub(super) fn word(&mut self, what: &str) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("expected {what}, found {}", Found(other.as_ref()))),
        }
    }

    /// Takes a word or quoted text.
    pub(super) fn text(&mut self, what: &str) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(Token::Quoted(bytes)) => {
                String::from_utf8(bytes).map_err(|_| format!("{what} is not UTF-8"))
            }
            other => Err(format!("expected {what}, found {}", Found(other.as_ref()))),
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.word(what)?;
        word.parse()
            .map_err(|_| format!("`{word}` is not a valid {what}"))
    }

    /// Takes `name=VALUE` if it is next.
    pub(super) fn key(&mut self, name: &str) -> bool {
        self.take(&Token::Key(name.to_owned()))
    }

    /// Parses the items between `[` and `]`, separated by `separator`.
    pub(super) fn list<T>(
        &mut self,
        separator: &Token,
        mut item: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        self.expect(&Token::Open)?;
        let mut items = Vec::new();
        while !self.take(&Token::Close) {
            if !items.is_empty() {
                self.expect(separator)?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(super) fn end(&self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            found => Err(format!("unexpected {} at the end", Found(found))),
        }
    }
}

fn skip(text: &str, bytes: usize) -> &str {
    text.get(bytes..).unwrap_or_default()
}

fn word(text: &str) -> (Token, &str) {
    let end = text
        .find(|c: char| c.is_whitespace() || PUNCTUATION.contains(c))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word.split_once('=') {
        Some((key, _)) if is_name(key) => (Token::Key(key.to_owned()), skip(text, key.len() + 1)),
        _ => (Token::Word(word.to_owned()), rest),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

fn quoted(text: &str) -> Result<(Token, &str), String> {
    let mut bytes = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let rest = skip(text, at + 1);
                return Ok(repeated(bytes, rest));
            }
            '\\' => bytes.push(match chars.next().map(|(_, c)| c) {
                Some('n') => b'\n',
                Some('r') => b'\r',
                Some('t') => b'\t',
                Some('\'') => b'\'',
                Some('"') => b'"',
                Some('\\') => b'\\',
                Some('x') => {
                    let hex: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                    u8::from_str_radix(&hex, 16).map_err(|_| format!("`\\x{hex}` is not a byte"))?
                }
                _ => return Err("unknown escape".to_owned()),
            }),
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("unterminated quote".to_owned())
}

/// Parses the repetition in `"x"*100`.
fn repeated(bytes: Vec<u8>, rest: &str) -> (Token, &str) {
    let Some(count) = rest.strip_prefix('*') else {
        return (Token::Quoted(bytes), rest);
    };
    let end = count
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(count.len());
    let (digits, rest) = count.split_at(end);
    // A number above the size of any frame is a typing error.
    let times = digits.parse().unwrap_or(1).min(0x100_0000);
    (Token::Quoted(bytes.repeat(times)), rest)
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Quoted(bytes) => write!(f, "{}", Bytes(bytes)),
            Self::Key(key) => write!(f, "`{key}=`"),
            Self::Open => f.write_str("`[`"),
            Self::Close => f.write_str("`]`"),
            Self::Semicolon => f.write_str("`;`"),
            Self::Comma => f.write_str("`,`"),
        }
    }
}

struct Found<'a>(Option<&'a Token>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(token) => token.fmt(f),
            None => f.write_str("the end"),
        }
    }
}

/// Formats bytes so that the lexer can parse them.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [first, rest @ ..] if self.0.len() > 40 && rest.iter().all(|byte| byte == first) => {
                write!(f, "\"{}\"*{}", first.escape_ascii(), self.0.len())
            }
            // Text stays readable; other bytes are escaped one by one.
            bytes => match std::str::from_utf8(bytes) {
                Ok(text) if !text.chars().any(char::is_control) => {
                    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
                }
                _ => write!(f, "\"{}\"", bytes.escape_ascii()),
            },
        }
    }
}

/// Formats a word unquoted if possible, otherwise quoted.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self
            .0
            .starts_with(|c: char| c == '/' || c.is_ascii_alphanumeric())
            && !self.0.contains(|c: char| {
                c.is_whitespace() || c.is_control() || PUNCTUATION.contains(c) || c == '\\'
            })
            && !self.0.split_once('=').is_some_and(|(key, _)| is_name(key));
        if plain {
            f.write_str(self.0)
        } else {
            write!(f, "{}", Bytes(self.0.as_bytes()))
        }
    }
}
