//! The byte stream below an exchange, outside of HTTP: [`RawStream`] borrows it, [`DetachedStream`] owns it.

use std::io::{self, Read, Write};
use std::time::Duration;

use self::system::Blocking;
pub use self::system::DetachedSocket;
use super::min_rate::{Allowance, MinRate};
use super::request_body::RequestBody;
use super::stream::{QUIET, Stream};
#[cfg(feature = "tls-config")]
use super::tls::DetachedTls;
use crate::sys::{self, BorrowedSocket};

#[cfg_attr(unix, path = "raw/unix.rs")]
#[cfg_attr(windows, path = "raw/windows.rs")]
mod system;

/// The byte stream below an exchange, without HTTP; returned by [`Exchange::raw_stream`](crate::Exchange::raw_stream).
///
/// Reads and writes wait for the client, with the timeouts of `rfile` and `wfile`.
///
/// ```
/// use servette::{handler_fn, respond};
/// use std::io::Write;
///
/// // A response that no server would send, for the test of a client.
/// let broken = handler_fn(|_, x| Ok(x.raw_stream()?.write_all(b"HTTP/1.1 ???\r\n\r\n")?));
/// assert_eq!(respond(&broken, "GET / HTTP/1.0\r\n\r\n"), b"HTTP/1.1 ???\r\n\r\n");
/// ```
#[derive(Debug)]
pub struct RawStream<'a> {
    body: RequestBody<'a>,
    read_rate: MinRate,
    write_rate: MinRate,
    write_timeout: Duration,
}

impl<'a> RawStream<'a> {
    pub(crate) fn new<'b>(body: &'a mut RequestBody<'b>) -> io::Result<RawStream<'a>> {
        body.channel.surrender()?;
        Ok(RawStream {
            write_timeout: body.channel.limits.write_timeout,
            body: body.reborrow(),
            read_rate: MinRate::default(),
            write_rate: MinRate::default(),
        })
    }

    /// Makes the connection end with a reset (RST) instead of an orderly close. Bytes that the client has not acknowledged
    /// may be lost.
    ///
    /// # Errors
    /// If the connection is not a TCP socket.
    pub fn reset_on_close(&mut self) -> io::Result<()> {
        self.body.channel.wire.stream.reset_on_close()?;
        self.body.channel.resets.set(true);
        Ok(())
    }

    /// Sets how long the client may read nothing, in place of
    /// [`Limits::write_timeout`](crate::Limits).
    #[cfg(feature = "testing")]
    pub(crate) fn set_write_timeout(&mut self, timeout: Duration) {
        self.write_timeout = timeout;
    }

    /// Returns the number of bytes that the system has taken from the writes.
    #[cfg(feature = "testing")]
    pub(crate) fn written(&self) -> u64 {
        self.write_rate.bytes()
    }

    /// Shuts down the sending side (half-close): the client sees the end of the stream.
    pub fn shutdown_write(&mut self) {
        self.body.channel.wire.stream.shutdown_write();
    }
}

impl Read for RawStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ahead = self.body.read_ahead();
        if !ahead.is_empty() {
            let count = ahead.read(buffer)?;
            self.body.consume_ahead(count);
            return Ok(count);
        }
        let channel = self.body.channel;
        let allowance = Allowance::of_body(&channel.limits);
        let min_rate = &mut self.read_rate;
        channel
            .wire
            .recv(buffer, min_rate, allowance, &mut || Ok(()))
    }
}

impl Write for RawStream<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let channel = self.body.channel;
        let allowance = Allowance {
            patience: self.write_timeout,
            rate: channel.limits.min_rate,
        };
        let min_rate = &mut self.write_rate;
        channel.wire.send(data, &[], false, min_rate, allowance)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection that was taken out of its server, for example for a WebSocket; returned by
/// [`Exchange::detach`](crate::Exchange::detach).
///
/// Reading starts with the bytes that the server has read beyond the head. Reads and writes block, without timeouts. Over
/// TLS, the stream decrypts and encrypts; dropping it ends the session.
///
/// ```
/// use servette::{Status, handler_fn};
/// use std::io::Write;
///
/// let handler = handler_fn(|_, x| {
///     x.send_response_only(Status::SWITCHING_PROTOCOLS);
///     x.send_header("Upgrade", "lines");
///     x.send_header("Connection", "Upgrade");
///     x.end_headers()?;
///     let mut stream = x.detach()?;
///     std::thread::spawn(move || stream.write_all(b"hello\n"));
///     Ok(())
/// });
/// ```
#[derive(Debug)]
pub struct DetachedStream {
    ahead: Vec<u8>,
    taken: usize,
    socket: Detached,
}

#[derive(Debug)]
enum Detached {
    Plain {
        socket: Blocking,
        is_local: bool,
    },
    #[cfg(feature = "tls-config")]
    Tls(DetachedTls),
}

impl DetachedStream {
    pub(crate) fn new(body: &mut RequestBody<'_>) -> io::Result<DetachedStream> {
        let channel = body.channel;
        let stream = &channel.wire.stream;
        let socket = stream.duplicate()?;
        channel.surrender()?;
        let socket = match stream {
            #[cfg(feature = "tls-config")]
            Stream::Tls(tls) => Detached::Tls(DetachedTls::new(tls, socket)?),
            _ => {
                rustix::io::ioctl_fionbio(&socket, false)?;
                Detached::Plain {
                    socket: Blocking::from(socket),
                    is_local: matches!(stream, Stream::Unix(_)),
                }
            }
        };
        let ahead = body.read_ahead().to_vec();
        body.consume_ahead(ahead.len());
        channel.detached.set(true);
        Ok(DetachedStream {
            ahead,
            taken: 0,
            socket,
        })
    }

    /// Returns the bytes that the server has read beyond the head and that this stream has not returned yet.
    pub fn read_ahead(&self) -> &[u8] {
        self.ahead.get(self.taken..).unwrap_or_default()
    }

    fn socket(&self) -> BorrowedSocket<'_> {
        match &self.socket {
            Detached::Plain { socket, .. } => sys::socket(socket),
            #[cfg(feature = "tls-config")]
            Detached::Tls(tls) => tls.socket(),
        }
    }

    /// Splits the stream into the bytes of [`read_ahead`](Self::read_ahead) and the socket.
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
}

impl Read for DetachedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ahead = self.read_ahead();
        if ahead.is_empty() {
            return match &mut self.socket {
                Detached::Plain { socket, .. } => socket.read(buffer),
                #[cfg(feature = "tls-config")]
                Detached::Tls(tls) => tls.read(buffer),
            };
        }
        let count = ahead.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

impl Write for DetachedStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.socket {
            Detached::Plain { socket, .. } => Ok(rustix::net::send(socket, data, QUIET)?),
            #[cfg(feature = "tls-config")]
            Detached::Tls(tls) => tls.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
