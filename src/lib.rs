//! servette
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub use base::{HandlerFn, RequestHandler, handler_fn};
pub use connection::raw::{DetachedStream, RawStream};
pub use connection::request_body::RequestBody;
pub use connection::response_writer::ResponseWriter;
pub use connection::{Connection, Next};
pub use error::{Error, Result};
pub use exchange::{Exchange, Headers};
pub use http1::date::HttpDate;
pub use info::{Peer, ServerInfo};
pub use limits::Limits;
pub use respond::respond;
pub use server::{HttpServer, RunningServer, ThreadingHttpServer};
pub use shutdown::ShutdownHandle;
pub use simple::{ServeFiles, SimpleHandler};
pub use status::Status;

pub mod base;
mod connection;
mod error;
mod exchange;
mod http1;
mod info;
mod limits;
mod respond;
pub mod server;
mod shutdown;
pub mod simple;
mod status;
#[cfg(feature = "testing")]
pub mod testing;
