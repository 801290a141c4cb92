//! Much data, where the system has nothing that makes it cheaper.

use std::fs::File;
use std::io;

use rustix::net::{RecvFlags, SendFlags};

use crate::sys::BorrowedSocket;

/// More follows at once: there is no such flag.
pub(super) const MORE: SendFlags = SendFlags::empty();

/// Has TCP drop what it would receive: there is no such flag.
pub(super) const DROP: Option<RecvFlags> = None;

pub(super) fn send_file(
    _: BorrowedSocket<'_>,
    _: &File,
    _: &mut u64,
    _: usize,
) -> io::Result<Option<usize>> {
    Ok(None)
}

pub(super) fn set_cork(_: BorrowedSocket<'_>, _: bool) {}

pub(super) fn set_little_unsent(_: BorrowedSocket<'_>, _: bool) {}
