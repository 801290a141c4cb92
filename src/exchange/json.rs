//! Bodies of JSON, both ways (feature `json`).

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Exchange;
use crate::connection::request_body::RequestBody;
use crate::{Error, OrStatus, Result, Status};

impl RequestBody<'_> {
    /// Reads the whole body, of `limit` bytes at the most, as JSON. (Feature `json`.)
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let sum = handler_fn(|_, x| {
    ///     let numbers: Vec<i64> = x.rfile.read_json(10_000)?;
    ///     x.send_json(Status::OK, &numbers.iter().sum::<i64>())
    /// });
    /// let answer = respond(&sum, "POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n[1,2,3]");
    /// assert!(answer.ends_with(b"\r\n\r\n6"));
    /// let answer = respond(&sum, "POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n[1,2,x]");
    /// assert!(answer.starts_with(b"HTTP/1.0 400 "));
    /// ```
    ///
    /// # Errors
    /// As [`read_up_to`](Self::read_up_to); and answered with 400 if the body is not JSON, is not what `T` asks for, or is
    /// nested deeper than 128 levels.
    pub fn read_json<T: DeserializeOwned>(&mut self, limit: u64) -> Result<T> {
        let body = self.read_up_to(limit)?;
        serde_json::from_slice(&body).or_status(Status::BAD_REQUEST)
    }
}

impl Exchange<'_> {
    /// Answers with a value as JSON. (Feature `json`.)
    ///
    /// # Errors
    /// Those of [`send_content`](Self::send_content); and if the value can't be JSON, such as a map whose keys are no
    /// texts.
    pub fn send_json<T: Serialize + ?Sized>(
        &mut self,
        status: Status<'_>,
        value: &T,
    ) -> Result<()> {
        let body = serde_json::to_vec(value).map_err(Error::other)?;
        self.send_content(status, "application/json", body)
    }
}
