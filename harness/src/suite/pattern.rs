//! Selection of cases on the command line.

use std::fmt;
use std::str::FromStr;

use super::{Case, CaseId, Suite};

/// A pattern for cases: a chapter (`watch`), a case (`watch/17`), a range of cases (`watch/3..9`, both ends
/// included, either may be omitted), or text in a title (`fires once`, ignoring case).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Numbers {
        chapter: String,
        first: u32,
        last: u32,
    },
    /// The name of a chapter if there is one, otherwise text in a title.
    Text(String),
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let bad = || BadPattern(text.to_owned());
        if text.trim().is_empty() {
            return Err(bad());
        }
        let numbers = |chapter: &str, first, last| {
            if first > last {
                return Err(bad());
            }
            let chapter = chapter.to_owned();
            Ok(Self(Kind::Numbers {
                chapter,
                first,
                last,
            }))
        };
        let end = |text: &str, otherwise: u32| {
            if text.is_empty() {
                Some(otherwise)
            } else {
                text.parse().ok()
            }
        };
        if let Some((chapter, rest)) = text.split_once('/') {
            if let Ok(number) = rest.parse() {
                return numbers(chapter, number, number);
            }
            if let Some((first, last)) = rest.split_once("..")
                && let (Some(first), Some(last)) = (end(first, 0), end(last, u32::MAX))
            {
                return numbers(chapter, first, last);
            }
        }
        Ok(Self(Kind::Text(text.to_owned())))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Numbers {
                chapter,
                first,
                last,
            } if first == last => write!(f, "{chapter}/{first}"),
            Kind::Numbers {
                chapter,
                first,
                last: u32::MAX,
            } => write!(f, "{chapter}/{first}.."),
            Kind::Numbers {
                chapter,
                first,
                last,
            } => write!(f, "{chapter}/{first}..{last}"),
            Kind::Text(text) => f.write_str(text),
        }
    }
}

impl Pattern {
    /// Whether the pattern matches this case. Titles are not matched, and `*` matches all cases.
    pub(crate) fn names(&self, case: &CaseId) -> bool {
        match &self.0 {
            Kind::Numbers {
                chapter,
                first,
                last,
            } => case.chapter == *chapter && (*first..=*last).contains(&case.number),
            Kind::Text(name) => name == "*" || case.chapter == *name,
        }
    }

    /// Specificity of the pattern, to compare it with others.
    pub(crate) fn breadth(&self) -> u64 {
        match &self.0 {
            Kind::Numbers { first, last, .. } => u64::from(last - first),
            Kind::Text(name) => u64::MAX - u64::from(name != "*"),
        }
    }

    fn wants(&self, case: &Case, is_chapter: bool) -> bool {
        match &self.0 {
            Kind::Numbers {
                chapter,
                first,
                last,
            } => case.id.chapter == *chapter && (*first..=*last).contains(&case.id.number),
            Kind::Text(name) if is_chapter => case.id.chapter == *name,
            Kind::Text(text) => case.title.to_lowercase().contains(&text.to_lowercase()),
        }
    }
}

impl Suite {
    /// Returns the suite with only the cases that match one of the patterns; with all cases if there are no
    /// patterns.
    ///
    /// # Errors
    ///
    /// Returns an error if a pattern matches no case.
    pub fn select(self, patterns: &[Pattern]) -> Result<Self, NoSuchCase> {
        if patterns.is_empty() {
            return Ok(self);
        }
        let is_chapter = |pattern: &Pattern| match &pattern.0 {
            Kind::Text(text) => self.chapters.iter().any(|chapter| chapter.name == *text),
            Kind::Numbers { .. } => false,
        };
        let patterns: Vec<(&Pattern, bool)> = patterns
            .iter()
            .map(|pattern| (pattern, is_chapter(pattern)))
            .collect();
        for &(pattern, is_chapter) in &patterns {
            if !self.cases().any(|case| pattern.wants(case, is_chapter)) {
                return Err(NoSuchCase(pattern.clone()));
            }
        }
        Ok(self.only(|case| {
            patterns
                .iter()
                .any(|&(pattern, is_chapter)| pattern.wants(case, is_chapter))
        }))
    }
}

/// A text that is not a pattern for cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a selection of cases; use a chapter (`watch`), a case (`watch/17`), a range (`watch/3..9`) \
     or text in a title"
)]
pub struct BadPattern(String);

/// A pattern that matches no case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no case matches `{0}`; list all cases with `minikeeper-harness list`")]
pub struct NoSuchCase(Pattern);

#[cfg(test)]
mod tests {
    use super::{NoSuchCase, Pattern};
    use crate::suite::{Chapter, Suite};

    fn suite() -> Suite {
        let watch = "# Watches\n\n== 1 One fires\na: ping\n== 3 two fire\na: ping\n== 7 none remain\na: ping\n";
        let multi = "# Multi\n\n== 2 a watch fires once\na: ping\n";
        Suite::new()
            .with(Chapter::parse("watch", watch).expect("a chapter"))
            .with(Chapter::parse("multi", multi).expect("a chapter"))
    }

    #[track_caller]
    fn check(patterns: &[&str], expected: &[&str]) {
        let patterns: Vec<Pattern> = patterns.iter().map(|p| p.parse().expect(p)).collect();
        let selected = suite().select(&patterns).expect("cases");
        let ids: Vec<String> = selected.cases().map(|case| case.id.to_string()).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn cases_are_selected_by_chapter_number_range_and_title() {
        check(&[], &["watch/1", "watch/3", "watch/7", "multi/2"]);
        check(&["watch"], &["watch/1", "watch/3", "watch/7"]);
        check(&["watch/3"], &["watch/3"]);
        check(&["watch/2..7"], &["watch/3", "watch/7"]);
        check(&["watch/3.."], &["watch/3", "watch/7"]);
        check(&["watch/..3"], &["watch/1", "watch/3"]);
        check(&["FIRE"], &["watch/1", "watch/3", "multi/2"]);
        check(&["multi", "watch/7"], &["watch/7", "multi/2"]);
    }

    #[test]
    fn a_pattern_that_matches_no_case_is_named() {
        let pattern: Pattern = "watch/4".parse().expect("a pattern");
        assert_eq!(
            suite().select(std::slice::from_ref(&pattern)).err(),
            Some(NoSuchCase(pattern))
        );
        for bad in ["", " ", "watch/9..3"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
    }
}
