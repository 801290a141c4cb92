//! [`Stub`]: a pattern, its answers, and the expected number of requests.

use super::matching::RequestPattern;
use super::reply::Reply;
use crate::Result;
use crate::base::RequestHandler;
use crate::exchange::Exchange;

impl RequestPattern {
    /// Answers matching requests: with an [`Answer`](super::Answer), a [`Script`](super::Script), an
    /// [`Action`](super::Action), a [`Streamed`](super::Streamed), or a [`Forward`](super::Forward).
    ///
    /// # Panics
    /// If the answer can't be sent.
    #[track_caller]
    pub fn answer(self, reply: impl Into<Reply>) -> Stub {
        Stub {
            pattern: self,
            replies: Vec::new(),
            expected: Expected::Any,
            is_early: false,
        }
        .then(reply)
    }

    /// Answers matching requests by a closure: a dynamic response. The closure has the arguments of
    /// [`handler_fn`](crate::handler_fn): the handler itself, which most closures ignore, and the exchange.
    ///
    /// The closure reads the body of the request itself. [`rfile`](crate::Exchange::rfile) has the whole body,
    /// even if a pattern has read it before; [`raw_stream`](crate::Exchange::raw_stream) has only the bytes that
    /// no pattern has read.
    ///
    /// ```
    /// use servette::Status;
    /// use servette::testing::{Stubs, get, respond};
    ///
    /// let echo = get("/*").answer_with(|_, x| {
    ///     x.send_content(Status::OK, "text/plain", x.path.as_bytes())
    /// });
    /// let transcript = respond(&Stubs::new().on(echo), "GET /spam HTTP/1.0\r\n\r\n");
    /// assert_eq!(transcript.response().text(), "/spam");
    /// ```
    pub fn answer_with(
        self,
        play: impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Stub {
        self.answer(Reply::with(play))
    }
}

/// A pattern with its answers: made by [`RequestPattern::answer`].
///
/// ```
/// use servette::testing::{Stub, Stubs, TestServer, get, status};
///
/// let stub: Stub = get("/data").answer(status(503)).times(2).then(status(200)).expect(3);
/// let server = TestServer::start(Stubs::new().on(stub));
/// let get = || ureq::get(server.url("/data")).call().is_ok();
/// assert_eq!([get(), get(), get()], [false, false, true]);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a stub does nothing before it is given to `Stubs::on`"]
pub struct Stub {
    pub(super) pattern: RequestPattern,
    /// Answers, each with its number of repetitions; `None` is for ever.
    replies: Vec<(Reply, Option<usize>)>,
    pub(super) expected: Expected,
    /// Whether it answers before the body has arrived.
    pub(super) is_early: bool,
}

/// The expected number of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Any,
    Exactly(usize),
    AtLeast(usize),
}

impl Stub {
    /// Answers the next matching request with this. By default each answer is given once, and the last one is
    /// repeated without end: see [`times`](Self::times).
    ///
    /// # Panics
    /// If the answer can't be sent.
    #[track_caller]
    #[allow(clippy::panic)] // A test that asks for what can't be should stop where it asks.
    pub fn then(mut self, reply: impl Into<Reply>) -> Self {
        let reply = reply.into();
        if let Some(why) = reply.known_impossible() {
            panic!("stub `{}`: {why}", self.pattern);
        }
        if let Some((_, times)) = self.replies.last_mut() {
            times.get_or_insert(1);
        }
        self.replies.push((reply, None));
        self
    }

    /// Answers the next matching request by this closure: see [`answer_with`](RequestPattern::answer_with).
    pub fn then_with(
        self,
        play: impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.then(Reply::with(play))
    }

    /// Gives the preceding answer this many times. If it is the last answer of the stub, the stub is used up
    /// after that, and matches no further request. [`Stubs`](super::Stubs) reject a stub that never answers.
    pub fn times(mut self, times: usize) -> Self {
        if let Some((_, own)) = self.replies.last_mut() {
            *own = Some(times);
        }
        self
    }

    /// Expects exactly this many requests; otherwise the test fails when the server is dropped or
    /// [verified](super::TestServer::verify). [`Stubs`](super::Stubs) reject a stub that expects more requests
    /// than it answers. Default: any number.
    pub fn expect(mut self, count: usize) -> Self {
        self.expected = Expected::Exactly(count);
        self
    }

    /// Expects at least this many requests: see [`expect`](Self::expect).
    pub fn expect_at_least(mut self, count: usize) -> Self {
        self.expected = Expected::AtLeast(count);
        self
    }

    /// Expects no matching request: see [`expect`](Self::expect).
    pub fn expect_none(self) -> Self {
        self.expect(0)
    }

    /// Answers as soon as the head of the request is complete, without reading the body. Its pattern sees an
    /// empty body, so [`Stubs`](super::Stubs) reject a pattern with a condition on the body. (If an earlier
    /// stub has to see the body, this stub is tried when the body has arrived.)
    pub fn early(mut self) -> Self {
        self.is_early = true;
        self
    }

    /// The answer to the request after `before` others; `None` if the stub is used up.
    pub(super) fn reply(&self, before: usize) -> Option<&Reply> {
        let mut left = before;
        for (reply, times) in &self.replies {
            match *times {
                Some(times) if left >= times => left -= times,
                _ => return Some(reply),
            }
        }
        None
    }

    /// Number of requests that the stub answers; `None` is any number.
    pub(super) fn capacity(&self) -> Option<usize> {
        let mut times = self.replies.iter().map(|(_, times)| *times);
        times.try_fold(0_usize, |sum, times| Some(sum.saturating_add(times?)))
    }

    /// The reason why the stub contradicts itself.
    pub(super) fn impossible(&self) -> Option<String> {
        if let (true, Some(condition)) = (self.is_early, self.pattern.body_condition()) {
            return Some(format!(
                "it answers early, before the body is read, so no request matches `{condition}`"
            ));
        }
        let capacity = self.capacity()?;
        if capacity == 0 {
            let why = "it never answers (`times(0)`); to expect no request, use `expect_none`";
            return Some(why.into());
        }
        let expected = match self.expected {
            Expected::Exactly(count) | Expected::AtLeast(count) => count,
            Expected::Any => 0,
        };
        (expected > capacity).then(|| {
            let expected = plural(expected);
            format!("it expects {expected}, but is used up after {capacity}")
        })
    }
}

/// A number of requests as text.
pub(super) fn plural(count: usize) -> String {
    match count {
        1 => "1 request".into(),
        count => format!("{count} requests"),
    }
}
