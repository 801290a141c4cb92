#![doc = include_str!("../docs/testing.md")]

pub use self::answer::{Answer, ChunkFault, status};
pub use self::builder::Builder;
pub use self::gates::Gate;
pub use self::matching::{RequestPattern, any, delete, get, head, method, post, put};
pub use self::path::{PathPattern, exact, glob, prefix};
pub use self::reply::Reply;
pub use self::request::Request;
pub use self::reserved_port::ReservedPort;
pub use self::respond::respond_or_panic;
pub use self::script::{Act, Script, close, gate, hang, pause, raw, reset};
pub use self::server::TestServer;
pub use self::streamed::{Streamed, stream};
pub use self::stub::Stub;
pub use self::stubs::Stubs;
pub use crate::respond::respond;

// A server for a test.
mod server;

mod builder;

mod reserved_port;

// Or none.
mod respond;

// What it has seen.
mod request;

mod recording;

mod told;

mod tap;

// What it answers to what.
mod stubs;

mod stub;

mod matching;

mod condition;

mod path;

mod glob;

mod reply;

// How it answers, and misbehaves.
mod answer;

mod script;

mod streamed;

mod gates;

mod delivery;

// What it says to the person whose test has failed.
mod report;
