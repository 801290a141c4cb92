//! JSON bodies of requests and responses (feature `json`).

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Exchange;
use crate::{Error, OrStatus, Result, Status};

impl Exchange<'_> {
    /// Reads the body of the request as JSON, of at most `limit` bytes. (Feature `json`.)
    ///
    /// The request must have `Content-Type: application/json`, or another `application` type that ends with `+json`. To
    /// accept other types, read the body with [`RequestBody::read_up_to`](crate::RequestBody::read_up_to) and parse it.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let sum = handler_fn(|_, x| {
    ///     let numbers: Vec<i64> = x.read_json(10_000)?;
    ///     x.send_json(Status::OK, &numbers.iter().sum::<i64>())
    /// });
    /// let request = "POST / HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n";
    /// let answer = respond(&sum, format!("{request}[1,2,3]"));
    /// assert!(answer.ends_with(b"\r\n\r\n6"));
    /// let answer = respond(&sum, format!("{request}[1,2,x]"));
    /// assert!(answer.starts_with(b"HTTP/1.0 400 "));
    /// ```
    ///
    /// # Errors
    /// - 415 if the `Content-Type` of the request is not JSON.
    /// - 400 if the body is not JSON, does not match `T`, or is nested deeper than 128 levels.
    /// - Errors of [`RequestBody::read_up_to`](crate::RequestBody::read_up_to), such as 413 if the body is longer
    ///   than `limit`.
    pub fn read_json<T: DeserializeOwned>(&mut self, limit: u64) -> Result<T> {
        if !is_json(self.media_type()) {
            let status = Status::UNSUPPORTED_MEDIA_TYPE;
            let explain = "The body must be JSON (Content-Type: application/json)";
            return Err(status.with_explain(explain).into());
        }
        let body = self.rfile.read_up_to(limit)?;
        serde_json::from_slice(&body).or_status(Status::BAD_REQUEST)
    }

    /// Sends a complete response with a value as JSON. (Feature `json`.)
    ///
    /// # Errors
    /// Errors of [`send_content`](Self::send_content); and an error if the value can't be written as JSON, for example
    /// a map with keys that are not strings.
    pub fn send_json<T: Serialize + ?Sized>(
        &mut self,
        status: Status<'_>,
        value: &T,
    ) -> Result<()> {
        let body = serde_json::to_vec(value).map_err(Error::other)?;
        self.send_content(status, "application/json", body)
    }
}

/// Returns true for `application/json`, and for types with the suffix `+json` such as `application/problem+json` (RFC
/// 6839, section 3.1).
fn is_json(media_type: &str) -> bool {
    let Some((kind, subtype)) = media_type.split_once('/') else {
        return false;
    };
    let subtype = subtype.to_ascii_lowercase();
    kind.eq_ignore_ascii_case("application") && (subtype == "json" || subtype.ends_with("+json"))
}
