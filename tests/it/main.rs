//! What the crate promises, seen from outside: one module for each promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod asking;
mod blobs;
mod blocking;
mod built_site;
#[cfg(unix)]
mod cgi;
#[cfg(all(unix, feature = "cli"))]
mod cgi_command;
#[cfg(unix)]
mod cgi_environment;
#[cfg(unix)]
mod cgi_faults;
#[cfg(unix)]
mod cgi_idioms;
#[cfg(unix)]
mod cgi_languages;
#[cfg(unix)]
mod cgi_python;
#[cfg(unix)]
mod cgi_site;
#[cfg(unix)]
mod cgi_uploads;
mod changing;
mod charset;
#[cfg(feature = "cli")]
mod child;
mod client;
#[cfg(feature = "cli")]
mod command;
#[cfg(feature = "cli")]
mod command_options;
mod deadlines;
mod deferred;
mod detached;
mod errors;
mod events;
mod every_response;
mod examples;
mod expect_continue;
mod file_hooks;
mod files;
mod framing;
mod from_tiny_http;
#[cfg(all(unix, feature = "_internals"))]
mod fuzz_corpus;
mod held_responses;
mod hooks;
mod idioms;
mod idle;
mod keep_alive;
mod kept_fields;
#[cfg(feature = "self-signed")]
mod keys;
mod layers;
mod lifesupport;
mod limits;
#[cfg(unix)]
mod links;
mod listeners;
mod listing;
#[cfg(all(unix, feature = "cli"))]
mod listing_clients;
#[cfg(unix)]
mod log_command;
#[cfg(feature = "json")]
mod log_hooks;
mod one_loop;
#[cfg(all(unix, feature = "cli"))]
mod operation;
mod outcome;
#[cfg(feature = "self-signed")]
mod over_tls;
mod overriding;
mod panics;
mod paths;
mod pipelining;
mod plain;
mod precompressed;
#[cfg(target_os = "linux")]
mod pressure;
mod proxied;
mod python_base;
#[cfg(all(unix, feature = "cli"))]
mod python_clients;
#[cfg(all(unix, feature = "cli"))]
mod python_differential;
#[cfg(unix)]
mod python_handlers;
#[cfg(all(unix, feature = "cli"))]
mod range_clients;
mod ranges;
mod raw;
mod requests;
mod responding;
mod shrinking;
mod shutdown;
#[cfg(all(unix, feature = "cli"))]
mod signals;
#[cfg(target_os = "linux")]
mod sizeless;
mod streams;
mod stress;
mod support;
mod tails;
mod testing_bodies;
mod testing_bounds;
mod testing_clients;
mod testing_faults;
mod testing_forward;
mod testing_lifetime;
mod testing_messages;
mod testing_predicates;
mod testing_recording;
mod testing_respond;
mod testing_stubs;
mod testing_waits;
mod threads;
#[cfg(feature = "self-signed")]
mod tls;
#[cfg(feature = "self-signed")]
mod tls_bad_input;
#[cfg(all(unix, feature = "self-signed"))]
mod tls_certificates;
#[cfg(all(unix, feature = "cli"))]
mod tls_clients;
#[cfg(all(unix, feature = "cli"))]
mod tls_command;
#[cfg(feature = "self-signed")]
mod tls_edges;
mod torrent;
mod unread_bodies;
mod upgrades;
mod uploads;
mod validators;
mod webroot;
#[cfg(windows)]
mod windows;
