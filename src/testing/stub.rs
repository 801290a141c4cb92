//! [`Stub`]: a pattern, the answers to what matches it, and how often that is expected.

use super::matching::RequestPattern;
use super::reply::Reply;
use crate::Result;
use crate::base::RequestHandler;
use crate::exchange::Exchange;

impl RequestPattern {
    /// What matches gets this: an [`Answer`](super::Answer), a [`Script`](super::Script) or an
    /// [`Act`](super::Act).
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

    /// What matches is answered by this closure, with the hooks of a handler and the exchange, as
    /// [`handler_fn`](crate::handler_fn) has them. It reads the body itself: `rfile` has all of it, also
    /// where a pattern has looked at it. (`raw` has only what was not read then.)
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
    /// The next time this. Every answer is given once and the last one for ever, unless
    /// [`times`](Self::times) says otherwise.
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

    /// The next time this closure.
    pub fn then_with(
        self,
        play: impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.then(Reply::with(play))
    }

    /// The answer before is given so many times. After the last answer's times the stub is used up: it
    /// matches nothing any more. [`Stubs`](super::Stubs) refuse a stub that never answers.
    pub fn times(mut self, times: usize) -> Self {
        if let Some((_, own)) = self.replies.last_mut() {
            *own = Some(times);
        }
        self
    }

    /// Exactly so many requests are expected. [`Stubs`](super::Stubs) refuse it where the stub is used up
    /// before.
    pub fn expect(mut self, count: usize) -> Self {
        self.expected = Expected::Exactly(count);
        self
    }

    /// At least so many requests are expected; see [`expect`](Self::expect).
    pub fn expect_at_least(mut self, count: usize) -> Self {
        self.expected = Expected::AtLeast(count);
        self
    }

    /// No such request is expected.
    pub fn expect_none(self) -> Self {
        self.expect(0)
    }

    /// Answers as soon as the head is there, and leaves the body unread. So its pattern sees an empty
    /// body, and [`Stubs`](super::Stubs) refuse one that asks for a body. (Behind a stub that has to see
    /// the body, its turn comes when that is there.)
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
                "it answers early, before there is a body, so no request has `{condition}`"
            ));
        }
        let capacity = self.capacity()?;
        if capacity == 0 {
            let why =
                "it never answers (`times(0)`); `expect_none` says that no request is expected";
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
