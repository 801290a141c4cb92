//! [`Error`] and [`Result`] of this crate.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{fmt, io, mem};

pub(crate) use self::fault::Fault;
use crate::Status;

mod fault;

/// The `Result` of this crate and of every hook.
///
/// ```
/// fn limit(text: &str) -> servette::Result<u64> {
///     text.parse().map_err(servette::Error::other)
/// }
/// assert_eq!(limit("100").unwrap(), 100);
/// assert!(limit("many").is_err());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a hook or of the server.
///
/// A hook returns errors with `?`. `From` converts `io::Error` and [`Status`]; [`Error::other`] wraps any other error.
/// If no byte of the response was sent yet, the error is answered with [`status`](Self::status): the status that it was
/// made from, or the status for the fault of the client, or 500. After that the connection is dropped, so the client
/// can't mistake a truncated response for a complete one.
///
/// `Debug` is the same as `Display`, so a `main` that returns `servette::Result<()>` ends with one readable line.
///
/// ```
/// use servette::{Error, Status};
///
/// fn load(id: &str) -> servette::Result<String> {
///     let number: u32 = id.parse().map_err(|_| Status::BAD_REQUEST.with_message("No such number"))?;
///     std::fs::read_to_string(format!("/no/such/directory/{number}")).map_err(Error::other)
/// }
/// assert_eq!(load("x").unwrap_err().status().code(), 400);
/// assert_eq!(load("7").unwrap_err().status().code(), 500);
/// ```
// `None` only while it is dropped.
pub struct Error(Option<Box<Kind>>);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.kind(), f)
    }
}

impl fmt::Debug for Error {
    /// As [`Display`](fmt::Display), so that `fn main() -> servette::Result<()>` ends with one readable line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind().source()
    }
}

impl Drop for Error {
    /// Drops the inner error of the program and catches its panic. A panic during unwinding would abort the process.
    fn drop(&mut self) {
        let kind = self.0.take();
        let _ = guarded(|| {
            drop(kind);
            Ok(())
        });
    }
}

#[derive(Debug)]
enum Kind {
    Status {
        code: u16,
        message: String,
        explain: Option<String>,
    },
    Chosen {
        code: u16,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    Io(io::Error),
    Context {
        context: String,
        source: io::Error,
    },
    Panic(String),
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Status { code, message, .. } => Status::new(*code).with_message(message).fmt(f),
            Kind::Chosen { code, source } => write!(f, "{}: {source}", Status::new(*code)),
            Kind::Io(error) => error.fmt(f),
            Kind::Context { context, source } => write!(f, "{context}: {source}"),
            Kind::Panic(message) => write!(f, "panic: {message}"),
            Kind::Other(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Kind {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Kind::Status { .. } | Kind::Panic(_) => None,
            Kind::Chosen { source, .. } => Some(&**source),
            Kind::Context { source, .. } => Some(source),
            // They are shown as they are.
            Kind::Io(error) => error.source(),
            Kind::Other(error) => error.source(),
        }
    }
}

impl Error {
    fn of(kind: Kind) -> Self {
        Error(Some(Box::new(kind)))
    }

    fn kind(&self) -> &Kind {
        static NONE: Kind = Kind::Panic(String::new());
        self.0.as_deref().unwrap_or(&NONE)
    }

    /// Wraps any error. A hook that returns it answers with 500.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::of(Kind::Other(error.into()))
    }

    /// Makes the error that the client has disconnected. If a hook returns it, the server closes the connection, sends no
    /// response and logs no error.
    ///
    /// ```
    /// use servette::{Error, Status, handler_fn};
    /// use std::{thread, time::Duration};
    ///
    /// # fn is_done() -> bool {
    /// #     true
    /// # }
    /// let handler = handler_fn(|_, x| {
    ///     while !is_done() {
    ///         if x.client_has_disconnected() {
    ///             return Err(Error::client_disconnected());
    ///         }
    ///         thread::sleep(Duration::from_millis(100));
    ///     }
    ///     x.send_content(Status::OK, "text/plain", "done")
    /// });
    /// ```
    pub fn client_disconnected() -> Self {
        io::Error::from(Fault::Gone).into()
    }

    /// Wraps an I/O error with a description of the failed operation.
    pub(crate) fn context(context: impl Into<String>, source: io::Error) -> Self {
        Error::of(Kind::Context {
            context: context.into(),
            source,
        })
    }

    /// Makes an error from a panic. A payload that is not text is leaked, because its destructor may panic again.
    pub(crate) fn panic(payload: Box<dyn Any + Send>) -> Self {
        let text = match payload.downcast::<String>().map(|text| *text) {
            Ok(text) => text,
            Err(payload) => {
                let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
                mem::forget(payload);
                text.unwrap_or_else(|| "with a value that is not a string".into())
            }
        };
        Error::of(Kind::Panic(text))
    }

    /// Returns the message of the panic that this error was made from.
    pub(crate) fn panic_message(&self) -> Option<&str> {
        match self.kind() {
            Kind::Panic(message) => Some(message),
            _ => None,
        }
    }

    /// Returns the status of the response to this error: the status that the error was made from, or 400, 408 or 413
    /// for a fault of the client, or 500 for anything else.
    pub fn status(&self) -> Status<'_> {
        match self.kind() {
            Kind::Status {
                code,
                message,
                explain,
            } => {
                let status = Status::new(*code);
                let status = match message.is_empty() {
                    true => status,
                    false => status.with_message(message),
                };
                match explain {
                    Some(explain) => status.with_explain(explain),
                    None => status,
                }
            }
            Kind::Chosen { code, .. } => Status::new(*code),
            _ => self
                .fault()
                .and_then(Fault::answer)
                .unwrap_or(Status::INTERNAL_SERVER_ERROR),
        }
    }

    /// Returns true if the client is at fault: it disconnected, stopped sending or reading, or sent a body that can't
    /// be read.
    pub fn is_client_fault(&self) -> bool {
        self.fault().is_some_and(|fault| {
            !matches!(fault, Fault::Overlong | Fault::Incomplete | Fault::Late)
        })
    }

    /// Returns true if the error was made from a [`Status`].
    pub(crate) fn is_status(&self) -> bool {
        matches!(self.kind(), Kind::Status { .. } | Kind::Chosen { .. })
    }

    /// Returns true if the error must be logged, because nothing else reports it.
    pub(crate) fn is_to_log(&self) -> bool {
        !matches!(self.kind(), Kind::Status { .. }) && self.fault().is_none()
    }

    /// Returns the fault of the connection, from anywhere in the chain of causes.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self.kind() {
            Kind::Io(error) | Kind::Context { source: error, .. } => Fault::of(error),
            Kind::Other(error) => Fault::in_chain(&**error),
            Kind::Status { .. } | Kind::Chosen { .. } | Kind::Panic(_) => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        // An `Error` that passed through an `io::Write` or `io::Read` is unchanged.
        match error.downcast::<Error>() {
            Ok(inner) => inner,
            Err(error) => Error::of(Kind::Io(error)),
        }
    }
}

impl From<Error> for io::Error {
    fn from(mut error: Error) -> Self {
        match error.0.take().map(|kind| *kind) {
            Some(Kind::Io(error)) => error,
            Some(Kind::Context { context, source }) => {
                io::Error::new(source.kind(), Error::context(context, source))
            }
            kind => io::Error::other(Error(kind.map(Box::new))),
        }
    }
}

impl From<Status<'_>> for Error {
    /// Makes an error that is answered with this status, its message and its explanation:
    /// `Err(Status::NOT_FOUND.into())`.
    fn from(status: Status<'_>) -> Self {
        Error::of(Kind::Status {
            code: status.code(),
            message: status.message().unwrap_or_default().into(),
            explain: status.explain().map(Into::into),
        })
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Error::of(Kind::Other(error))
    }
}

/// Gives an error of another crate, or a missing value, a status.
///
/// The text of the error explains a 4xx on the error page, because it is about the request. For a 5xx it is logged. If
/// the status has an explanation of its own, that is used instead. A fault of the client, such as an error of `rfile`,
/// keeps its own status.
///
/// ```
/// use servette::{OrStatus, Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| {
///     let text = x.rfile.read_text(100)?;
///     let number: u32 = text.parse().or_status(Status::BAD_REQUEST)?;
///     let found = [10, 20].get(number as usize).or_status(Status::NOT_FOUND)?;
///     x.send_content(Status::OK, "text/plain", found.to_string())
/// });
/// let answer = |body: &str| {
///     let length = body.len();
///     let request = format!("POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
///     String::from_utf8(respond(&handler, request)).unwrap()
/// };
/// assert!(answer("1").ends_with("\r\n\r\n20"));
/// assert!(answer("2").starts_with("HTTP/1.0 404 "));
/// assert!(answer("x").contains("invalid digit found in string"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`or_status` works on an `Option`, or a `Result` whose error is an error or a string",
    note = "convert the error first, with `map_err(|_| Status::BAD_REQUEST)?`"
)]
pub trait OrStatus<T> {
    /// Returns the value, or an error that is answered with this status.
    ///
    /// # Errors
    /// The error with the status, or the status if there is no value.
    fn or_status(self, status: Status<'_>) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> OrStatus<T> for Result<T, E> {
    fn or_status(self, status: Status<'_>) -> Result<T> {
        self.map_err(|error| {
            let error = error.into();
            if Fault::in_chain(&*error).is_some() {
                return Error::other(error);
            }
            if status.explain().is_some() {
                return status.into();
            }
            match status.code() {
                ..500 => status.with_explain(&error.to_string()).into(),
                code => Error::of(Kind::Chosen {
                    code,
                    source: error,
                }),
            }
        })
    }
}

impl<T> OrStatus<T> for Option<T> {
    fn or_status(self, status: Status<'_>) -> Result<T> {
        self.ok_or_else(|| status.into())
    }
}

/// Runs code of the program, and turns a panic into an error, so that neither the thread nor the server ends.
pub(crate) fn guarded<T>(code: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|payload| Err(Error::panic(payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_client_is_found_under_any_wrapping() {
        let bare = || io::Error::from(Fault::SlowBody);
        let twice = Error::other(io::Error::other(bare()));
        let ours = Error::other(Error::from(bare()));
        for error in [Error::from(bare()), Error::other(bare()), twice, ours] {
            assert_eq!(error.status().code(), 408);
            assert!(error.is_client_fault());
        }
        assert_eq!(Error::from(io::Error::other("disk")).status().code(), 500);
        assert!(!Error::from(io::Error::from(Fault::Overlong)).is_client_fault());
    }

    #[test]
    fn a_status_survives_the_way_through_io() {
        let status = Status::GONE.with_message("Went").with_explain("away");
        let error = Error::from(io::Error::from(Error::from(status)));
        assert_eq!(error.status(), status);
        assert!(error.is_status());
    }

    /// An error that panics whenever it is used.
    #[derive(Debug)]
    struct Bomb;

    impl std::error::Error for Bomb {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            panic!("on purpose")
        }
    }

    impl fmt::Display for Bomb {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("on purpose")
        }
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Bomb)
        }
    }

    #[test]
    fn an_error_that_panics_is_dropped_even_where_another_panic_unwinds() {
        let [one, other] = [Error::other(Bomb), io::Error::other(Bomb).into()];
        assert_eq!(one.status().code(), 500);
        assert!(!other.is_client_fault());
        let shown = guarded(move || Ok(format!("{one} {other}")));
        assert_eq!(shown.unwrap_err().panic_message(), Some("on purpose"));
    }

    #[test]
    fn errors_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
    }
}
