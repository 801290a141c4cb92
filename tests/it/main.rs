//! What the crate promises, one module for each promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod deadlines;
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
