//! [`Reply`]: any answer of a stub.

use std::fmt;
use std::sync::Arc;

use super::answer::Answer;
use super::script::{Action, Script};
use super::streamed::Streamed;
use crate::Result;
use crate::base::RequestHandler;
use crate::exchange::Exchange;

impl From<Script> for Reply {
    fn from(script: Script) -> Self {
        Reply(Kind::Script(Arc::new(script)))
    }
}

impl From<Action> for Reply {
    fn from(act: Action) -> Self {
        Script::from(act).into()
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Reply(Kind::Answer(Arc::new(answer)))
    }
}

impl From<Streamed> for Reply {
    fn from(streamed: Streamed) -> Self {
        Reply(Kind::Streamed(Arc::new(streamed)))
    }
}

type Play = dyn Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync;

/// Any answer of a [`Stub`](super::Stub): an [`Answer`], a [`Script`], an [`Action`], a [`Streamed`], a
/// [`Forward`](super::Forward), or a closure ([`answer_with`](super::RequestPattern::answer_with)).
///
/// ```
/// use servette::testing::{Reply, Stubs, TestServer, get, reset, status};
///
/// let replies: [Reply; 2] = [status(503).into(), reset().into()];
/// let [first, second] = replies;
/// let server = TestServer::start(Stubs::new().on(get("/").answer(first).then(second)));
/// assert!(matches!(ureq::get(server.url("/")).call(), Err(ureq::Error::StatusCode(503))));
/// ```
// Cloned for each request, so large bodies are shared.
#[derive(Clone)]
pub struct Reply(Kind);

#[derive(Clone)]
enum Kind {
    Answer(Arc<Answer>),
    Script(Arc<Script>),
    Streamed(Arc<Streamed>),
    With(Arc<Play>),
}

impl Reply {
    pub(super) fn with(
        play: impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Reply(Kind::With(Arc::new(play)))
    }

    pub(super) fn play(&self, h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
        match &self.0 {
            Kind::Answer(answer) => answer.play(x),
            Kind::Script(script) => script.play(x),
            Kind::Streamed(streamed) => streamed.play(x),
            Kind::With(play) => play(h, x),
        }
    }

    pub(super) fn known_impossible(&self) -> Option<String> {
        match &self.0 {
            Kind::Answer(answer) => answer.known_impossible(),
            Kind::Script(script) => script.impossible(),
            Kind::Streamed(streamed) => streamed.impossible(),
            Kind::With(_) => None,
        }
    }

    /// Whether the answer is a closure, which reads the body of the request itself.
    pub(super) fn runs_code(&self) -> bool {
        matches!(self.0, Kind::With(_))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Answer(answer) => answer.fmt(f),
            Kind::Script(script) => script.fmt(f),
            Kind::Streamed(streamed) => streamed.fmt(f),
            Kind::With(_) => f.write_str("closure"),
        }
    }
}
