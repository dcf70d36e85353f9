//! The cases, in chapters, each with a number that never changes.

mod builtin;
mod pattern;

pub use pattern::{BadPattern, NoSuchCase, Pattern};

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use semver::Version;

use crate::backend::ServerSetup;
use crate::patience;
use crate::script::{ChapterText, Headers, Script, ScriptError, Step};
use crate::stage::{Stage, StageError};

/// What a case is known by: `watch/17`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseId {
    /// The chapter's name.
    pub chapter: String,
    /// The number in it.
    pub number: u32,
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.chapter, self.number))
    }
}

/// A future that need not leave its thread.
pub type Playing<'a> = Pin<Box<dyn Future<Output = Result<(), StageError>> + 'a>>;

/// A case written in Rust: whatever a script cannot say, such as what an unmodified client makes of a server.
pub trait Scenario: Send + Sync {
    /// Plays it. What is noted on the stage is compared.
    fn play<'a>(&'a self, stage: &'a mut Stage<'_>) -> Playing<'a>;
}

/// An `async fn` is a scenario:
///
/// ```
/// use minikeeper_harness::stage::{Stage, StageError};
/// use minikeeper_harness::suite::Chapter;
/// use zookeeper_client::{Acls, CreateMode};
///
/// async fn a_znode_is_made_once(stage: &mut Stage<'_>) -> Result<(), StageError> {
///     let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
///     for name in ["a", "b"] {
///         let user = stage.user(name).await?;
///         // What it sees is noted, and so compared: `a: creates -> ok czxid=z1 ...`, `b: creates -> NodeExists`.
///         let _ = stage.note(&user, "creates", user.create("/x", b"", &options).await);
///     }
///     Ok(())
/// }
///
/// let chapter = Chapter::new("mine", "My own cases", "What I rely on.")
///     .case(1, "a znode is made once", a_znode_is_made_once);
/// ```
impl<F> Scenario for F
where
    F: AsyncFn(&mut Stage<'_>) -> Result<(), StageError> + Send + Sync,
{
    fn play<'a>(&'a self, stage: &'a mut Stage<'_>) -> Playing<'a> {
        Box::pin(self(stage))
    }
}

/// One case.
#[derive(Clone)]
pub struct Case {
    /// What it is known by.
    pub id: CaseId,
    /// What it shows.
    pub title: String,
    /// What it needs.
    pub headers: Headers,
    body: Body,
}

#[derive(Clone)]
enum Body {
    Script(Arc<Script>),
    Scenario(Arc<dyn Scenario>),
}

/// A chapter.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// The first half of its cases' ids.
    pub name: String,
    /// What it is about, in a line.
    pub title: String,
    /// What it is about, in a few sentences.
    pub about: String,
    /// Its cases, by number.
    pub cases: Vec<Case>,
}

/// Chapters in order.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The chapters.
    pub chapters: Vec<Chapter>,
    left_out: Vec<CaseId>,
}

impl Suite {
    /// A suite without cases.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every case that comes with the harness.
    ///
    /// # Panics
    ///
    /// If a chapter's file is no chapter; a test reads them all.
    #[must_use]
    pub fn builtin() -> Self {
        builtin::suite()
    }

    /// Adds a chapter.
    #[must_use]
    pub fn with(mut self, chapter: Chapter) -> Self {
        self.chapters.push(chapter);
        self
    }

    /// Every case, in order.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.chapters.iter().flat_map(|chapter| &chapter.cases)
    }

    /// The cases that it had before it was narrowed.
    pub fn left_out(&self) -> impl Iterator<Item = &CaseId> {
        self.left_out.iter()
    }

    /// The suite with only the cases that `wanted` says.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Case) -> bool) -> Self {
        for chapter in &mut self.chapters {
            for case in chapter.cases.extract_if(.., |case| !wanted(case)) {
                self.left_out.push(case.id);
            }
        }
        self.chapters.retain(|chapter| !chapter.cases.is_empty());
        self
    }
}

impl Chapter {
    /// A chapter without cases.
    #[must_use]
    pub fn new(name: &str, title: &str, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            about: about.to_owned(),
            cases: Vec::new(),
        }
    }

    /// Reads a file of scripts; see [`crate::script`].
    ///
    /// # Errors
    ///
    /// If a line makes no sense.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        let ChapterText {
            title,
            about,
            cases,
        } = ChapterText::parse(text)?;
        let mut chapter = Self::new(name, &title, &about);
        for (number, script) in cases {
            chapter.cases.push(Case {
                id: chapter.id(number),
                title: script.title.clone(),
                headers: Headers {
                    since: script.since(),
                    ..script.headers.clone()
                },
                body: Body::Script(Arc::new(script)),
            });
        }
        Ok(chapter)
    }

    /// Adds a case written in Rust that needs nothing but a server.
    ///
    /// # Panics
    ///
    /// If the number is not higher than that of the case before.
    #[must_use]
    pub fn case(self, number: u32, title: &str, scenario: impl Scenario + 'static) -> Self {
        self.scenario(number, title, Headers::default(), scenario)
    }

    /// Adds a case written in Rust.
    ///
    /// # Panics
    ///
    /// If the number is not higher than that of the case before.
    #[must_use]
    pub fn scenario(
        mut self,
        number: u32,
        title: &str,
        headers: Headers,
        scenario: impl Scenario + 'static,
    ) -> Self {
        assert!(
            self.cases.last().is_none_or(|last| last.id.number < number),
            "{}/{number} comes after a higher number",
            self.name
        );
        self.cases.push(Case {
            id: self.id(number),
            title: title.to_owned(),
            headers,
            body: Body::Scenario(Arc::new(scenario)),
        });
        self
    }

    fn id(&self, number: u32) -> CaseId {
        CaseId {
            chapter: self.name.clone(),
            number,
        }
    }
}

impl Case {
    /// How its server is set up.
    #[must_use]
    pub fn server(&self) -> ServerSetup {
        self.headers.server
    }

    /// The first version that can play it, if this one cannot.
    #[must_use]
    pub fn too_new_for(&self, version: &Version) -> Option<&Version> {
        self.headers.since.as_ref().filter(|since| version < *since)
    }

    /// How long it lets time pass altogether, where the clock cannot be turned.
    #[must_use]
    pub fn waits(&self) -> Duration {
        let steps = self.script().map_or(&[][..], |script| &script.steps);
        steps
            .iter()
            .map(|step| match step {
                Step::Pass(span) => *span,
                Step::Restart => Duration::from_secs(2),
                Step::Act { .. } | Step::FourLetterWord(_) => Duration::ZERO,
            })
            .sum()
    }

    /// Whether what it shows hangs on how fast the machine is, where the clock cannot be turned.
    #[must_use]
    pub fn hangs_on_real_time(&self) -> bool {
        self.script().is_none() || self.headers.restart || !self.waits().is_zero()
    }

    /// Its text, if it is a script.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        match &self.body {
            Body::Script(script) => Some(script),
            Body::Scenario(_) => None,
        }
    }

    /// Plays it on a stage that suits it.
    ///
    /// # Errors
    ///
    /// If the server stops answering.
    pub async fn play(&self, stage: &mut Stage<'_>) -> Result<(), StageError> {
        match &self.body {
            Body::Script(script) => stage.play(script).await,
            Body::Scenario(scenario) => {
                // A client may wait for ever for an answer that is lost, so the whole has an end.
                let span = stage.patience() * 3;
                let what = "the end of the scenario";
                patience::within_span(span, what, unpanicked(scenario.play(stage))).await?
            }
        }
    }
}

/// A scenario that panics has failed, and the cases after it go on: a client library may be surprised by a server that
/// errs, and a scenario may assert.
async fn unpanicked(mut playing: Playing<'_>) -> Result<(), StageError> {
    let played = std::future::poll_fn(|context| {
        let polled = AssertUnwindSafe(|| playing.as_mut().poll(context));
        match catch_unwind(polled) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Err(StageError::Senseless("it panicked".to_owned()))),
        }
    });
    played.await
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("id", &self.id)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Suite;

    #[test]
    fn no_two_cases_have_one_name() {
        let suite = Suite::builtin();
        let mut seen = HashSet::new();
        for case in suite.cases() {
            assert!(seen.insert(case.id.clone()), "{}", case.id);
            assert!(!case.title.is_empty(), "{}", case.id);
        }
    }
}
