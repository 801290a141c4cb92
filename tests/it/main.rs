//! Promises of the crate, each kept against real sockets and real programs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cgi;
mod cgi_client;
#[cfg(feature = "cli")]
mod cgi_command;
mod cgi_environment;
mod cgi_faults;
mod cgi_languages;
mod cgi_python;
mod cgi_site;
