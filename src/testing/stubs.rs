//! [`Stubs`]: a handler made of stubs, with expectations.

use std::fmt;
use std::io::{BufRead, Read};
use std::sync::{Arc, Mutex};

use super::answer::status;
use super::reply::Reply;
use super::report;
use super::request::Request;
use super::stub::{Expected, Stub, plural};
use super::tap::fixture_of;
use super::unmatched::{Nearest, Unmatched};
use crate::base::RequestHandler;
use crate::exchange::Exchange;
use crate::shutdown::lock;
use crate::{Result, Status};

/// Number of bytes of a body that a pattern sees, unless the fixture records more.
const MOST_BODY: u64 = 16 << 20;

/// A handler made of stubs. Each [`Stub`] is a pattern with its answers. A request is answered by the first stub
/// that matches it and is not used up.
///
/// If no stub matches, the answer is 404, or 501 if no stub has the method; its text lists the stubs. Clones
/// share their stubs.
///
/// A [`TestServer`](super::TestServer) that was [started](super::TestServer::start) with stubs checks their
/// expectations when it is dropped. In [`scope`](super::TestServer::scope), and when another handler contains
/// the stubs, use [`TestServerBuilder::verify`](super::TestServerBuilder::verify) or [`verify`](Self::verify).
///
/// ```
/// use servette::testing::{Stubs, get, post, respond, status};
///
/// let stubs = Stubs::new()
///     .on(get("/users/*").answer(status(200).body("{}")))
///     .on(post("/users").header("Content-Type", "application/json").answer(status(201)).expect(1));
///
/// let transcript = respond(&stubs, "GET /users/7 HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert_eq!((transcript.response().status, &*transcript.response().text()), (200, "{}"));
/// let transcript = respond(&stubs, "GET /user HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert_eq!(transcript.response().status, 404);
/// let panic = std::panic::catch_unwind(|| stubs.verify()).unwrap_err();
/// let message = panic.downcast_ref::<String>().unwrap();
/// assert!(message.contains("expected exactly 1 request, got 0"), "{message}");
/// ```
#[derive(Clone, Default)]
pub struct Stubs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Stubs, each with the number of requests that it has answered. Stubs are never removed.
    stubs: Vec<(Arc<Stub>, usize)>,
    unmatched: Unmatched,
    is_strict: bool,
}

/// The result of the check at the end of a test.
pub(super) struct Findings {
    /// Expectations that are not met.
    pub(super) problems: Vec<String>,
    /// A message about unmatched requests, if they are not a problem and no problem names them.
    pub(super) note: Option<String>,
}

impl Stubs {
    /// Creates an empty list of stubs.
    pub fn new() -> Self {
        Stubs::default()
    }

    /// Adds a stub at the end of the list.
    ///
    /// # Panics
    /// If the stub can never match, because an earlier stub matches the same requests and is never used up. If
    /// the stub contradicts itself: it never answers, expects more requests than it answers, or answers early
    /// but has a condition on the body.
    #[track_caller]
    pub fn on(self, stub: Stub) -> Self {
        self.add(stub);
        self
    }

    /// Adds a stub at the end of the list, also while the server runs.
    ///
    /// # Panics
    /// As [`on`](Self::on).
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn add(&self, stub: Stub) {
        if let Some(why) = stub.impossible() {
            panic!("stub `{}`: {why}", stub.pattern);
        }
        let mut state = lock(&self.0);
        let covering = state.stubs.iter().find(|(before, _)| {
            before.capacity().is_none() && before.pattern.covers(&stub.pattern)
        });
        if let Some((before, _)) = covering {
            let before = before.pattern.to_string();
            drop(state);
            panic!(
                "stub `{}` can never match: `{before}` stands before it, matches the same, and is \
                 never used up",
                stub.pattern
            );
        }
        state.stubs.push((Arc::new(stub), 0));
    }

    /// Makes the test fail if no stub matches a request. By default such a request only gets 404 or 501.
    pub fn strict(self) -> Self {
        lock(&self.0).is_strict = true;
        self
    }

    /// Returns the requests that no stub matched: the first hundred, with at most 64 KiB of each body.
    pub fn unmatched(&self) -> Vec<Request> {
        lock(&self.0).unmatched.requests()
    }

    /// Checks the expectations of the stubs. A [`TestServer`](super::TestServer) that was started with them
    /// does this itself.
    ///
    /// # Panics
    /// If an expectation is not met. If the thread is already panicking, the message is printed to stderr
    /// instead.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn verify(&self) {
        let unmatched = self.unmatched();
        let problems = self.findings(&|| unmatched.clone()).problems;
        if problems.is_empty() {
            return;
        }
        let mut text = problems.join("\n");
        if !unmatched.is_empty() {
            text.push_str("\nRequests that no stub matched:");
            text.push_str(&report::list(&unmatched));
        }
        match std::thread::panicking() {
            true => report::say(&text),
            false => panic!("{text}"),
        }
    }

    /// Whether it is a clone of the other.
    pub(super) fn is(&self, other: &Stubs) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Checks the expectations; `requests` returns the requests that may explain a failure.
    pub(super) fn findings(&self, requests: &dyn Fn() -> Vec<Request>) -> Findings {
        let mut problems = Vec::new();
        let mut told = Vec::new();
        for (stub, count) in self.stubs() {
            let (expected, is_met) = match stub.expected {
                Expected::Any => continue,
                Expected::Exactly(0) => ("no request".to_owned(), count == 0),
                Expected::Exactly(n) => (format!("exactly {}", plural(n)), count == n),
                Expected::AtLeast(n) => (format!("at least {}", plural(n)), count >= n),
            };
            if is_met {
                continue;
            }
            let is_too_few = !matches!(stub.expected, Expected::Exactly(n) if count > n);
            let (why, miss) = report::explain(&stub.pattern, &requests(), is_too_few);
            told.extend(miss.map(|miss| (miss.requestline, stub.pattern.to_string(), miss.why)));
            problems.push(format!(
                "stub `{}`: expected {expected}, got {count}{why}",
                stub.pattern
            ));
        }
        let state = lock(&self.0);
        let mut note = None;
        if state.is_strict && !state.unmatched.is_empty() {
            problems.push(state.unmatched.describe(&told));
        } else if !state.unmatched.is_told(&told) {
            note = Some(state.unmatched.describe(&told));
        }
        Findings { problems, note }
    }

    /// The stubs of now. Patterns run code of the test, which may ask these stubs: so they are asked
    /// without the lock.
    fn stubs(&self) -> Vec<(Arc<Stub>, usize)> {
        lock(&self.0).stubs.clone()
    }

    /// Chooses the first stub that matches, and counts the request.
    fn choose(&self, request: &Request, has_body: bool) -> Choice {
        for index in 0.. {
            let next = lock(&self.0).stubs.get(index).cloned();
            let Some((stub, count)) = next else { break };
            if stub.reply(count).is_none() {
                continue;
            }
            if has_body || stub.is_early || !stub.pattern.needs_body() {
                if stub.pattern.matches(request)
                    && let Some(reply) = self.count(index)
                {
                    let reads = stub.is_early || reply.runs_code();
                    return Choice::Found(reply, reads);
                }
            } else if stub.pattern.may_match_head(request) {
                return Choice::NeedsBody;
            }
        }
        Choice::None
    }

    /// Counts a matching request. Returns its answer, unless other requests have used up the stub meanwhile.
    fn count(&self, index: usize) -> Option<Reply> {
        let mut state = lock(&self.0);
        let (stub, count) = state.stubs.get_mut(index)?;
        let reply = stub.reply(*count)?.clone();
        *count += 1;
        Some(reply)
    }
}

/// The answer of the stubs to a request.
enum Choice {
    /// This answer; `true` if it reads the body of the request itself.
    Found(Reply, bool),
    NeedsBody,
    None,
}

/// Reads the part of the body that patterns and messages see.
fn look_at_body(x: &mut Exchange<'_>, request: &mut Request) -> Result<()> {
    let kept = fixture_of(x).map_or(0, |shared| shared.bounds.body as u64);
    let most = kept.max(MOST_BODY);
    (&mut x.rfile).take(most).read_to_end(&mut request.body)?;
    let has_more = request.body.len() as u64 == most && !x.rfile.fill_buf()?.is_empty();
    request.is_body_cut = has_more;
    request.is_truncated = has_more;
    Ok(())
}

impl RequestHandler for Stubs {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        let mut request = Request::of(x);
        let mut choice = self.choose(&request, false);
        if !matches!(choice, Choice::Found(..))
            && let Err(error) = look_at_body(x, &mut request)
        {
            if let Choice::None = choice {
                self.note_unmatched(&self.stubs(), request);
            }
            return Err(error);
        }
        if let Choice::NeedsBody = choice {
            choice = self.choose(&request, true);
        }
        match choice {
            Choice::Found(reply, true) => {
                x.rfile.put_back(request.body);
                reply.play(self, x)
            }
            Choice::Found(reply, false) => {
                x.rfile.discard()?;
                reply.play(self, x)
            }
            Choice::NeedsBody | Choice::None => {
                x.rfile.discard()?;
                self.answer_unmatched(x, request)
            }
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

impl Stubs {
    fn answer_unmatched(&self, x: &mut Exchange<'_>, mut request: Request) -> Result<()> {
        let stubs = self.stubs();
        let mut patterns = stubs.iter().map(|(stub, _)| &stub.pattern);
        let code = match patterns.any(|pattern| pattern.knows_method(&request.command)) {
            true => Status::NOT_FOUND,
            false => Status::NOT_IMPLEMENTED,
        };
        let mut text = format!("No stub matches `{}`.\n", request.requestline);
        match stubs.is_empty() {
            true => text.push_str("There are no stubs.\n"),
            false => text.push_str("There are:\n"),
        }
        for (stub, count) in &stubs {
            let used_up = match stub.reply(*count) {
                Some(_) => "",
                None => " (used up)",
            };
            text.push_str(&format!("  {}{used_up}\n", stub.pattern));
        }
        request.is_complete = true;
        self.note_unmatched(&stubs, request);
        if let Some(shared) = fixture_of(x) {
            shared.note_unmatched(format!(
                "no stub matched `{}`, so it got {code}",
                x.requestline
            ));
        }
        let answer = status(code.code()).header("Content-Type", "text/plain;charset=utf-8");
        answer.body(text).play(x)
    }

    fn note_unmatched(&self, stubs: &[(Arc<Stub>, usize)], request: Request) {
        let has_room = !lock(&self.0).unmatched.is_full();
        let nearest = has_room.then(|| Nearest::of(stubs, &request)).flatten();
        lock(&self.0).unmatched.add(request, nearest);
    }
}

impl fmt::Debug for Stubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0);
        f.debug_list()
            .entries(
                state
                    .stubs
                    .iter()
                    .map(|(stub, count)| (stub.pattern.to_string(), count)),
            )
            .finish()
    }
}
