//! A small HTTP/1.x server: plain blocking handlers, safe by default, in the shape of Python's
//! `http.server`.
//!
//! ```
//! use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
//!
//! struct Hello;
//!
//! impl RequestHandler for Hello {
//!     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
//!         match x.command {
//!             "GET" | "HEAD" => x.send_content(Status::OK, "text/plain", "Hello, World!\n"),
//!             _ => base::do_method(self, x), // 501
//!         }
//!     }
//!
//!     fn protocol_version(&self) -> &str {
//!         "HTTP/1.1" // connections are kept; the default is Python's HTTP/1.0
//!     }
//! }
//!
//! let server = ThreadingHttpServer::bind("127.0.0.1:0", Hello)?;
//! println!("{}", server.info().url("/"));
//! # let stop = server.shutdown_handle();
//! # std::thread::spawn(move || stop.shutdown(std::time::Duration::ZERO));
//! server.serve_forever()?;
//! # Ok::<(), servette::Error>(())
//! ```
//!
//! # Five ideas
//!
//! - **A handler is behaviour.** One value serves all connections, and every hook takes `&self`: nothing
//!   is built per connection, nothing is cloned, no `Arc` is asked for. See [`RequestHandler`].
//! - **An [`Exchange`] is one request and its response.** Its fields are the instance variables of Python's
//!   handler: `command`, `path`, `headers`, `rfile`, `wfile`.
//! - **A module is a class, and calling its function is `super()`.** [`base`] has the hooks of all handlers,
//!   [`simple`] those that serve files. Each hook has a default body, and each body is a function of the same
//!   name: an override of `end_headers` that calls [`base::end_headers`] is `super().end_headers()`, and
//!   error pages and refusals pass through it.
//! - **A [`Layer`] is a subclass, or middleware**: a handler around another one, which calls its overrides. So call hooks on
//!   the exchange, `x.end_headers()`, which knows the outermost handler.
//! - **A [`Connection`] knows no handler.** While it waits it is parked in a poller, so an idle client costs
//!   no thread, and a handler may block as it likes.
//!
//! # Errors and panics
//!
//! Every hook may return an [`Error`] with `?`. As long as nothing of the response was sent, it is answered: with
//! the status that it was made from (`Err(Status::NOT_FOUND.into())`), with 400, 408 or 413 where the
//! client is at fault, else with 500. After that the connection is dropped, so a client can't mistake a truncated
//! response for a complete one. A panic in a hook is treated as such an error, and the server goes on; that needs
//! `panic = "unwind"`, the default. [`Limits`] bound what a client can use.
//!
//! # Layout
//!
//! In the order to read it in, from what a program calls down to the bytes:
//!
//! - [`server`]: [`HttpServer`] and [`ThreadingHttpServer`]: the socket, the poller, the threads;
//!   `shutdown` stops them, [`Limits`] and [`ServerInfo`] are what they are told and tell
//! - [`events`]: server-sent events, on response streams
//! - [`cgi`]: [`RunScripts`] and [`CgiHandler`], scripts that answer
//! - [`simple`]: [`ServeFiles`] and [`SimpleHandler`], files below a directory
//! - [`base`]: [`RequestHandler`] and the bodies of its hooks, [`Layer`]; an exchange from its start to its end
//! - [`Log`]: where lines of the log go, and their format
//! - `exchange`, `status`, `error`: what a hook is given, what it answers, what it may return
//! - `connection`: a client's socket with its buffers, deadlines and framing
//! - `http1`: the message rules, without a socket: bytes in, a value or a refusal out
//! - [`respond`](fn@respond): a handler against bytes in memory, for unit tests and the examples here
//!
//! `docs/recipes.md` in the repository has what programs usually need: a JSON API, forms, cookies, CORS, middleware,
//! uploads, log files, SIGTERM. `docs/design.md` shows how the parts work together, `docs/python.md` has every name of
//! Python's module beside its name here, `docs/files.md` tells how to serve a built site, `docs/listing.md` how
//! directories are listed, and `docs/deploy.md` how to run a server behind a proxy, under systemd, or in a container.
//!
//! # Features
//!
//! None is on by default. `cli` builds the command `servette`; the library is the same with and without it.
//! `tls` adds HTTPS ([`server::Builder`] has `tls`), `self-signed` certificates made at run time, `tls-password` keys that
//! are encrypted, `tls-config` HTTPS with a configuration of your own.
//! `testing` adds `testing`: servers for tests, which can also misbehave; it compiles no further crate. `json` adds
//! `Exchange::read_json`, `Exchange::send_json` and JSON bodies in fixtures (`serde`, `serde_json`), `auth`
//! `Exchange::basic_auth` (`base64`, `subtle`).
#![forbid(unsafe_code)]
// Modules say which of their private parts to read first; in the public pages that is plain text.
#![allow(rustdoc::private_intra_doc_links)]
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
pub use connection::link::Notice;
pub use connection::raw::{DetachedSocket, DetachedStream, RawStream};
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

/// The code in the README and in the pages is compiled, and run, with the tests.
#[cfg(doctest)]
mod pages {
    #[cfg(feature = "testing")]
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/python.md")]
    struct Python;
    #[doc = include_str!("../docs/files.md")]
    struct Files;
    #[doc = include_str!("../docs/listing.md")]
    struct Listing;
    #[doc = include_str!("../docs/design.md")]
    struct Design;
    #[doc = include_str!("../docs/recipes.md")]
    struct Recipes;
    #[doc = include_str!("../docs/deploy.md")]
    struct Deploy;
    #[cfg(feature = "tls")]
    #[doc = include_str!("../docs/tls.md")]
    struct Https;
}
