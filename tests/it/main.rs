//! One integration crate; its modules are named for what they promise.
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
mod file_hooks;
mod files;
mod links;
mod listing;
mod paths;
#[cfg(feature = "cli")]
mod python_clients;
#[cfg(feature = "cli")]
mod python_differential;
mod shrinking;
#[cfg(feature = "cli")]
mod signals;
mod webroot;
