//! [`Unmatched`]: the requests that no stub matched, and the messages about them.

use std::sync::Arc;

use super::report;
use super::request::Request;
use super::stub::{Stub, plural};

/// Maximum number of unmatched requests that are recorded.
const MOST: usize = 100;
/// Maximum number of recorded bytes of each body.
const BODY: usize = 64 << 10;
/// Maximum number of unmatched requests in a message.
const MOST_DESCRIBED: usize = 10;

/// Requests that no stub matched, each with the nearest stub at that time (stubs can be added later).
#[derive(Debug, Default)]
pub(super) struct Unmatched {
    kept: Vec<(Request, Option<Nearest>)>,
    count: usize,
}

/// The nearest stub to a request, and the reason why it does not match.
#[derive(Debug)]
pub(super) struct Nearest {
    stub: String,
    why: String,
}

/// A request line, a stub, and the reason why it does not match. A message shows each only once.
pub(super) type Miss = (String, String, String);

impl Unmatched {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= MOST
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.kept
            .iter()
            .map(|(request, _)| request.clone())
            .collect()
    }

    pub(super) fn add(&mut self, mut request: Request, nearest: Option<Nearest>) {
        self.count += 1;
        if !self.is_full() {
            request.cut_body(BODY);
            self.kept.push((request, nearest));
        }
    }

    /// Whether `told` already explains every unmatched request.
    pub(super) fn is_told(&self, told: &[Miss]) -> bool {
        let is_told = |(request, nearest): &(Request, Option<Nearest>)| {
            nearest
                .as_ref()
                .is_some_and(|nearest| nearest.is_told(request, told))
        };
        self.count == self.kept.len() && self.kept.iter().all(is_told)
    }

    /// Describes the unmatched requests that `told` does not explain yet.
    pub(super) fn describe(&self, told: &[Miss]) -> String {
        let mut text = match self.count {
            1 => "no stub matched this request:".to_owned(),
            count => format!("no stub matched these {count} requests:"),
        };
        let described = self.kept.iter().take(MOST_DESCRIBED);
        let more = self.count - described.len();
        for (request, nearest) in described {
            let line = request.requestline.escape_debug();
            text.push_str(&format!("\n  `{line}`"));
            if let Some(nearest) = nearest.as_ref().filter(|own| !own.is_told(request, told)) {
                let why = report::indented(&nearest.why, "      ");
                text.push_str(&format!("\n    nearest stub `{}`: {why}", nearest.stub));
            }
        }
        if more > 0 {
            text.push_str(&format!("\n  … and {more} more"));
        }
        text
    }
}

impl Nearest {
    /// Finds the nearest of these stubs. The numbers are the requests that each has answered.
    pub(super) fn of(stubs: &[(Arc<Stub>, usize)], request: &Request) -> Option<Self> {
        let misses = stubs.iter().filter_map(|(stub, count)| {
            let differences = stub.pattern.differences(request);
            // A stub that matches and still answers was added only now.
            let misses = !differences.is_empty() || stub.reply(*count).is_none();
            misses.then_some((stub, count, differences))
        });
        let nearest = misses.min_by_key(|(stub, _, differences)| {
            report::distance(&stub.pattern, request, differences)
        });
        let (stub, count, differences) = nearest?;
        let why = match differences.is_empty() {
            true => format!("it is used up after {}", plural(*count)),
            false => report::words(&differences),
        };
        let stub = stub.pattern.to_string();
        Some(Nearest { stub, why })
    }

    fn is_told(&self, request: &Request, told: &[Miss]) -> bool {
        let is_it = |(line, stub, why): &Miss| {
            *line == request.requestline && *stub == self.stub && *why == self.why
        };
        told.iter().any(is_it)
    }
}
