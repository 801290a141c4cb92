//! [`respond`]: a handler against bytes, without a socket.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crate::base::RequestHandler;
use crate::connection::stream::{Memory, Stream};
use crate::connection::{Buffers, Connection, Next, Readiness};
use crate::error::guarded;
use crate::info::{Peer, ServerInfo};
use crate::limits::Limits;
use crate::log::text::report_line;
use crate::shutdown::ShutdownHandle;

/// How long the program may take for an answer that it has in its hands.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `handler` answers to these requests: the same code as behind a socket, in memory, for unit
/// tests and examples.
///
/// The requests stand one after the other as on a connection, whose client closes it behind them. The
/// answers are those that it would read.
///
/// ```
/// use servette::{SimpleHandler, respond};
///
/// let answer = respond(&SimpleHandler::new("/no/such/directory"), "GET / HTTP/1.0\r\n\r\n");
/// assert!(answer.starts_with(b"HTTP/1.0 404 File not found\r\n"));
/// ```
///
/// A body that is handed over ([`ResponseWriter::start_stream`](crate::ResponseWriter::start_stream)), and an exchange that is
/// put off, are waited for, 30 seconds at most for each look; then they are cut.
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

/// As a server does, until the connection ends or nothing is left of the requests.
fn serve<H: RequestHandler + ?Sized>(handler: &H, conn: &mut Connection) {
    let mut is_open = true;
    while is_open && matches!(conn.poll_request(), Ok(Readiness::Request)) {
        let before = conn.answered();
        let next = guarded(|| handler.handle(conn)).unwrap_or_else(|error| {
            // The program's own errors may panic when they are shown.
            let _ = guarded(|| {
                if !error.is_client_fault() {
                    // It is shown with the test that fails.
                    eprint!("{}", report_line(&error, &Peer::Memory));
                }
                Ok(())
            });
            Next::Close
        });
        let goes_on = conn.is_unfinished();
        // If it fails, the answer is cut.
        let is_finished = conn.finish_handed(Some(PATIENCE)).is_ok();
        is_open = match next {
            Next::Again => true,
            // Nothing more comes that could be waited for.
            Next::Park => (goes_on && is_finished) || conn.answered() > before,
            Next::Close => false,
        };
    }
    // It fails only where the response was given up.
    let _ = conn.flush_all();
}
