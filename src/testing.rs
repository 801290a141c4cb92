//! A mock server for tests of HTTP clients, which can also fail on purpose. (Feature `testing`.)
//!
//! ```
//! use servette::testing::{Stubs, TestServer, get, status};
//!
//! let server = TestServer::start(
//!     Stubs::new().on(get("/data").answer(status(503)).then(status(200).body("ok")).expect(2)),
//! );
//!
//! // Give `server.url(..)` to the client under test. Here it is ureq.
//! assert!(ureq::get(server.url("/data")).call().is_err());
//! let mut response = ureq::get(server.url("/data")).call().unwrap();
//! assert_eq!(response.body_mut().read_to_string().unwrap(), "ok");
//!
//! assert_eq!(server.requests()[0].path, "/data");
//! // The server stops here. The test fails if the stub did not get exactly two requests.
//! ```
//!
//! - [`TestServer`] serves any [`RequestHandler`](crate::RequestHandler) on a free port until it is dropped, and
//!   records the requests. [`TestServerBuilder`] has its settings.
//! - [`Stubs`] is a handler made of stubs. A stub has a pattern ([`get`], [`post`], [`any`], [`RequestPattern`]), one or
//!   more answers ([`status`], [`stream`], [`forward`]), and the number of requests that the test expects
//!   ([`Stub::expect`]).
//! - An answer is a canned response ([`Answer`]), or a fault: [`reset`], [`close`], [`hang`], [`raw`]. Methods of
//!   [`Answer`] put a fault at a byte of the response. A response can wait at a [`gate()`] until the test opens it.
//! - [`respond`] runs a handler in memory, without a socket.
//!
//! The guide [`testing`](crate::guide::testing) has recipes, all settings, and the messages of failing tests.
//! [`from_wiremock`](crate::guide::from_wiremock) compares the crate with wiremock and httpmock.

pub use self::answer::{Answer, ChunkFault, status};
pub use self::builder::TestServerBuilder;
pub use self::condition::Verdict;
pub use self::forward::{Forward, forward};
pub use self::gates::Gate;
#[cfg(feature = "self-signed")]
pub use self::https::HttpsFault;
pub use self::matching::RequestPattern;
pub use self::methods::{any, delete, get, head, method, options, patch, post, put};
pub use self::path::{PathPattern, exact, glob, prefix};
pub use self::reply::Reply;
pub use self::request::Request;
pub use self::reserved_port::ReservedPort;
pub use self::respond::{Transcript, respond, respond_or_panic};
pub use self::response::Response;
pub use self::script::{Action, Script, close, gate, hang, pause, raw, reset};
pub use self::server::TestServer;
pub use self::streamed::{Streamed, stream};
pub use self::stub::Stub;
pub use self::stubs::Stubs;

// The server of a test.
mod server;

mod builder;

mod reserved_port;

#[cfg(feature = "self-signed")]
mod https;

// Handlers in memory, without a server.
mod respond;

mod response;

// Recorded requests.
mod request;

mod recording;

mod told;

mod tap;

// Stubs: patterns and their answers.
mod stubs;

mod stub;

mod unmatched;

mod methods;

mod matching;

mod condition;

#[cfg(feature = "json")]
mod json;

mod path;

mod glob;

mod reply;

// Answers and faults.
mod answer;

mod script;

mod streamed;

mod forward;

mod gates;

mod delivery;

// Failure messages.
mod report;

mod diff;
