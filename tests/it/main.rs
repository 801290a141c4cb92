//! What the crate promises: one module for each promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "testing")]
mod testing_clients;
#[cfg(feature = "testing")]
mod testing_faults;
#[cfg(feature = "testing")]
mod testing_lifetime;
#[cfg(feature = "testing")]
mod testing_recording;
#[cfg(feature = "testing")]
mod testing_stubs;
