//! The door out of HTTP: the bare stream, borrowed or owned.

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

/// The bare stream below an exchange; see [`Exchange::raw`](crate::Exchange::raw).
///
/// Reads and writes wait for the socket, as long as the deadlines of `rfile` and `wfile` allow.
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

    /// Has the connection end with a reset (RST) instead of an orderly close; what was written but not
    /// acknowledged by the client may be lost.
    ///
    /// # Errors
    /// Where there is no TCP socket.
    pub fn reset_on_close(&mut self) -> io::Result<()> {
        self.body.channel.wire.stream.reset_on_close()?;
        self.body.channel.resets.set(true);
        Ok(())
    }

    /// Gives a client that takes nothing only so long, in place of
    /// [`Limits::write_timeout`](crate::Limits).
    #[cfg(feature = "testing")]
    pub(crate) fn set_write_timeout(&mut self, timeout: Duration) {
        self.write_timeout = timeout;
    }

    /// How many bytes the system has taken of what was written.
    #[cfg(feature = "testing")]
    pub(crate) fn written(&self) -> u64 {
        self.write_rate.bytes()
    }

    /// Ends the sending direction; the client sees the end of the stream.
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

/// A connection that has left its server; see [`Exchange::detach`](crate::Exchange::detach).
///
/// Reading starts with what the server had read beyond the head. The stream blocks, without deadlines. Over TLS, what
/// is read was decrypted, and what is written is encrypted; dropping the stream ends the session.
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

    /// What was read beyond the head and is not taken yet.
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

    /// What was read beyond the head and is not taken yet, and the socket.
    ///
    /// # Errors
    /// The stream itself, if there is TLS on the socket: nobody else could read what it carries.
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
