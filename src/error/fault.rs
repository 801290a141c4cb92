//! [`Fault`]: the private mark by which a fault of the client is told from a fault of the handler.

use std::borrow::Cow;
use std::io;

use super::{Error, guarded};
use crate::Status;

/// A fault of the connection, carried inside the `io::Error` of `rfile` and `wfile`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The body, or the connection, ended before its time (RFC 9112, 8).
    #[error("the request body ended early")]
    EarlyEnd,
    /// The body breaks the rules of its framing.
    #[error("{message}")]
    Malformed {
        code: u16,
        message: Cow<'static, str>,
    },
    /// The body did not come in time.
    #[error("the client stopped sending the request body (timeout)")]
    SlowBody,
    /// The client did not take the response in time.
    #[error("the client stopped reading the response (timeout)")]
    SlowReader,
    /// The body is over the limit.
    #[error("the request body exceeds the limit")]
    TooLarge,
    /// The body is no text.
    #[error("the request body is not UTF-8")]
    NotText,
    /// Reset, broken pipe.
    #[error("the client closed the connection")]
    Gone,
    /// The server was shut down and cuts what still runs.
    #[error("the server was shut down")]
    Stopped,
    /// The handler wrote more body than it had declared: its own fault, but the response stands.
    #[error("the handler wrote more bytes than its Content-Length")]
    Overlong,
    /// The program gave up a response that it had begun.
    #[error("the handler ended the response before it was complete")]
    Incomplete,
}

impl Fault {
    /// The mark of an `io::Error`, wherever it stands in the chain of causes.
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
            // `source` of an `io::Error` passes over what the error itself carries.
            next = match error.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref().map(|inner| inner as _),
                // It may be of the program.
                None => guarded(|| Ok(error.source())).ok().flatten(),
            };
        }
        None
    }

    /// The status to answer with; `None` where there is nobody to answer.
    pub(super) fn answer(&self) -> Option<Status<'_>> {
        Some(match self {
            Fault::EarlyEnd => Status::BAD_REQUEST.with_message("Incomplete request body"),
            Fault::Malformed { code, message } => Status::new(*code).with_message(message),
            Fault::SlowBody => Status::REQUEST_TIMEOUT,
            Fault::TooLarge => Status::CONTENT_TOO_LARGE,
            Fault::NotText => Status::BAD_REQUEST.with_message("The request body is not UTF-8"),
            Fault::SlowReader
            | Fault::Gone
            | Fault::Stopped
            | Fault::Overlong
            | Fault::Incomplete => return None,
        })
    }

    /// Whether an answer can still reach the client.
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
            Fault::Overlong => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, fault)
    }
}
