//! A self-contained HTML page: it loads nothing, and works without its script.

use askama::Template;

use super::duration::span;
use super::printable::printable;
use super::tally::{Class, Pair, Tally};
use crate::alignment::{self, Piece};
use crate::judge::{CaseFindings, ChapterFindings, Findings, Play, Trouble};

/// Returns the findings as a page.
///
/// # Errors
///
/// If the template cannot be rendered, for which no findings are known.
pub fn html(findings: &Findings) -> Result<String, HtmlError> {
    Ok(Page::of(findings).render()?)
}

/// Reason for which there is no page.
#[derive(Debug, thiserror::Error)]
#[error("the page cannot be written: {0}")]
pub struct HtmlError(#[from] askama::Error);

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    servers: String,
    started: Option<String>,
    took: String,
    cases: usize,
    alone: bool,
    absent: Vec<(String, String)>,
    /// Ids of known differences that did not occur, and the pairs of servers.
    stale: Vec<(String, String)>,
    /// Known differences that occurred: id, title, behaviour of one server, behaviour of the others, reason.
    explained: Vec<[String; 5]>,
    /// Cases that were run more than once.
    played_again: String,
    pairs: Vec<PairOnPage>,
    filters: Vec<Count>,
    chapters: Vec<ChapterOnPage>,
}

struct PairOnPage {
    name: String,
    counts: Vec<Count>,
}

struct Count {
    class: &'static str,
    count: usize,
}

struct ChapterOnPage {
    name: String,
    title: String,
    cases: Vec<CaseOnPage>,
    counts: Vec<Count>,
    took: String,
    open: bool,
}

struct CaseOnPage {
    id: String,
    title: String,
    /// All results of the case, for the filter.
    classes: String,
    results: Vec<Badge>,
    reasons: Vec<String>,
    times: String,
    open: bool,
    script: Option<String>,
    /// Heads of the columns: server names, and their failures.
    heads: Vec<(String, Option<String>)>,
    /// Lines that all servers have in common, if all agree.
    agreed: Vec<Cell>,
    rows: Vec<RowOnPage>,
}

struct Badge {
    class: &'static str,
    /// Server that the first one was compared with, if the results differ.
    with: Option<String>,
}

struct RowOnPage {
    differs: bool,
    first: bool,
    cells: Vec<Option<Cell>>,
}

struct Cell {
    kind: &'static str,
    pieces: Vec<Piece>,
}

impl Page {
    fn of(findings: &Findings) -> Self {
        let pairs = Pair::all(findings);
        let shown = |text: &str| printable(text).into_owned();
        let mut filters = Tally::default();
        for case in findings.cases() {
            for class in classes(&pairs, case) {
                filters.count(class);
            }
        }
        Self {
            style: include_str!("../../templates/report.css"),
            script: include_str!("../../templates/report.js"),
            servers: shown(&findings.servers.join(", ")),
            started: findings.started.as_deref().map(shown),
            took: span(findings.took_ms),
            cases: findings.cases().count(),
            alone: pairs.iter().all(|pair| pair.right.is_none()),
            absent: findings
                .absent
                .iter()
                .map(|absent| (shown(&absent.server), shown(&absent.why)))
                .collect(),
            stale: findings
                .stale
                .iter()
                .map(|stale| {
                    let between = format!("{} and {}", stale.left, stale.right);
                    (shown(&stale.id), shown(&between))
                })
                .collect(),
            explained: findings
                .explained
                .iter()
                .map(|known| {
                    [
                        &known.id,
                        &known.title,
                        &known.does,
                        &known.others,
                        &known.why,
                    ]
                    .map(|text| shown(text))
                })
                .collect(),
            played_again: shown(&findings.played_again.join(", ")),
            pairs: pairs
                .iter()
                .map(|pair| PairOnPage {
                    name: shown(&pair.name(findings)),
                    counts: counts(pair.tally(findings.cases())),
                })
                .collect(),
            filters: counts(filters),
            chapters: findings
                .chapters
                .iter()
                .map(|chapter| ChapterOnPage::of(findings, &pairs, chapter))
                .collect(),
        }
    }
}

fn counts(tally: Tally) -> Vec<Count> {
    Class::ALL
        .into_iter()
        .map(|class| Count {
            class: class.name(),
            count: tally.of(class),
        })
        .filter(|count| count.count > 0)
        .collect()
}

/// Returns every result of a case, once.
fn classes(pairs: &[Pair], case: &CaseFindings) -> Vec<Class> {
    let mut classes: Vec<Class> = pairs.iter().map(|pair| pair.result(case).class).collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

impl ChapterOnPage {
    fn of(findings: &Findings, pairs: &[Pair], chapter: &ChapterFindings) -> Self {
        let mut tally = Tally::default();
        for case in &chapter.cases {
            for class in classes(pairs, case) {
                tally.count(class);
            }
        }
        let plays = chapter.cases.iter().flat_map(|case| &case.plays);
        Self {
            name: printable(&chapter.name).into_owned(),
            title: printable(&chapter.title).into_owned(),
            cases: chapter
                .cases
                .iter()
                .map(|case| CaseOnPage::of(findings, pairs, case))
                .collect(),
            counts: counts(tally),
            took: span(plays.map(|play| play.took_ms).sum()),
            open: tally.bad() > 0,
        }
    }
}

impl CaseOnPage {
    fn of(findings: &Findings, pairs: &[Pair], case: &CaseFindings) -> Self {
        let shown = |text: &str| printable(text).into_owned();
        let name = |place: usize| findings.servers.get(place).map_or("?", String::as_str);
        let classes = classes(pairs, case);
        let alike = classes.len() < 2;
        let results = if alike {
            classes
                .iter()
                .map(|class| Badge {
                    class: class.name(),
                    with: None,
                })
                .collect()
        } else {
            pairs
                .iter()
                .map(|pair| Badge {
                    class: pair.result(case).class.name(),
                    with: pair.right.map(|right| shown(name(right))),
                })
                .collect()
        };
        let mut reasons = Vec::new();
        for pair in pairs {
            let result = pair.result(case);
            if let Some(why) = result.why {
                let pair = pair.name(findings);
                reasons.push(shown(&format!("{pair}: {} ({why})", result.class.name())));
            }
        }
        let times = findings.servers.iter().zip(&case.plays);
        let times: Vec<String> = times
            .filter(|(_, play)| play.trouble.is_none())
            .map(|(server, play)| format!("{server} {}", span(play.took_ms)))
            .collect();
        let mut page = Self {
            id: shown(&case.id),
            title: shown(&case.title),
            classes: classes
                .iter()
                .map(|class| class.name())
                .collect::<Vec<_>>()
                .join(" "),
            results,
            reasons,
            times: shown(&times.join(", ")),
            open: classes.iter().any(|class| class.is_bad()),
            script: case.script.as_deref().map(shown),
            heads: Vec::new(),
            agreed: Vec::new(),
            rows: Vec::new(),
        };
        page.fill(findings, case);
        page
    }

    /// Fills one column for all servers that behaved alike.
    fn fill(&mut self, findings: &Findings, case: &CaseFindings) {
        let mut groups: Vec<(Vec<&str>, &Play)> = Vec::new();
        for (server, play) in findings.servers.iter().zip(&case.plays) {
            if matches!(play.trouble, Some(Trouble::Skipped(_))) {
                continue;
            }
            let alike = |group: &&mut (Vec<&str>, &Play)| {
                group.1.lines == play.lines && group.1.trouble == play.trouble
            };
            match groups.iter_mut().find(alike) {
                Some((servers, _)) => servers.push(server),
                None => groups.push((vec![server], play)),
            }
        }
        self.heads = groups
            .iter()
            .map(|(servers, play)| {
                let trouble = match &play.trouble {
                    Some(Trouble::Failed(why)) => Some(printable(why).into_owned()),
                    Some(Trouble::Skipped(_)) | None => None,
                };
                (printable(&servers.join(", ")).into_owned(), trouble)
            })
            .collect();
        let columns: Vec<Vec<String>> = groups
            .iter()
            .map(|(_, play)| {
                let lines = play.lines.iter();
                lines.map(|line| printable(line).into_owned()).collect()
            })
            .collect();
        if let [lines] = columns.as_slice() {
            self.agreed = lines
                .iter()
                .map(|line| Cell::of(line, Some(line)))
                .collect();
            return;
        }
        let columns: Vec<&[String]> = columns.iter().map(Vec::as_slice).collect();
        let mut found = false;
        for row in alignment::rows(&columns) {
            let row = RowOnPage::of(&row, found);
            found |= row.differs;
            self.rows.push(row);
        }
    }
}

impl RowOnPage {
    fn of(row: &[Option<&str>], found: bool) -> Self {
        let first = row.first().copied().flatten();
        let differs = row.iter().any(|&cell| cell != first);
        // Each line is compared with the first other one; if there is none, some servers have no line here.
        let other = |line: &str| row.iter().flatten().copied().find(|&other| other != line);
        let cells = row
            .iter()
            .map(|cell| {
                cell.map(|line| Cell::of(line, if differs { other(line) } else { Some(line) }))
            })
            .collect();
        Self {
            differs,
            first: differs && !found,
            cells,
        }
    }
}

impl Cell {
    fn of(line: &str, other: Option<&str>) -> Self {
        Self {
            kind: kind(line),
            pieces: alignment::pieces(line, other),
        }
    }
}

/// Classifies a line of a transcript by its first characters: a step, a reply (`r`), or an event (`e`).
fn kind(line: &str) -> &'static str {
    match line.split_once(':') {
        Some((_, rest)) if rest.starts_with("   ! ") => "e",
        Some((_, rest)) if rest.starts_with("   -> ") => "r",
        _ if line.starts_with("  ") => "r",
        _ => "s",
    }
}

#[cfg(test)]
mod tests {
    use super::{html, kind};
    use crate::report::sample;

    #[test]
    fn every_case_is_on_the_page_with_its_results() {
        let page = html(&sample::three_servers()).expect("a page");
        for id in ["watch/1", "watch/2", "multi/1", "multi/2"] {
            assert!(page.contains(&format!(" id=\"{id}\"")), "{id}: {page}");
        }
        assert!(page.contains("data-v=\"same different\""), "{page}");
        assert!(page.contains("data-v=\"known skipped\""), "{page}");
        assert!(page.contains("zookeeper:3.4.14"), "{page}");
        assert!(page.contains("java is not installed"), "{page}");
        assert!(page.contains("old-order"), "{page}");
    }

    #[test]
    fn servers_that_behave_alike_share_a_column_and_the_first_difference_is_marked() {
        let page = html(&sample::three_servers()).expect("a page");
        assert!(page.contains("embedded, zookeeper:3.9.5"), "{page}");
        assert!(page.contains("<mark>version=1</mark>"), "{page}");
        // One in each case with columns.
        assert_eq!(page.matches("class=\"d first\"").count(), 4, "{page}");
    }

    #[test]
    fn nothing_in_the_findings_becomes_markup() {
        let page = html(&sample::three_servers()).expect("a page");
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert_eq!(page.matches("</pre>").count(), page.matches("<pre").count());
        assert!(!page.contains("</textarea>"), "{page}");
        let odd = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
        assert!(!page.contains(odd), "{:?}", page.find(odd));
        assert!(
            page.contains("\\x1b[31m\\x00]]&#62;&#38;amp;&#34;&#39;"),
            "{page}"
        );
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = html(&sample::three_servers()).expect("a page");
        for reference in ["http:", "https:", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn the_page_says_that_a_single_server_was_not_compared() {
        let page = html(&sample::alone()).expect("a page");
        assert!(page.contains("No other server was compared"), "{page}");
    }

    #[test]
    fn steps_replies_and_events_are_distinguished() {
        for (line, expected) in [
            ("a: create /x", "s"),
            ("a:   -> ok at z1", "r"),
            ("a:   ! NodeCreated /x", "e"),
            ("  imok", "r"),
            ("pass 2s", "s"),
        ] {
            assert_eq!(kind(line), expected, "{line}");
        }
    }
}
