//! Small findings for tests, with every result and with text that looks like markup.

use crate::judge::{
    Absent, CaseFindings, ChapterFindings, Comparison, ComparisonSummary, Explained, FORMAT,
    Findings, Play, Stale, Trouble,
};

/// A path that would run in a page, colour a terminal, and end a CDATA section.
pub(crate) const HOSTILE: &str =
    "/<script>alert(1)</script>\x1b[31m\0]]>&amp;\"'\u{202e}</pre></textarea>";

fn play(lines: &[&str]) -> Play {
    Play {
        lines: lines.iter().map(|&line| line.to_owned()).collect(),
        trouble: None,
        took_ms: 12,
    }
}

fn trouble(trouble: Trouble) -> Play {
    Play {
        lines: Vec::new(),
        trouble: Some(trouble),
        took_ms: 0,
    }
}

fn case(id: &str, title: &str, plays: Vec<Play>, results: Vec<ComparisonSummary>) -> CaseFindings {
    CaseFindings {
        id: id.to_owned(),
        title: title.to_owned(),
        script: Some(format!("a: create /x \"{id}\"\n")),
        plays,
        comparisons: (1..)
            .zip(results)
            .map(|(right, result)| Comparison {
                left: 0,
                right,
                result,
            })
            .collect(),
    }
}

fn chapter(name: &str, title: &str, cases: Vec<CaseFindings>) -> ChapterFindings {
    ChapterFindings {
        name: name.to_owned(),
        title: title.to_owned(),
        cases,
    }
}

// Longer than 60 lines: one literal value.
/// Three servers and every result.
pub(crate) fn three_servers() -> Findings {
    let step = "a: create /x";
    let ours = play(&[step, "a:   -> ok at z1 /x", "b:   ! NodeCreated /x at z1"]);
    let older = play(&[step, "a:   -> ok at z1 /x version=1"]);
    let hostile = play(&[HOSTILE, step]);
    let other = play(&[HOSTILE, "a: create /y"]);
    let needs = "needs ZooKeeper 3.9";
    let broke = "waited 20 s in vain: a reply";
    Findings {
        format: FORMAT,
        started: Some("2026-01-31T12:00:00Z".to_owned()),
        servers: ["embedded", "zookeeper:3.9.5", "zookeeper:3.8.5"]
            .map(str::to_owned)
            .to_vec(),
        absent: vec![Absent {
            server: "zookeeper:3.4.14".to_owned(),
            why: "java is not installed".to_owned(),
        }],
        stale: vec![Stale {
            id: "old-order".to_owned(),
            left: "embedded".to_owned(),
            right: "zookeeper:3.8.5".to_owned(),
        }],
        explained: vec![Explained {
            id: "multi-order".to_owned(),
            title: "A multi is looked at in another order".to_owned(),
            does: "The last operation first.".to_owned(),
            others: "The first first.".to_owned(),
            why: "<script>why</script>".to_owned(),
        }],
        played_again: vec!["container/29".to_owned()],
        chapters: vec![
            chapter(
                "watch",
                "Watches",
                vec![
                    case(
                        "watch/1",
                        "a watch fires",
                        vec![ours.clone(), ours.clone(), older],
                        vec![ComparisonSummary::Same, ComparisonSummary::Different],
                    ),
                    case(
                        "watch/2",
                        HOSTILE,
                        vec![hostile.clone(), other.clone(), hostile],
                        vec![ComparisonSummary::Different, ComparisonSummary::Same],
                    ),
                ],
            ),
            chapter(
                "multi",
                "Multi & <more>",
                vec![
                    case(
                        "multi/1",
                        "one fails, all fail",
                        vec![
                            ours.clone(),
                            other,
                            trouble(Trouble::Skipped(needs.to_owned())),
                        ],
                        vec![
                            ComparisonSummary::Known(vec!["multi-order".to_owned()]),
                            ComparisonSummary::Skipped(needs.to_owned()),
                        ],
                    ),
                    case(
                        "multi/2",
                        "an answer never comes",
                        vec![
                            ours.clone(),
                            trouble(Trouble::Failed(broke.to_owned())),
                            ours,
                        ],
                        vec![
                            ComparisonSummary::Failed(broke.to_owned()),
                            ComparisonSummary::Same,
                        ],
                    ),
                ],
            ),
        ],
        took_ms: 83_400,
    }
}

/// One server without another to compare with.
pub(crate) fn alone() -> Findings {
    let ours = play(&["a: create /x", "a:   -> ok at z1 /x"]);
    Findings {
        format: FORMAT,
        servers: vec!["embedded".to_owned()],
        absent: vec![Absent {
            server: "zookeeper:3.9.5".to_owned(),
            why: "java is not installed".to_owned(),
        }],
        chapters: vec![chapter(
            "watch",
            "Watches",
            vec![
                case("watch/1", "a watch fires", vec![ours.clone()], vec![]),
                case("watch/2", "another fires", vec![ours], vec![]),
            ],
        )],
        took_ms: 40,
        ..Findings::default()
    }
}
