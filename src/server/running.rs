//! [`RunningServer`]: a server in the background.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::info::{Peer, ServerInfo};
use crate::shutdown::ShutdownHandle;
use crate::{Error, Result};

/// The shutdown deadline of a dropped server.
const DROP_DEADLINE: Duration = Duration::from_secs(1);

/// A server that runs in the background until it is shut down or dropped; returned by
/// [`ThreadingHttpServer::spawn`](crate::ThreadingHttpServer::spawn) and [`HttpServer::spawn`](crate::HttpServer::spawn).
///
/// Dropping it shuts the server down with a deadline of 1 s.
///
/// ```
/// use servette::{Status, ThreadingHttpServer, handler_fn};
/// use std::io::{Read, Write};
///
/// let handler = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", b"hi")).quiet();
/// let server = ThreadingHttpServer::bind("127.0.0.1:0", handler)?.spawn()?;
///
/// let mut client = std::net::TcpStream::connect(server.addr())?;
/// client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.ends_with("\r\n\r\nhi"));
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it stops the server"]
pub struct RunningServer {
    info: Arc<ServerInfo>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl RunningServer {
    pub(super) fn start(
        info: Arc<ServerInfo>,
        serve: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        // Counted from here on, so that a shutdown that comes before the thread waits for it; and until
        // the server is dropped.
        let counted = info.shutdown.control().enter_loop();
        let thread = std::thread::Builder::new()
            .name("servette".into())
            .spawn(move || {
                let result = serve();
                drop(counted);
                result
            })
            .map_err(|error| Error::context("cannot start a thread", error))?;
        Ok(RunningServer {
            info,
            thread: Some(thread),
        })
    }

    /// Returns the URL of a path on this server, such as `http://127.0.0.1:PORT/x`.
    pub fn url(&self, path: &str) -> String {
        self.info.url(path)
    }

    /// Returns the address on which the server listens. `TcpStream::connect` takes it.
    pub fn addr(&self) -> Peer {
        self.info.server_address
    }

    /// Returns the address as a socket address; `None` for a Unix socket.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.info.server_address.socket_addr()
    }

    /// Returns the name, the addresses, the port and the URLs of the server.
    pub fn info(&self) -> &ServerInfo {
        &self.info
    }

    /// Returns a handle that stops the server from another thread, a signal or a handler.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.info.shutdown_handle()
    }

    /// Shuts the server down, and returns the number of unfinished requests: see [`ShutdownHandle::shutdown`].
    ///
    /// # Errors
    /// The error of `serve_forever`, if it failed.
    pub fn shutdown(mut self, deadline: Duration) -> Result<usize> {
        self.stop(deadline)
    }

    fn stop(&mut self, deadline: Duration) -> Result<usize> {
        let running = self.info.shutdown.shutdown(deadline);
        match self.thread.take() {
            Some(thread) if running == 0 => match thread.join() {
                Ok(result) => result.map(|()| 0),
                Err(payload) => Err(Error::panic(payload)),
            },
            _ => Ok(running),
        }
    }
}

impl Drop for RunningServer {
    /// Shuts the server down with a deadline of 1 s.
    fn drop(&mut self) {
        if self.thread.is_some() {
            // A destructor has nobody to tell.
            let _ = self.stop(DROP_DEADLINE);
        }
    }
}
