//! [`Response`]: a parsed response.

use std::fmt;

use super::report;
use crate::Status;
use crate::http1::chunked::{ChunkLimits, Decoder, Piece};

/// Maximum number of headers of a response that can be parsed.
const MOST_FIELDS: usize = 256;

/// A parsed response of a [`Transcript`](super::Transcript): see [`respond`](super::respond()).
///
/// ```
/// use servette::testing::respond;
/// use servette::{Status, handler_fn};
///
/// let gone = handler_fn(|_, x| x.send_error(Status::GONE));
/// let transcript = respond(&gone, "GET / HTTP/1.0\r\n\r\n");
/// let response = transcript.response();
/// assert_eq!((response.status, &*response.reason), (410, "Gone"));
/// assert_eq!(response.header("Content-Type"), Some("text/html;charset=utf-8"));
/// assert!(response.is_complete);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// The HTTP version, `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Names and values of the headers, in their order and in their own case.
    pub headers: Vec<(String, String)>,
    /// The body without its framing. For a response with status 101, and for 2xx to CONNECT: all bytes that
    /// follow.
    pub body: Vec<u8>,
    /// The bytes of the response, head and body.
    pub bytes: Vec<u8>,
    /// Whether the body is as long as its framing says.
    pub is_complete: bool,
}

impl Response {
    /// Returns the value of the first header with this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// Returns the values of all headers with this name, in any case.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_it = move |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        self.headers.iter().filter(is_it).map(|(_, value)| &**value)
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

    /// Whether another response to the same request follows (1xx, except 101).
    pub(super) fn is_interim(&self) -> bool {
        (100..=199).contains(&self.status) && self.status != 101
    }

    /// The responses in these bytes of a connection, up to one that can't be parsed. The methods are those of
    /// the requests, in their order.
    pub(super) fn parse_all<'m>(
        mut bytes: &[u8],
        mut methods: impl Iterator<Item = &'m str>,
    ) -> Vec<Response> {
        let mut responses = Vec::new();
        let mut method = methods.next();
        while let Some(response) = Response::parse(bytes, method.unwrap_or_default()) {
            bytes = bytes.get(response.bytes.len()..).unwrap_or_default();
            if !response.is_interim() {
                method = methods.next();
            }
            responses.push(response);
        }
        responses
    }

    /// The first response in these bytes, to a request with this method.
    fn parse(bytes: &[u8], method: &str) -> Option<Response> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = head.parse(bytes) else {
            return None;
        };
        // Bytes beyond ASCII are Latin-1, as in all heads.
        let latin1 = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect();
        let fields = head.headers.iter();
        let mut response = Response {
            version: format!("HTTP/1.{}", head.version?),
            status: head.code?,
            reason: head.reason?.to_owned(),
            headers: fields
                .map(|field| (field.name.to_owned(), latin1(field.value)))
                .collect(),
            body: Vec::new(),
            bytes: Vec::new(),
            is_complete: true,
        };
        let rest = bytes.get(length..)?;
        let used = response.take_body(rest, method);
        response.bytes = bytes.get(..length + used)?.to_vec();
        Some(response)
    }

    /// Takes the body from the start of these bytes (RFC 9112, 6.3), and returns their number.
    fn take_body(&mut self, bytes: &[u8], method: &str) -> usize {
        let is_tunnel = method == "CONNECT" && (200..=299).contains(&self.status);
        if !is_tunnel && self.status != 101 {
            if method == "HEAD" || !Status::new(self.status).has_content() {
                return 0;
            }
            let coding = self.header_values("Transfer-Encoding").last();
            if coding.is_some_and(|own| own.eq_ignore_ascii_case("chunked")) {
                return self.take_chunks(bytes);
            }
            let length = self.header("Content-Length");
            if let Some(length) = length.and_then(|length| length.parse().ok()) {
                let body = bytes.get(..length).unwrap_or(bytes);
                self.is_complete = body.len() == length;
                self.body = body.to_vec();
                return body.len();
            }
        }
        self.body = bytes.to_vec();
        bytes.len()
    }

    fn take_chunks(&mut self, bytes: &[u8]) -> usize {
        let mut decoder = Decoder::new(ChunkLimits::default());
        let mut rest = bytes;
        loop {
            let (used, piece) = match decoder.next(rest) {
                Ok((used, piece)) => (used, piece),
                Err(_) => (0, Piece::More),
            };
            rest = rest.get(used..).unwrap_or_default();
            match piece {
                Piece::Data(count) => {
                    let (data, behind) = rest.split_at(count.min(rest.len()));
                    self.body.extend_from_slice(data);
                    decoder.take(count);
                    rest = behind;
                }
                Piece::End => return bytes.len() - rest.len(),
                Piece::More => {
                    self.is_complete = false;
                    return bytes.len();
                }
            }
        }
    }
}

impl fmt::Debug for Response {
    /// Formats the response for failure messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.version, self.status, self.reason)?;
        for (name, value) in &self.headers {
            write!(f, "\n    {name}: {}", value.escape_debug())?;
        }
        report::body(f, &self.body, !self.is_complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &str, methods: &[&str]) -> Vec<Response> {
        Response::parse_all(bytes.as_bytes(), methods.iter().copied())
    }

    #[test]
    fn each_response_ends_where_its_framing_says() {
        let bytes = "HTTP/1.1 103 Early Hints\r\n\r\n\
                     HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\
                     HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n\
                     HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
                     HTTP/1.1 200 \r\nX: \u{e9}\r\n\r\nto the end";
        let all = parsed(bytes, &["HEAD", "GET", "GET", "GET"]);
        let seen = all
            .iter()
            .map(|own| (own.status, own.text(), own.is_complete));
        let expected = [
            (103, ""),
            (200, ""),
            (200, "hi!"),
            (304, ""),
            (200, "to the end"),
        ];
        assert!(
            seen.eq(expected.map(|(status, text)| (status, text.to_owned(), true))),
            "{all:?}"
        );
        assert_eq!(
            all.iter().map(|own| own.bytes.len()).sum::<usize>(),
            bytes.len()
        );
        assert_eq!((&*all[1].reason, &*all[4].reason), ("OK", ""));
        assert_eq!(all[4].header("x"), Some("\u{c3}\u{a9}"));
    }

    #[test]
    fn what_is_cut_or_broken_is_incomplete_and_no_response_is_none() {
        for (framing, rest, body) in [
            ("Content-Length: 5", "hi", "hi"),
            ("Transfer-Encoding: chunked", "5\r\nhi", "hi"),
            ("Transfer-Encoding: chunked", "2\r\nhi\r\nzz\r\n", "hi"),
        ] {
            let all = parsed(
                &format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{rest}"),
                &["GET"],
            );
            assert_eq!(
                (all.len(), all[0].is_complete, &*all[0].text()),
                (1, false, body)
            );
        }
        assert_eq!(parsed("", &["GET"]), []);
        assert_eq!(parsed("HTTP/1.1 200 OK\r\n", &["GET"]), []);
        assert_eq!(parsed("garbage\r\n\r\n", &["GET"]), []);
    }

    #[test]
    fn what_follows_a_switch_of_protocols_is_its_body() {
        let (switch, tunnel) = ("HTTP/1.1 101 Go\r\n\r\nping", "HTTP/1.1 200 OK\r\n\r\nping");
        for (bytes, method) in [(switch, "GET"), (tunnel, "CONNECT")] {
            let all = parsed(bytes, &[method]);
            assert_eq!((all.len(), &*all[0].text()), (1, "ping"));
        }
    }
}
