//! [`respond`]: runs a handler on bytes, without a socket.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{self, RequestHandler};
use crate::connection::stream::{Memory, Stream};
use crate::connection::{Buffers, Connection, Next, Readiness};
use crate::error::guarded;
use crate::info::{Peer, ServerInfo};
use crate::limits::Limits;
use crate::log::text::report_line;
use crate::shutdown::ShutdownHandle;

/// The longest wait for a stream or a deferred response of the program.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers requests in memory, and returns the responses: for unit tests and examples. It runs the same code as a
/// server, without a socket.
///
/// `requests` may contain several requests, one after the other, as on a connection that the client closes afterwards.
/// The result contains their responses, one after the other.
///
/// ```
/// use servette::{SimpleHandler, respond};
///
/// let answer = respond(&SimpleHandler::new("/no/such/directory"), "GET / HTTP/1.0\r\n\r\n");
/// assert!(answer.starts_with(b"HTTP/1.0 404 File not found\r\n"));
/// ```
///
/// It waits at most 30 seconds for a stream ([`ResponseWriter::start_stream`](crate::ResponseWriter::start_stream)) to
/// end, and for a [deferred](crate::Exchange::defer) response. After that the response is truncated.
pub fn respond<H: RequestHandler + ?Sized>(handler: &H, requests: impl AsRef<[u8]>) -> Vec<u8> {
    let memory = Memory {
        input: requests.as_ref().to_vec(),
        ..Memory::default()
    };
    let server = Arc::new(ServerInfo::new(
        vec![Peer::Memory],
        ShutdownHandle::new(),
        false,
    ));
    let limits = Arc::new(Limits::default());
    let mut conn = Connection::new(
        Stream::Memory(RefCell::new(memory)),
        Peer::Memory,
        server,
        limits,
    );
    conn.lend(&mut Buffers::default(), false);
    serve(handler, &mut conn);
    match &conn.wire().stream {
        Stream::Memory(memory) => std::mem::take(&mut memory.borrow_mut().output),
        _ => Vec::new(),
    }
}

/// Serves the connection like a server, until it is closed or no request is left.
fn serve<H: RequestHandler + ?Sized>(handler: &H, conn: &mut Connection) {
    let mut is_open = true;
    while is_open && matches!(conn.poll_request(), Ok(Readiness::Request)) {
        let before = conn.answered();
        let next = guarded(|| base::report_and_handle(handler, conn)).unwrap_or_else(|error| {
            // Errors of the program may panic when they are formatted.
            let _ = guarded(|| {
                if !error.is_client_fault() {
                    // The test harness shows this line when the test fails.
                    eprint!("{}", report_line(&error, &Peer::Memory));
                }
                Ok(())
            });
            Next::Close
        });
        let goes_on = conn.is_unfinished();
        // On failure the response is truncated.
        let is_finished = conn.finish_handed(Some(PATIENCE)).is_ok();
        if !is_finished && let Some(call) = conn.close_handed() {
            // What the program's closure does is its own affair.
            let _ = call.run();
        }
        if next == Next::Close {
            conn.leave();
        }
        is_open = match next {
            _ if conn.is_to_report() => true,
            Next::Again => true,
            // No more bytes will arrive.
            Next::Park => (goes_on && is_finished) || conn.answered() > before,
            Next::Close => false,
        };
    }
    // It fails only if the response is incomplete.
    let _ = conn.flush_all();
}
