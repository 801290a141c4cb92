//! What a client sees of a server: one module for each promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod errors;
mod expect_continue;
mod framing;
mod idioms;
mod keep_alive;
mod overriding;
mod pipelining;
mod python_base;
mod raw;
mod requests;
mod support;
