//! What the crate promises, seen from outside: one module for each promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "cli")]
mod child;
#[cfg(feature = "cli")]
mod command;
mod deadlines;
mod examples;
mod file_hooks;
mod files;
mod hooks;
mod idle;
mod lifesupport;
mod limits;
mod links;
mod listeners;
mod listing;
mod paths;
#[cfg(target_os = "linux")]
mod pressure;
#[cfg(feature = "cli")]
mod python_clients;
#[cfg(feature = "cli")]
mod python_differential;
mod shrinking;
mod shutdown;
#[cfg(feature = "cli")]
mod signals;
mod stress;
mod threads;
mod webroot;
