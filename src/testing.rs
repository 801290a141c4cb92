#![doc = include_str!("../docs/testing.md")]

pub use self::answer::{Answer, ChunkFault, status};
pub use self::builder::Builder;
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

// A server for a test.
mod server;

mod builder;

mod reserved_port;

#[cfg(feature = "self-signed")]
mod https;

// Or none.
mod respond;

mod response;

// What it has seen.
mod request;

mod recording;

mod told;

mod tap;

// What it answers to what.
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

// How it answers, and misbehaves.
mod answer;

mod script;

mod streamed;

mod forward;

mod gates;

mod delivery;

// What it says to the person whose test has failed.
mod report;

mod diff;
