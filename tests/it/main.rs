//! What the crate promises, seen from outside: one module for each promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod deadlines;
mod examples;
mod hooks;
mod idle;
mod lifesupport;
mod limits;
mod listeners;
#[cfg(target_os = "linux")]
mod pressure;
mod shutdown;
mod stress;
mod threads;
