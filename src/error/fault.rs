//! [`Fault`]: a private error that tells a fault of the client from a fault of the handler.

use std::borrow::Cow;
use std::{fmt, io};

use super::{Error, guarded};
use crate::Status;

/// A fault of the connection, inside the `io::Error` of `rfile` and `wfile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body or the connection ended early (RFC 9112, section 8).
    EarlyEnd,
    /// The framing of the body is malformed.
    Malformed {
        code: u16,
        message: Cow<'static, str>,
    },
    /// The client did not send the body in time.
    SlowBody,
    /// The client did not read the response in time.
    SlowReader,
    /// The body exceeds the limit.
    TooLarge,
    /// The body is not UTF-8.
    NotText,
    /// The handler reads the body after the connection left HTTP.
    Late,
    /// The client closed or reset the connection.
    Gone,
    /// The server was shut down and closed the connection.
    Stopped,
    /// The handler wrote a longer body than it had declared. The response is complete.
    Overlong,
    /// The program dropped a response that it had begun.
    Incomplete,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::EarlyEnd => "the request body ended early",
            Fault::Malformed { message, .. } => message,
            Fault::SlowBody => "the client stopped sending the request body (timeout)",
            Fault::SlowReader => "the client stopped reading the response (timeout)",
            Fault::TooLarge => "the request body exceeds the limit",
            Fault::NotText => "the request body is not UTF-8",
            Fault::Late => {
                "rfile can't be read after detach or raw_stream: read the body before, with x.rfile.discard()"
            }
            Fault::Gone => "the client closed the connection",
            Fault::Stopped => "the server was shut down",
            Fault::Overlong => "the handler wrote more bytes than its Content-Length",
            Fault::Incomplete => "the handler ended the response before it was complete",
        })
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// Returns the fault inside an `io::Error`, from anywhere in the chain of causes.
    pub(crate) fn of(error: &io::Error) -> Option<&Fault> {
        error.get_ref().and_then(|inner| Fault::in_chain(inner))
    }

    pub(super) fn in_chain<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Fault> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(fault) = error.downcast_ref::<Fault>() {
                return Some(fault);
            }
            if let Some(error) = error.downcast_ref::<Error>() {
                return error.fault();
            }
            // `source` of an `io::Error` skips the inner error.
            next = match error.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref().map(|inner| inner as _),
                // The error may be one of the program, and panic.
                None => guarded(|| Ok(error.source())).ok().flatten(),
            };
        }
        None
    }

    /// Returns the status of the response; `None` if no client waits for one.
    pub(super) fn answer(&self) -> Option<Status<'_>> {
        Some(match self {
            Fault::EarlyEnd => Status::BAD_REQUEST.with_message("Incomplete request body"),
            Fault::Malformed { code, message } => Status::new(*code).with_message(message),
            Fault::SlowBody => Status::REQUEST_TIMEOUT,
            Fault::TooLarge => Status::CONTENT_TOO_LARGE,
            Fault::NotText => Status::BAD_REQUEST.with_message("The request body is not UTF-8"),
            Fault::SlowReader
            | Fault::Late
            | Fault::Gone
            | Fault::Stopped
            | Fault::Overlong
            | Fault::Incomplete => return None,
        })
    }

    /// Returns true if a response can still reach the client.
    pub(crate) fn is_answerable(&self) -> bool {
        self.answer().is_some()
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::EarlyEnd => io::ErrorKind::UnexpectedEof,
            Fault::Malformed { .. } | Fault::NotText => io::ErrorKind::InvalidData,
            Fault::SlowBody | Fault::SlowReader => io::ErrorKind::TimedOut,
            Fault::TooLarge => io::ErrorKind::FileTooLarge,
            Fault::Gone => io::ErrorKind::ConnectionReset,
            Fault::Stopped | Fault::Incomplete => io::ErrorKind::ConnectionAborted,
            Fault::Overlong | Fault::Late => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, fault)
    }
}
