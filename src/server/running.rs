//! [`RunningServer`]: a server in the background.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::info::{Peer, ServerInfo};
use crate::shutdown::ShutdownHandle;
use crate::{Error, Result};

/// How long a dropped server lets its handlers run.
const DROP_DEADLINE: Duration = Duration::from_secs(1);

/// A server that runs on a thread of its own, until it is shut down or dropped; made by `spawn`.
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

    /// The URL of a path on this server: `http://127.0.0.1:PORT/x`.
    pub fn url(&self, path: &str) -> String {
        self.info.url(path)
    }

    /// Where the server listens; `TcpStream::connect` takes it.
    pub fn addr(&self) -> Peer {
        self.info.server_address
    }

    /// The same as a socket address; `None` for a Unix socket.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.info.server_address.socket_addr()
    }

    /// The server's name, address and port.
    pub fn info(&self) -> &ServerInfo {
        &self.info
    }

    /// A handle for other threads.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        self.info.shutdown_handle()
    }

    /// Stops the server: see [`ShutdownHandle::shutdown`]. Returns how many handlers still run at the
    /// deadline.
    ///
    /// # Errors
    /// Those of `serve_forever`, if it failed.
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
    /// Shuts the server down, with a second for the handlers that run.
    fn drop(&mut self) {
        if self.thread.is_some() {
            // A destructor has nobody to tell.
            let _ = self.stop(DROP_DEADLINE);
        }
    }
}
