//! [`Stub`]: a pattern, the answers to what matches it, and how often that is expected.

use super::matching::RequestPattern;
use super::reply::Reply;
use crate::Result;
use crate::base::RequestHandler;
use crate::exchange::Exchange;

impl RequestPattern {
    /// Answers the requests that match: with an [`Answer`](super::Answer), a [`Script`](super::Script), an
    /// [`Action`](super::Action), or a [`Forward`](super::Forward).
    ///
    /// # Panics
    /// If the answer can't be given as it says.
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

    /// Answers the requests that match by this closure. It is given the hooks of a handler and the exchange, as
    /// in [`handler_fn`](crate::handler_fn). It reads the body itself: `rfile` has all of it, even if a
    /// pattern has looked at it before. (`raw` has only the bytes that no pattern has read.)
    pub fn answer_with(
        self,
        play: impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Stub {
        self.answer(Reply::with(play))
    }
}

/// A pattern with its answers; made by [`RequestPattern::answer`].
#[derive(Clone, Debug)]
#[must_use = "a stub does nothing before it is given to `Stubs::on`"]
pub struct Stub {
    pub(super) pattern: RequestPattern,
    /// Answers, and how often each is given.
    replies: Vec<(Reply, Option<usize>)>,
    pub(super) expected: Expected,
    /// It answers before the body has come.
    pub(super) is_early: bool,
}

/// How often it is to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Any,
    Exactly(usize),
    AtLeast(usize),
}

impl Stub {
    /// Answers the next request that matches with this. Every answer is given once and the last one is
    /// repeated, unless [`times`](Self::times) says otherwise.
    ///
    /// # Panics
    /// If the answer can't be given as it says.
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

    /// Answers the next request that matches by this closure.
    pub fn then_with(
        self,
        play: impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.then(Reply::with(play))
    }

    /// Repeats the preceding answer this many times. If it is the last answer, the stub is used up then, and
    /// matches no further request. [`Stubs`](super::Stubs) reject a stub that never answers.
    pub fn times(mut self, times: usize) -> Self {
        if let Some((_, own)) = self.replies.last_mut() {
            *own = Some(times);
        }
        self
    }

    /// Expects exactly this many requests; the test fails otherwise when the server is dropped or
    /// [verified](super::TestServer::verify). [`Stubs`](super::Stubs) reject a stub that is used up earlier.
    pub fn expect(mut self, count: usize) -> Self {
        self.expected = Expected::Exactly(count);
        self
    }

    /// Expects at least this many requests; see [`expect`](Self::expect).
    pub fn expect_at_least(mut self, count: usize) -> Self {
        self.expected = Expected::AtLeast(count);
        self
    }

    /// Expects no such request.
    pub fn expect_none(self) -> Self {
        self.expect(0)
    }

    /// Answers as soon as the head of the request is complete, and leaves the body unread. So its pattern sees
    /// an empty body, and [`Stubs`](super::Stubs) reject a pattern that asks for a body. (If a stub before it
    /// has to see the body, this one is tried when the body has arrived.)
    pub fn early(mut self) -> Self {
        self.is_early = true;
        self
    }

    /// The answer to the request that comes after `before` others; `None` when it is used up.
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

    /// As many requests as it answers.
    pub(super) fn capacity(&self) -> Option<usize> {
        let mut times = self.replies.iter().map(|(_, times)| *times);
        times.try_fold(0_usize, |sum, times| Some(sum.saturating_add(times?)))
    }

    /// Why it can't do what it is asked for.
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

/// So many requests, in words.
pub(super) fn plural(count: usize) -> String {
    match count {
        1 => "1 request".into(),
        count => format!("{count} requests"),
    }
}
