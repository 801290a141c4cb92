//! [`Request`]: a recorded request.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use percent_encoding::percent_decode_str;

use super::report;
use crate::Result;
use crate::exchange::{Exchange, Pairs, Target};

/// A request that a [`TestServer`](super::TestServer) recorded.
///
/// ```
/// use servette::testing::{TestServer, status};
///
/// let server = TestServer::start(status(201));
/// ureq::post(server.url("/users?role=admin")).send("Ada").unwrap();
///
/// let request = &server.requests()[0];
/// assert_eq!(request.command, "POST");
/// assert_eq!(request.path, "/users");
/// assert_eq!(request.query_value("role").as_deref(), Some("admin"));
/// assert_eq!(request.header("content-length"), Some("3"));
/// assert_eq!(request.text(), "Ada");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The request line, without its line end.
    pub requestline: String,
    /// The method.
    pub command: String,
    /// The path without its query, as sent (percent-encoded).
    pub path: String,
    /// The query, after the question mark, as sent; `None` without one.
    pub query: Option<String>,
    /// The HTTP version, `HTTP/1.1`.
    pub version: String,
    /// Names and values of the headers, in their order and in their own case.
    pub headers: Vec<(String, String)>,
    /// The body without its framing: the part that the handler or the server has read.
    pub body: Vec<u8>,
    /// The bytes of the request, head and body, as they arrived. Bytes that the handler reads with
    /// [`Exchange::raw_stream`](crate::Exchange::raw_stream) are included when the exchange is over. Bytes of a
    /// [detached](crate::Exchange::detach) stream are not included. For a rejected request: all bytes that had
    /// arrived.
    pub bytes: Vec<u8>,
    /// The address of the client; `None` in memory.
    pub client_address: Option<SocketAddr>,
    /// The number of the connection, from 1, in the order of the first requests.
    pub connection: u64,
    /// The time when the head was complete.
    pub at: Instant,
    /// Whether the body was read to its end, or the exchange is over.
    pub is_complete: bool,
    /// Whether `body` or `bytes` has only the start of what arrived: see
    /// [`max_recorded`](super::TestServerBuilder::max_recorded).
    pub is_truncated: bool,
    /// Status and reason, such as `400 Bad Request`, if the server rejected the request before it called the
    /// handler. Such a request has only `bytes`, and `requestline` if that line was complete.
    pub refusal: Option<String>,
    /// Whether the body is longer than its recorded part.
    pub(super) is_body_cut: bool,
}

impl Request {
    /// The request of an exchange, without its body.
    pub(super) fn of(x: &Exchange<'_>) -> Self {
        let (path, query) = match x.path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (x.path, None),
        };
        let field = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Request {
            requestline: x.requestline.to_owned(),
            command: x.command.to_owned(),
            path: path.to_owned(),
            query,
            version: x.request_version.to_owned(),
            headers: x.headers.iter().map(field).collect(),
            body: Vec::new(),
            bytes: Vec::new(),
            client_address: x.client_address.socket_addr(),
            connection: 0,
            at: Instant::now(),
            is_complete: false,
            is_truncated: false,
            refusal: None,
            is_body_cut: false,
        }
    }

    /// Returns the value of the first header with this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// Returns the values of all headers with this name, in any case.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }

    /// Returns the decoded value of the first query parameter with this name.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs()
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// Returns the query parameters, decoded.
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        pairs(self.query.as_deref().unwrap_or_default())
    }

    /// Returns path and query, decoded, as [`Exchange::target`] does for the handler.
    ///
    /// ```
    /// use servette::{Status, handler_fn, testing};
    ///
    /// let handler = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", b""));
    /// let transcript = testing::respond(&handler, "GET /users/a%20b?page=2 HTTP/1.0\r\n\r\n");
    /// let target = transcript.request().target()?;
    /// assert_eq!(target.segments(), ["users", "a b"]);
    /// assert_eq!(target.query_value("page").as_deref(), Some("2"));
    /// # Ok::<(), servette::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the decoded path is not UTF-8.
    pub fn target(&self) -> Result<Target<'_>> {
        Target::of(&self.path, self.query.as_deref())
    }

    /// Returns the path, percent-decoded. Bytes that are not UTF-8 are replaced.
    pub fn decoded_path(&self) -> String {
        percent_decode_str(&self.path).decode_utf8_lossy().into()
    }

    /// Returns the body as text. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Parses the body as JSON, into a `serde_json::Value` or a type of your own. (Feature `json`.)
    ///
    /// # Errors
    /// If the body is not JSON, or does not fit `T`.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.body)
    }

    /// Truncates the body to this size.
    pub(super) fn cut_body(&mut self, most: usize) {
        if self.body.len() > most {
            self.body.truncate(most);
            self.body.shrink_to_fit();
            (self.is_body_cut, self.is_truncated) = (true, true);
        }
    }

    /// Approximate size in memory, in bytes.
    pub(super) fn cost(&self) -> usize {
        let fields = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 48);
        fields.sum::<usize>()
            + self.body.len()
            + self.bytes.len()
            + self.requestline.len() * 2
            + 200
    }
}

/// The parameters of a query, decoded.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    Pairs::of(query).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

impl fmt::Debug for Request {
    /// Formats the request for failure messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::request(f, self)
    }
}
