//! A small HTTP/1.x server. Handlers are plain blocking functions, with the names of Python's
//! [`http.server`](https://docs.python.org/3/library/http.server.html).
//!
//! ```no_run
//! use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
//!
//! struct Hello;
//!
//! impl RequestHandler for Hello {
//!     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
//!         match x.command {
//!             "GET" | "HEAD" => x.send_content(Status::OK, "text/plain", "Hello, World!\n"),
//!             _ => base::do_method(self, x), // 501 Not Implemented
//!         }
//!     }
//!
//!     fn protocol_version(&self) -> &str {
//!         "HTTP/1.1" // keep-alive; the default is Python's HTTP/1.0
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     ThreadingHttpServer::bind("127.0.0.1:8000", Hello)?.serve_forever()
//! }
//! ```
//!
//! A unit test of a handler needs no port: [`respond`](fn@respond) runs it in memory and returns the bytes of the
//! response. (`testing::respond`, with the feature `testing`, returns the parsed response.)
//!
//! ```
//! use servette::{Status, handler_fn, respond};
//!
//! let hello = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", "Hello, World!\n"));
//! let response = String::from_utf8(respond(&hello, "GET / HTTP/1.0\r\n\r\n")).unwrap();
//! assert!(response.starts_with("HTTP/1.0 200 OK\r\n"));
//! assert!(response.ends_with("\r\n\r\nHello, World!\n"));
//! ```
//!
//! # Concepts
//!
//! - **One handler serves all connections.** A [`RequestHandler`] has hooks (`do_method`, `end_headers`,
//!   `send_error`, `log_request` and others), which take `&self`. A handler needs no `Arc`, and may borrow.
//! - **An [`Exchange`] is one request and its response.** Its fields are the instance variables of Python's
//!   handler: `command`, `path`, `headers`, `rfile`, `wfile`.
//! - **Each hook has a default, which is a function.** An override of `end_headers` that calls
//!   [`base::end_headers`] does what `super().end_headers()` does in Python. [`base`] has the hooks of every
//!   handler, [`simple`] those of a file server.
//! - **A [`Layer`] is middleware, or a subclass**: a handler around another handler, whose hooks it overrides.
//!   Call hooks on the exchange, `x.end_headers()`: that calls the outermost override.
//! - **Idle connections occupy no thread.** An event loop watches them; a handler that blocks runs on a bounded
//!   thread pool.
//!
//! There are four ways to make a handler:
//!
//! | to | use |
//! |---|---|
//! | write an application: routes, state, hooks of its own | a type that implements [`RequestHandler`] |
//! | answer requests with one closure, in a test or a small program | [`handler_fn`]`(\|_, x\| ..)`: the first argument is the handler itself, the second the [`Exchange`] |
//! | serve files of a directory | [`SimpleHandler`] |
//! | change some hooks of another handler: login, CORS, logging, cache rules | a type that implements [`Layer`] |
//!
//! They combine: [`Exchange::delegate_to`] lets another handler respond, for a part of the paths or for a host.
//!
//! # Servers and handlers
//!
//! | | |
//! |---|---|
//! | [`ThreadingHttpServer`] | serves many clients at a time |
//! | [`HttpServer`] | serves one request at a time, on the thread that calls it |
//! | [`SimpleHandler`] | serves the files of a directory |
//! | `CgiHandler` (Unix) | serves files, and runs CGI scripts |
//! | [`handler_fn`] | makes a handler of a closure |
//! | [`Builder`](server::Builder) | sets limits, TLS, trusted proxies, the log and more |
//! | `testing::TestServer` (feature `testing`) | a test server: with `Stubs`, a mock server for the tests of an HTTP client |
//!
//! # Errors and panics
//!
//! Every hook may return an [`Error`] with `?`. If nothing of the response was sent yet, the server sends an error
//! response: the status that the error was made of (`Err(Status::NOT_FOUND.into())`), 400, 408 or 413 if the
//! request is at fault, otherwise 500. If some of it was sent, the connection is dropped, so a client can't mistake a
//! truncated response for a complete one. A panic in a hook counts as such an error, and the server goes on. That needs
//! `panic = "unwind"`, the default of Cargo. [`Limits`] has the limits and deadlines for clients; all except
//! the body size have a default.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds | crates |
//! |---|---|---|
//! | `testing` | `testing`: a mock server, which can also fail on purpose | none |
//! | `json` | `Exchange::read_json`, `Exchange::send_json`, JSON in `testing` | `serde`, `serde_json` |
//! | `auth` | `Exchange::basic_auth`: the credentials of Basic authentication | `base64`, `subtle` |
//! | `tls-config` | HTTPS with a `rustls::ServerConfig` of your own | `rustls` |
//! | `tls` | HTTPS with certificate files: `Tls::from_files` | `rustls` with `ring`, which needs a C compiler |
//! | `self-signed` | HTTPS with a certificate made at run time: `Tls::self_signed` | the same, and `rcgen` |
//! | `tls-password` | encrypted keys: `TlsBuilder::password` | the same as `tls`, and `pkcs8` |
//! | `bulk` | large files for less CPU time, on Linux | `socket2` |
//! | `cli` | the command `servette`; a library never needs it | `clap` and others |
//!
//! # Guides
//!
//! The pages of the repository are modules of this documentation: [`guide`]. Start with the
//! [tutorial](guide::tutorial), or come from [Python](guide::python), [tiny_http](guide::from_tiny_http) or
//! [wiremock](guide::from_wiremock). Others are [recipes](guide::recipes), [files](guide::files),
//! [testing](guide::testing), [HTTPS](guide::tls), [CGI](guide::cgi), [deploying](guide::deploy),
//! [security](guide::security) and [performance](guide::performance).
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub use base::{HandlerFn, Layer, RequestHandler, handler_fn};
#[cfg(unix)]
pub use cgi::{CgiHandler, RunScripts};
pub use connection::chunk::Chunk;
pub use connection::deferred::Deferred;
pub use connection::detached::{DetachedSocket, DetachedStream};
pub use connection::link::Notice;
pub use connection::raw::RawStream;
pub use connection::request_body::RequestBody;
pub use connection::response_stream::ResponseStream;
pub use connection::response_writer::ResponseWriter;
pub use connection::{Connection, Next};
pub use error::{Error, OrStatus, Result};
#[cfg(feature = "auth")]
pub use exchange::Credentials;
pub use exchange::{Exchange, Form, Headers, Pairs, Target};
pub use http1::date::HttpDate;
pub use info::{Peer, ServerInfo};
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use respond::respond;
/// The version of [rustls](https://docs.rs/rustls) that [`Tls`] takes a configuration of.
#[cfg(feature = "tls-config")]
pub use rustls;
pub use server::{HttpServer, RunningServer, ThreadingHttpServer};
pub use shutdown::ShutdownHandle;
pub use simple::{Blob, ServeFiles, SimpleHandler};
pub use status::Status;
#[cfg(feature = "self-signed")]
pub use tls::SelfSigned;
#[cfg(feature = "tls")]
pub use tls::{ClientAuth, TlsBuilder};
#[cfg(feature = "tls-config")]
pub use tls::{Tls, TlsInfo};

pub mod server;

pub mod events;

mod clock;
mod info;
mod limits;
mod local_time;
mod log;
mod proxies;
mod shutdown;
mod sys;
#[cfg(feature = "tls-config")]
mod tls;

#[cfg(unix)]
pub mod cgi;
#[cfg(windows)]
#[path = "no_cgi.rs"]
mod cgi;

pub mod simple;

pub mod base;

mod error;
mod exchange;
mod status;

mod connection;

mod http1;

mod respond;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "_internals")]
#[doc(hidden)]
pub mod bench;
#[cfg(feature = "_internals")]
#[doc(hidden)]
pub mod internals;

#[cfg(any(doc, doctest))]
pub mod guide;

/// The code in the README is compiled, and run, with the tests.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../README.md")]
struct Readme;
