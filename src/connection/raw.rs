//! [`RawStream`]: the byte stream below an exchange, without HTTP, for the time of the handler.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::min_rate::{Allowance, MinRate};
use super::request_body::RequestBody;

/// The byte stream below an exchange, without HTTP; returned by [`Exchange::raw_stream`](crate::Exchange::raw_stream).
///
/// Reading starts with the bytes that the server has read beyond the head: an unread request body, with its chunk framing if
/// it is chunked, and whatever the client sent after it. Reads and writes wait for the client, with the timeouts of `rfile`
/// and `wfile`.
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
        body.leave();
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
