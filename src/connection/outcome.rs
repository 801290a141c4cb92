//! [`Outcome`]: the result of an exchange.

use std::fmt;
use std::time::Duration;

/// The result of an exchange, for an access log; passed to [`Layer::end_request`](crate::Layer::end_request).
///
/// Bytes count as sent when the operating system has accepted them. If the client disconnects, it may have received fewer.
/// At most 32 KiB of a response wait in the server's own buffer when its handler returns; they count as sent, too, and so do
/// the bytes of a write in the handler that fails. Bytes that bypass the response ([`Exchange::detach`](crate::Exchange::detach),
/// [`Exchange::raw_stream`](crate::Exchange::raw_stream)) are not counted.
///
/// ```
/// use servette::base::Outcome;
/// use servette::{Exchange, Layer, RequestHandler};
///
/// struct Timed<H>(H);
///
/// impl<H: RequestHandler> Layer for Timed<H> {
///     fn inner(&self) -> &dyn RequestHandler {
///         &self.0
///     }
///     fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
///         // GET /a.txt: 200 1234 0.000089
///         println!("{} {}: {outcome}", x.command, x.path);
///         self.0.end_request(x, outcome);
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The status code of the response; 0 if there was no response.
    pub code: u16,
    /// The number of bytes of the response that were sent, including its head.
    pub bytes: u64,
    /// The number of bytes of the body that were sent, including the chunk framing and without the head.
    pub body_bytes: u64,
    /// The time from the end of the request's head until the response was complete or its connection was dropped.
    pub elapsed: Duration,
    /// Whether the response is incomplete and its connection was dropped: the client disconnected or was too slow, the
    /// server stopped, or the handler or its [`ResponseStream`](crate::ResponseStream) failed after the response had begun.
    pub is_cut: bool,
}

impl fmt::Display for Outcome {
    /// Writes code, bytes and seconds, such as `200 1234 0.000089`, and then ` cut` if the response is incomplete.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let cut = if self.is_cut { " cut" } else { "" };
        write!(f, "{} {} {seconds:.6}{cut}", self.code, self.bytes)
    }
}
