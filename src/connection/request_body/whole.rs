//! Reading a whole request body at once, with a size limit.

use std::io::{self, BufRead, Read, Write};

use super::RequestBody;
use crate::Result;
use crate::error::Fault;

/// Initial capacity for a body, whose declared length may never arrive.
const ROOM: u64 = 64 << 10;

impl RequestBody<'_> {
    /// Reads the whole body, at most `limit` bytes.
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
    /// Those of a read. If the body is longer than `limit`, an error that is answered with 413; with a `Content-Length` it
    /// comes before anything is read.
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

    /// Copies the whole body, at most `limit` bytes, to a writer, for example an upload to a file. Returns its length.
    ///
    /// If a chunked body is too long, a part of it was written before the error.
    ///
    /// # Errors
    /// Those of [`read_up_to`](Self::read_up_to) and of the writer.
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

    /// Reads the whole body as text, at most `limit` bytes.
    ///
    /// # Errors
    /// Those of [`read_up_to`](Self::read_up_to). If the body is not UTF-8, an error that is answered with 400.
    pub fn read_text(&mut self, limit: u64) -> Result<String> {
        let body = self.read_up_to(limit)?;
        Ok(String::from_utf8(body).map_err(|_| std::io::Error::from(Fault::NotText))?)
    }
}
