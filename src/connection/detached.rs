//! [`DetachedStream`]: a connection that was taken out of its server.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rustix::net::Shutdown;
use rustix::net::sockopt::{self, Timeout};

use self::system::Blocking;
pub use self::system::DetachedSocket;
use super::request_body::RequestBody;
use super::stream::QUIET;
#[cfg(feature = "tls-config")]
use super::stream::Stream;
#[cfg(feature = "tls-config")]
use super::tls::DetachedTls;
use crate::shutdown::DetachedGuard;
use crate::sys::{self, BorrowedSocket};

#[cfg_attr(unix, path = "detached/unix.rs")]
#[cfg_attr(windows, path = "detached/windows.rs")]
mod system;

/// A connection that was taken out of its server, for example for a WebSocket or a `CONNECT` tunnel; returned by
/// [`Exchange::detach`](crate::Exchange::detach).
///
/// Reading starts with the bytes that the server has read beyond the head: an unread request body, with its chunk framing if
/// it is chunked, and whatever the client sent after it. Reads and writes block, by default without timeouts. Over TLS, the
/// stream decrypts and encrypts; dropping it ends the session.
///
/// Like a [`TcpStream`](std::net::TcpStream), a `&DetachedStream` can be read and written, so two threads that share it
/// through an [`Arc`](std::sync::Arc) can read and write at the same time, over TLS as well.
///
/// The connection counts in [`Limits::max_connections`](crate::Limits) until the stream is dropped. The other limits of the
/// server do not apply: set timeouts, or a client that is silent occupies the stream and its thread for ever.
///
/// ```
/// use servette::{Status, handler_fn};
/// use std::io::Write;
///
/// let handler = handler_fn(|_, x| {
///     let is_lines = |name: &str| name.eq_ignore_ascii_case("lines");
///     if !x.headers.get_all("Upgrade").any(is_lines) {
///         x.send_header("Upgrade", "lines");
///         x.send_header("Connection", "Upgrade");
///         return x.send_error(Status::UPGRADE_REQUIRED);
///     }
///     x.rfile.discard()?;
///     x.send_response_only(Status::SWITCHING_PROTOCOLS);
///     x.send_header("Upgrade", "lines");
///     x.send_header("Connection", "Upgrade");
///     x.end_headers()?;
///     let mut stream = x.detach()?;
///     std::thread::spawn(move || stream.write_all(b"hello\n"));
///     Ok(())
/// });
/// ```
///
/// A tunnel copies in both directions:
///
/// ```
/// use servette::DetachedStream;
/// use std::io::{self, Write};
/// use std::net::{Shutdown, TcpStream};
/// use std::sync::Arc;
/// use std::thread;
///
/// fn tunnel(client: DetachedStream, server: TcpStream) {
///     let (client, server) = (Arc::new(client), Arc::new(server));
///     let (to, from) = (server.clone(), client.clone());
///     thread::spawn(move || {
///         let _ = io::copy(&mut &*from, &mut &*to);
///         to.shutdown(Shutdown::Write)
///     });
///     thread::spawn(move || {
///         let _ = io::copy(&mut &*server, &mut &*client);
///         client.shutdown_write();
///     });
/// }
/// ```
pub struct DetachedStream {
    ahead: Vec<u8>,
    taken: AtomicUsize,
    socket: Detached,
    _counted: DetachedGuard,
}

#[derive(Debug)]
enum Detached {
    Plain {
        socket: Blocking,
        is_local: bool,
    },
    #[cfg(feature = "tls-config")]
    Tls(Box<DetachedTls>),
}

impl DetachedStream {
    pub(crate) fn new(body: &mut RequestBody<'_>) -> io::Result<DetachedStream> {
        let channel = body.channel;
        let stream = &channel.wire.stream;
        let socket = stream.duplicate()?;
        channel.surrender()?;
        let socket = match stream {
            #[cfg(feature = "tls-config")]
            Stream::Tls(tls) => Detached::Tls(Box::new(DetachedTls::new(tls, socket)?)),
            _ => {
                rustix::io::ioctl_fionbio(&socket, false)?;
                Detached::Plain {
                    socket: Blocking::from(socket),
                    is_local: stream.tcp().is_none(),
                }
            }
        };
        body.leave();
        let ahead = body.read_ahead().to_vec();
        body.consume_ahead(ahead.len());
        channel.detached.set(true);
        Ok(DetachedStream {
            ahead,
            taken: AtomicUsize::new(0),
            socket,
            _counted: channel.wire.enter_detached(),
        })
    }

    /// Returns the bytes that the server has read beyond the head and that this stream has not returned yet.
    pub fn read_ahead(&self) -> &[u8] {
        self.ahead
            .get(self.taken.load(Relaxed)..)
            .unwrap_or_default()
    }

    /// Sets how long a read waits for the client; then it fails with `TimedOut`. Default `None`: without limit.
    ///
    /// # Errors
    /// `InvalidInput` if the timeout is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(Timeout::Recv, timeout)
    }

    /// Sets how long a write waits for the client; then it fails with `TimedOut`. Default `None`: without limit.
    ///
    /// Of a `write` that timed out, no byte was sent. Over TLS, an encrypted part of it may have been: write the same bytes
    /// again, or end the connection. Of a `write_all`, a part may have been sent, and nobody knows how much: end the
    /// connection.
    ///
    /// # Errors
    /// `InvalidInput` if the timeout is zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_timeout(Timeout::Send, timeout)
    }

    fn set_timeout(&self, which: Timeout, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the timeout of a stream can't be zero",
            ));
        }
        match &self.socket {
            Detached::Plain { socket, .. } => {
                Ok(sockopt::set_socket_timeout(socket, which, timeout)?)
            }
            #[cfg(feature = "tls-config")]
            Detached::Tls(tls) => {
                tls.set_timeout(which, timeout);
                Ok(())
            }
        }
    }

    /// Shuts down the sending side (half-close): the client sees the end of the stream, and the stream can still be read.
    /// Over TLS, `close_notify` comes before it, unless a write of another thread waits.
    pub fn shutdown_write(&self) {
        #[cfg(feature = "tls-config")]
        if let Detached::Tls(tls) = &self.socket {
            tls.close_notify();
        }
        // It fails only where the client is gone already.
        let _ = rustix::net::shutdown(self.socket(), Shutdown::Write);
    }

    fn socket(&self) -> BorrowedSocket<'_> {
        match &self.socket {
            Detached::Plain { socket, .. } => sys::socket(socket),
            #[cfg(feature = "tls-config")]
            Detached::Tls(tls) => tls.socket(),
        }
    }

    /// Splits the stream into the bytes of [`read_ahead`](Self::read_ahead) and the socket. From then on the connection no
    /// longer counts in [`Limits::max_connections`](crate::Limits).
    ///
    /// # Errors
    /// Returns the stream itself if the socket carries TLS, because nothing else could decrypt it.
    pub fn into_parts(self) -> Result<(Vec<u8>, DetachedSocket), DetachedStream> {
        let ahead = self.read_ahead().to_vec();
        match self.socket {
            Detached::Plain { socket, is_local } => {
                Ok((ahead, DetachedSocket::new(socket.into(), is_local)))
            }
            #[cfg(feature = "tls-config")]
            Detached::Tls(_) => Err(self),
        }
    }

    /// Takes bytes that were read ahead. Returns 0 if none are left.
    fn take_ahead(&self, buffer: &mut [u8]) -> usize {
        let mut taken = self.taken.load(Relaxed);
        loop {
            let mut ahead = self.ahead.get(taken..).unwrap_or_default();
            let count = ahead.read(buffer).unwrap_or_default();
            // Another thread may read them, too.
            let noted = self
                .taken
                .compare_exchange(taken, taken + count, Relaxed, Relaxed);
            match noted {
                Ok(_) => return count,
                Err(now) => taken = now,
            }
        }
    }
}

/// A socket that blocks reports a timeout in this way on Unix.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for &DetachedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.take_ahead(buffer) {
            0 => {}
            count => return Ok(count),
        }
        match &self.socket {
            Detached::Plain { socket, .. } => (&*socket).read(buffer).map_err(timed_out),
            #[cfg(feature = "tls-config")]
            Detached::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for &DetachedStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &self.socket {
            Detached::Plain { socket, .. } => {
                rustix::net::send(socket, data, QUIET).map_err(|error| timed_out(error.into()))
            }
            #[cfg(feature = "tls-config")]
            Detached::Tls(tls) => tls.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for DetachedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for DetachedStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for DetachedStream {
    /// Shows how many bytes were read ahead, and not the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DetachedStream")
            .field("read_ahead", &self.read_ahead().len())
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
