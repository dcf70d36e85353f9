//! Cases, grouped in chapters. The number of a case never changes.

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

/// Id of a case: `watch/17`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseId {
    /// Name of the chapter.
    pub chapter: String,
    /// Number within the chapter.
    pub number: u32,
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.chapter, self.number))
    }
}

/// A future that does not have to be `Send`.
pub type Playing<'a> = Pin<Box<dyn Future<Output = Result<(), StageError>> + 'a>>;

/// A case written in Rust, for behaviour that a script cannot express, such as that of an unmodified client
/// library.
pub trait Scenario: Send + Sync {
    /// Runs the scenario. Everything that it records on the stage is compared.
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
///         // The result is recorded and compared: `a: creates -> ok czxid=z1 ...`, `b: creates -> NodeExists`.
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

/// A case.
#[derive(Clone)]
pub struct Case {
    /// Id of the case.
    pub id: CaseId,
    /// The fact that the case shows.
    pub title: String,
    /// Requirements of the case.
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
    /// Name, which is the first half of the ids of its cases.
    pub name: String,
    /// Subject of the chapter, in one line.
    pub title: String,
    /// Subject of the chapter, in a few sentences.
    pub about: String,
    /// Cases of the chapter, by number.
    pub cases: Vec<Case>,
}

/// A list of chapters.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The chapters, in order.
    pub chapters: Vec<Chapter>,
    excluded: Vec<CaseId>,
}

impl Suite {
    /// Creates a suite without cases.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the built-in suite.
    ///
    /// # Panics
    ///
    /// Panics if the file of a chapter is invalid; a test reads them all.
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

    /// Returns every case, in order.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.chapters.iter().flat_map(|chapter| &chapter.cases)
    }

    /// Returns the ids of the cases that the selection removed.
    pub fn excluded(&self) -> impl Iterator<Item = &CaseId> {
        self.excluded.iter()
    }

    /// Returns the suite with only the cases for which `wanted` returns `true`.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Case) -> bool) -> Self {
        for chapter in &mut self.chapters {
            for case in chapter.cases.extract_if(.., |case| !wanted(case)) {
                self.excluded.push(case.id);
            }
        }
        self.chapters.retain(|chapter| !chapter.cases.is_empty());
        self
    }
}

impl Chapter {
    /// Creates a chapter without cases.
    #[must_use]
    pub fn new(name: &str, title: &str, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            about: about.to_owned(),
            cases: Vec::new(),
        }
    }

    /// Parses a file of scripts; see [`crate::script`].
    ///
    /// # Errors
    ///
    /// Returns an error if a line is invalid.
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

    /// Adds a case written in Rust without requirements.
    ///
    /// # Panics
    ///
    /// Panics if the number is not higher than that of the case before.
    #[must_use]
    pub fn case(self, number: u32, title: &str, scenario: impl Scenario + 'static) -> Self {
        self.scenario(number, title, Headers::default(), scenario)
    }

    /// Adds a case written in Rust.
    ///
    /// # Panics
    ///
    /// Panics if the number is not higher than that of the case before.
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
            "{}/{number} follows a case with the same or a higher number",
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
    /// Returns the configuration of the case's server.
    #[must_use]
    pub fn server(&self) -> ServerSetup {
        self.headers.server
    }

    /// Returns the first version that can run the case, if this version cannot.
    #[must_use]
    pub fn too_new_for(&self, version: &Version) -> Option<&Version> {
        self.headers.since.as_ref().filter(|since| version < *since)
    }

    /// Returns the total time that the case lets pass on a server whose clock cannot be advanced.
    #[must_use]
    pub fn waits(&self) -> Duration {
        let steps = self.script().map_or(&[][..], |script| &script.steps);
        steps
            .iter()
            .map(|step| match step {
                Step::Pass(span) => *span,
                Step::Restart => Duration::from_secs(2),
                Step::Act { .. } | Step::FourLetterWord(_) | Step::Http(_) => Duration::ZERO,
            })
            .sum()
    }

    /// Whether the result depends on the speed of the machine if the clock cannot be advanced.
    #[must_use]
    pub fn depends_on_real_time(&self) -> bool {
        self.script().is_none() || self.headers.restart || !self.waits().is_zero()
    }

    /// Returns the text of the case, if it is a script.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        match &self.body {
            Body::Script(script) => Some(script),
            Body::Scenario(_) => None,
        }
    }

    /// Runs the case on a suitable stage.
    ///
    /// # Errors
    ///
    /// Returns an error if the server stops answering.
    pub async fn play(&self, stage: &mut Stage<'_>) -> Result<(), StageError> {
        match &self.body {
            Body::Script(script) => stage.play(script).await,
            Body::Scenario(scenario) => {
                // A client may wait forever for a lost answer, so the scenario as a whole has a time limit.
                let span = stage.patience() * 3;
                let what = "the end of the scenario";
                patience::within_span(span, what, catch_panic(scenario.play(stage))).await?
            }
        }
    }
}

/// Runs a scenario and converts a panic into a failure, so that later cases still run. A client library may
/// panic on unexpected answers, and a scenario may assert.
/// errs, and a scenario may assert.
async fn catch_panic(mut playing: Playing<'_>) -> Result<(), StageError> {
    let played = std::future::poll_fn(|context| {
        let polled = AssertUnwindSafe(|| playing.as_mut().poll(context));
        match catch_unwind(polled) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Err(StageError::Senseless(
                "the scenario panicked".to_owned(),
            ))),
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
    fn built_in_cases_have_distinct_ids_and_a_title() {
        let suite = Suite::builtin();
        let mut seen = HashSet::new();
        for case in suite.cases() {
            assert!(seen.insert(case.id.clone()), "{}", case.id);
            assert!(!case.title.is_empty(), "{}", case.id);
        }
    }
}
