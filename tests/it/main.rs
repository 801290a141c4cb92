//! Tests through real sockets, a module for each promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod examples;
#[cfg(feature = "_internals")]
mod fuzz_corpus;
