//! The locks and the waker of [`super::link`]: those of the standard library and of mio.
//!
//! `tests/scheduler` compiles that file against a model checker's in their place.

pub(super) use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use std::sync::PoisonError;
use std::time::Duration;

pub(super) use mio::Waker;

pub(super) use crate::shutdown::lock;

/// Waits until what the lock guards is so, for this time at the most.
pub(super) fn wait_until<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    most: Duration,
    is_so: impl Fn(&T) -> bool,
) -> MutexGuard<'a, T> {
    let waited = changed.wait_timeout_while(guard, most, |state| !is_so(state));
    waited.unwrap_or_else(PoisonError::into_inner).0
}
