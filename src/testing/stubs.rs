//! [`Stubs`]: canned answers to requests that match, and what is expected of these requests.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex};

use super::answer::status;
use super::reply::Reply;
use super::report;
use super::request::Request;
use super::stub::{Expected, Stub};
use super::tap::fixture_of;
use crate::base::RequestHandler;
use crate::exchange::Exchange;
use crate::shutdown::lock;
use crate::{Result, Status};

/// As much of a body as a pattern gets to see.
const MOST_BODY: u64 = 16 << 20;
/// Unmatched requests that are kept.
const MOST_UNMATCHED: usize = 100;

/// Canned answers as a handler: the first stub that matches a request and is not used up answers it.
///
/// What no stub matches gets a 404, or a 501 where no stub knows the method, whose text names what
/// there is. A [`TestServer`](super::TestServer) that was started with stubs verifies what they expect
/// when it is dropped. Clones share their stubs.
///
/// ```
/// use servette::testing::{Stubs, get, post, respond, status};
///
/// let stubs = Stubs::new()
///     .on(get("/users/*").answer(status(200).body("{}")))
///     .on(post("/users").header("Content-Type", "application/json").answer(status(201)).expect(1));
///
/// let answer = respond(&stubs, "GET /users/7 HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
/// assert!(respond(&stubs, "GET /user HTTP/1.1\r\nHost: x\r\n\r\n").starts_with(b"HTTP/1.1 404 "));
/// let panic = std::panic::catch_unwind(|| stubs.verify()).unwrap_err();
/// let message = panic.downcast_ref::<String>().unwrap();
/// assert!(message.contains("expected exactly 1 request, got 0"), "{message}");
/// ```
#[derive(Clone, Default)]
pub struct Stubs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Stubs, and how many requests each has answered.
    stubs: Vec<(Stub, usize)>,
    unmatched: Vec<Request>,
    unmatched_count: usize,
    is_strict: bool,
    /// Some of them run code of the test.
    runs_code: bool,
}

impl Stubs {
    /// None yet.
    pub fn new() -> Self {
        Stubs::default()
    }

    /// With this one, behind those before.
    ///
    /// # Panics
    /// If it can never match, as one before it matches all that it does and is never used up.
    #[track_caller]
    pub fn on(self, stub: Stub) -> Self {
        self.add(stub);
        self
    }

    /// Adds a stub, also while the server runs.
    ///
    /// # Panics
    /// As [`on`](Self::on).
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn add(&self, stub: Stub) {
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
        state.runs_code |= stub.runs_code();
        state.stubs.push((stub, 0));
    }

    /// Requests that no stub matches make the verification fail.
    pub fn strict(self) -> Self {
        lock(&self.0).is_strict = true;
        self
    }

    /// Requests that no stub matched, the first hundred of them.
    pub fn unmatched(&self) -> Vec<Request> {
        lock(&self.0).unmatched.clone()
    }

    /// Checks what the stubs expect. A [`TestServer`](super::TestServer) that was started with them
    /// does so by itself.
    ///
    /// # Panics
    /// If it is not so. Not if the thread panics already: then the message goes to stderr.
    #[track_caller]
    #[allow(clippy::panic)]
    pub fn verify(&self) {
        let unmatched = self.unmatched();
        let problems = self.problems(&|| unmatched.clone());
        if problems.is_empty() {
            return;
        }
        let text = format!(
            "{}\n{}",
            problems.join("\n"),
            report::arrivals(&unmatched, 0)
        );
        match std::thread::panicking() {
            true => eprintln!("{text}"),
            false => panic!("{text}"),
        }
    }

    /// What is not as it was expected; `requests` tells those that may explain it.
    pub(super) fn problems(&self, requests: &dyn Fn() -> Vec<Request>) -> Vec<String> {
        let state = lock(&self.0);
        let mut problems = Vec::new();
        for (stub, count) in &state.stubs {
            let (expected, is_met) = match stub.expected {
                Expected::Any => continue,
                Expected::Exactly(0) => ("no request".to_owned(), *count == 0),
                Expected::Exactly(n) => (format!("exactly {}", plural(n)), *count == n),
                Expected::AtLeast(n) => (format!("at least {}", plural(n)), *count >= n),
            };
            if is_met {
                continue;
            }
            let mut text = format!("stub `{}`: expected {expected}, got {count}", stub.pattern);
            let too_few = !matches!(stub.expected, Expected::Exactly(n) if *count > n);
            if too_few && let Some(miss) = report::nearest_miss(&stub.pattern, &requests()) {
                text.push_str("\n  ");
                text.push_str(&miss);
            }
            problems.push(text);
        }
        if state.is_strict && state.unmatched_count > 0 {
            problems.push(state.describe_unmatched());
        }
        problems
    }

    /// A word about the requests that no stub matched.
    pub(super) fn unmatched_note(&self) -> Option<String> {
        let state = lock(&self.0);
        (state.unmatched_count > 0 && !state.is_strict).then(|| state.describe_unmatched())
    }

    /// All there is are patterns and canned answers, so far.
    pub(super) fn are_canned(&self) -> bool {
        !lock(&self.0).runs_code
    }

    /// The first stub that matches, counted.
    fn choose(&self, request: &Request, has_body: bool) -> Choice {
        let mut state = lock(&self.0);
        for (stub, count) in &mut state.stubs {
            let Some(reply) = stub.reply(*count) else {
                continue;
            };
            if has_body || stub.is_early || !stub.pattern.needs_body() {
                if stub.pattern.matches(request) {
                    *count += 1;
                    let reads = stub.is_early || reply.runs_code();
                    return Choice::Found(reply.clone(), reads);
                }
            } else if stub.pattern.may_match_head(request) {
                return Choice::NeedsBody;
            }
        }
        Choice::None
    }
}

/// What the stubs say to a request.
enum Choice {
    /// Answer with this, which (true) reads as much of the body as it likes.
    Found(Reply, bool),
    NeedsBody,
    None,
}

impl State {
    fn describe_unmatched(&self) -> String {
        let mut text = match self.unmatched_count {
            1 => "no stub matched this request:".to_owned(),
            count => format!("no stub matched these {count} requests:"),
        };
        for request in self.unmatched.iter().take(10) {
            text.push_str(&format!("\n  `{}`", request.requestline.escape_debug()));
            let patterns = self.stubs.iter().map(|(stub, count)| (stub, count));
            let nearest = patterns.min_by_key(|(stub, _)| stub.pattern.differences(request).len());
            if let Some((stub, count)) = nearest {
                let mut why = stub.pattern.differences(request).join("; ");
                if why.is_empty() {
                    why = format!("it is used up after {}", plural(*count));
                }
                text.push_str(&format!(" (nearest stub `{}`: {why})", stub.pattern));
            }
        }
        text
    }
}

fn plural(count: usize) -> String {
    match count {
        1 => "1 request".into(),
        count => format!("{count} requests"),
    }
}

impl RequestHandler for Stubs {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        if !self.are_canned() {
            // Nobody knows how long it takes.
            x.channel().may_wait();
        }
        let mut request = Request::of(x);
        let mut choice = self.choose(&request, false);
        if let Choice::NeedsBody = choice {
            (&mut x.rfile)
                .take(MOST_BODY)
                .read_to_end(&mut request.body)?;
            choice = self.choose(&request, true);
        }
        if !matches!(choice, Choice::Found(_, true)) {
            x.rfile.discard()?;
        }
        match choice {
            Choice::Found(reply, _) => reply.play(self, x),
            Choice::NeedsBody | Choice::None => self.answer_unmatched(x, request),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

impl Stubs {
    fn answer_unmatched(&self, x: &mut Exchange<'_>, request: Request) -> Result<()> {
        let text = {
            let mut state = lock(&self.0);
            let known = |method: &str| {
                state
                    .stubs
                    .iter()
                    .any(|(stub, _)| stub.pattern.knows_method(method))
            };
            let code = match known(&request.command) {
                true => Status::NOT_FOUND,
                false => Status::NOT_IMPLEMENTED,
            };
            let mut text = format!("No stub matches `{}`.\n", request.requestline);
            match state.stubs.is_empty() {
                true => text.push_str("There are no stubs.\n"),
                false => text.push_str("There are:\n"),
            }
            for (stub, count) in &state.stubs {
                let used_up = match stub.reply(*count) {
                    Some(_) => "",
                    None => " (used up)",
                };
                text.push_str(&format!("  {}{used_up}\n", stub.pattern));
            }
            state.unmatched_count += 1;
            if state.unmatched.len() < MOST_UNMATCHED {
                let mut request = request;
                request.is_complete = true;
                state.unmatched.push(request);
            }
            (code, text)
        };
        if let (Some(shared), (code, _)) = (fixture_of(x), &text) {
            shared.note(format!(
                "no stub matched `{}`, so it got {code}",
                x.requestline
            ));
        }
        let answer = status(text.0.code()).header("Content-Type", "text/plain;charset=utf-8");
        answer.body(text.1).play(x)
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
