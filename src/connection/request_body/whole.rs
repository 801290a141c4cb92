//! A whole body at once, with a limit.

use std::io::{self, BufRead, Read, Write};

use super::RequestBody;
use crate::Result;
use crate::error::Fault;

/// As much is asked for at once for a body that may not come.
const ROOM: u64 = 64 << 10;

impl RequestBody<'_> {
    /// Reads the whole body, of `limit` bytes at the most.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let echo = handler_fn(|_, x| {
    ///     let body = x.rfile.read_up_to(3)?;
    ///     x.send_content(Status::OK, "application/octet-stream", body)
    /// });
    /// assert!(respond(&echo, "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc").ends_with(b"abc"));
    /// let answer = respond(&echo, "POST / HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd");
    /// assert!(answer.starts_with(b"HTTP/1.0 413 Content Too Large\r\n"));
    /// ```
    ///
    /// # Errors
    /// As a read; and answered with 413 if the body is longer, which is known before it is read if it has a
    /// `Content-Length`.
    pub fn read_up_to(&mut self, limit: u64) -> Result<Vec<u8>> {
        let known = self.remaining();
        if known.is_some_and(|length| length > limit) {
            return Err(self.fail(Fault::TooLarge).into());
        }
        let room = known.unwrap_or(0).min(ROOM);
        let mut body = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        Read::take(&mut *self, limit.saturating_add(1)).read_to_end(&mut body)?;
        match body.len() as u64 > limit {
            true => Err(self.fail(Fault::TooLarge).into()),
            false => Ok(body),
        }
    }

    /// Copies the whole body to a writer, of `limit` bytes at the most: an upload to a file. Returns its length.
    ///
    /// Of a body that turns out to be too long, a part may have been written by then.
    ///
    /// # Errors
    /// As [`read_up_to`](Self::read_up_to), and those of the writer.
    pub fn copy_up_to(&mut self, limit: u64, to: &mut (impl Write + ?Sized)) -> Result<u64> {
        if self.remaining().is_some_and(|length| length > limit) {
            return Err(self.fail(Fault::TooLarge).into());
        }
        let copied = io::copy(&mut Read::take(&mut *self, limit), to)?;
        match copied == limit && !self.fill_buf()?.is_empty() {
            true => Err(self.fail(Fault::TooLarge).into()),
            false => Ok(copied),
        }
    }

    /// Reads the whole body as text, of `limit` bytes at the most.
    ///
    /// # Errors
    /// As [`read_up_to`](Self::read_up_to); and answered with 400 if the body is not UTF-8.
    pub fn read_text(&mut self, limit: u64) -> Result<String> {
        let body = self.read_up_to(limit)?;
        Ok(String::from_utf8(body).map_err(|_| std::io::Error::from(Fault::NotText))?)
    }
}
