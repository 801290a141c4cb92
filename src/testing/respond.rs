//! [`respond_or_panic`]: a handler against bytes, without a server, but with the eyes of one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::builder::Watched;
use super::recording::Shared;
use super::report;
use crate::base::RequestHandler;

/// As [`respond`](super::respond()), but as strict as a [`TestServer`](super::TestServer).
///
/// The test fails if the handler panics or a canned answer can't be given; with
/// [`respond`](super::respond()) that is a 500 like any other. It speaks HTTP/1.1, whatever version its
/// handler says, and what the handler logs is shown only if the test fails. What
/// [`Stubs`](super::Stubs) expect they [verify](super::Stubs::verify) themselves. A
/// [`pause`](super::pause) takes no time here, and nobody could open a [`gate`](super::gate()).
///
/// ```
/// use servette::handler_fn;
/// use servette::testing::respond_or_panic;
///
/// let handler = handler_fn(|h, x| h.send_error(x, servette::Status::GONE));
/// let answer = respond_or_panic(&handler, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
/// assert!(answer.starts_with(b"HTTP/1.1 410 Gone\r\n"));
/// ```
///
/// # Panics
/// If the handler panics, an answer can't be given as it says, or one waits at a gate; with the message of a
/// `TestServer`.
#[track_caller]
#[allow(clippy::panic)] // The test fails.
pub fn respond_or_panic<H: RequestHandler + ?Sized>(
    handler: &H,
    requests: impl AsRef<[u8]>,
) -> Vec<u8> {
    let shared = Arc::new(Shared::in_memory());
    let watched = Watched {
        handler,
        shared: shared.clone(),
    };
    // What panics past all hooks was noted on its way.
    let answer = catch_unwind(AssertUnwindSafe(|| crate::respond(&watched, requests)));
    let problems = shared.problems();
    match answer {
        Ok(answer) if problems.is_empty() => answer,
        _ => panic!(
            "{}",
            report::failure("respond_or_panic", &problems, &shared)
        ),
    }
}
