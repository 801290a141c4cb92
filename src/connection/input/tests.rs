#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::connection::stream::Stream;
use crate::connection::{Buffers, Connection, Lingers, Readiness};
use crate::info::{Peer, ServerInfo};
use crate::shutdown::ShutdownHandle;

const LIMIT: usize = 1 << 18;

/// A thread, as far as connections know it.
#[derive(Default)]
struct Thread {
    buffer: Vec<u8>,
    places: Places,
}

impl Thread {
    fn lend(&mut self, input: &mut Input) {
        input.lend(&mut self.buffer, &mut self.places);
    }

    fn reclaim(&mut self, input: &mut Input) {
        input.reclaim(&mut self.buffer, &mut self.places);
    }

    /// One that has served a connection.
    fn used() -> Self {
        let (mut thread, mut input) = (Thread::default(), Input::default());
        thread.lend(&mut input);
        thread.reclaim(&mut input);
        thread
    }

    /// What is kept of this between two events.
    fn receive(&mut self, input: &mut Input, bytes: &[u8]) {
        self.lend(input);
        receive(input, bytes);
        self.reclaim(input);
    }
}

fn receive(input: &mut Input, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let room = input.room_for_head(LIMIT);
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        input.end += count;
        bytes = &bytes[count..];
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn little_is_read_beyond_a_usual_head_and_more_of_a_long_one() {
    let mut input = Input::default();
    Thread::default().lend(&mut input);
    assert_eq!(input.room_for_head(LIMIT).len(), FIRST);
    input.end = FIRST;
    assert_eq!(input.room_for_head(LIMIT).len(), BUFFER - FIRST);
}

#[test]
fn a_few_unread_bytes_are_copied_and_the_thread_has_its_buffer_back() {
    let (mut thread, mut other, mut input) = (Thread::used(), Thread::used(), Input::default());
    let buffer = thread.buffer.as_ptr();
    for length in [1, 100, FEW] {
        let before = input.pending();
        thread.receive(&mut input, &text(length)[before..]);
        assert_eq!(
            (thread.buffer.as_ptr(), thread.buffer.len()),
            (buffer, BUFFER)
        );
        assert_eq!(input.buffer.capacity(), length);
        other.lend(&mut input);
        assert_eq!(input.unread(), text(length));
        other.reclaim(&mut input);
    }
}

#[test]
fn a_long_head_stays_where_it_is() {
    let (mut thread, mut input) = (Thread::used(), Input::default());
    let buffer = thread.buffer.as_ptr();
    thread.receive(&mut input, &text(FEW + 1));
    assert_eq!(thread.buffer.as_ptr(), buffer);
    let own = input.buffer.as_ptr();
    assert_ne!(own, buffer);
    // Also if a thread has no buffer that it could lend, and takes none.
    for thread in [&mut thread, &mut Thread::default()] {
        let before = thread.buffer.as_ptr();
        let length = input.pending() + 1;
        thread.receive(&mut input, &text(length)[length - 1..]);
        assert_eq!(input.unread(), text(length));
        assert_eq!(
            (input.buffer.as_ptr(), thread.buffer.as_ptr()),
            (own, before)
        );
    }
    thread.lend(&mut input);
    input.split(0, input.pending());
    thread.reclaim(&mut input);
    assert_eq!(thread.buffer.as_ptr(), buffer);
}

#[test]
fn a_long_head_takes_little_more_than_its_limit() {
    let mut thread = Thread::used();
    for step in [1000, 5000, LIMIT] {
        let (mut input, text) = (Input::default(), text(LIMIT));
        let (mut buffer, mut moves) = (input.buffer.as_ptr(), 0);
        for piece in text.chunks(step) {
            thread.receive(&mut input, piece);
            let is_small = input.pending() <= FEW;
            let most = 2 * (input.pending() + AHEAD);
            assert!(is_small || input.buffer.capacity() <= most.max(BUFFER));
            moves += usize::from(!is_small && input.buffer.as_ptr() != buffer);
            buffer = input.buffer.as_ptr();
        }
        assert_eq!(input.unread(), text);
        assert!(
            input.buffer.capacity() <= LIMIT + FEW,
            "{}",
            input.buffer.capacity()
        );
        assert!(moves < 6, "{moves} copies");
    }
}

#[test]
fn nothing_is_kept_of_a_head_that_is_done() {
    let mut thread = Thread::used();
    for length in [1, 100, FEW, FEW + 1, BUFFER, LIMIT] {
        let mut input = Input::default();
        for at_once in [false, true] {
            thread.lend(&mut input);
            receive(&mut input, &text(length));
            if !at_once {
                thread.reclaim(&mut input);
                thread.lend(&mut input);
            }
            // The head is answered, and a few bytes of the next one are there already.
            input.split(0, length - 1);
            thread.reclaim(&mut input);
            assert_eq!((input.pending(), input.buffer.capacity()), (1, 1));
            thread.lend(&mut input);
            assert_eq!(input.unread(), &text(length)[length - 1..]);
            input.split(0, 1);
            thread.reclaim(&mut input);
            assert_eq!((input.pending(), input.buffer.capacity()), (0, 0));
            assert_eq!(thread.buffer.len(), BUFFER);
        }
    }
}

#[test]
fn nothing_is_kept_of_a_head_that_is_refused() {
    let (ours, mut theirs) = crate::sys::signal_pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let stream = Stream::of_pair(ours);
    let server = Arc::new(ServerInfo::new(
        vec![Peer::Memory],
        ShutdownHandle::new(),
        false,
    ));
    let limits = Arc::new(Limits::default());
    let mut conn = Connection::new(stream, Peer::Memory, server, limits.clone());
    let mut buffers = Buffers::default();
    let head = format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(2 * FEW));
    theirs.write_all(head.as_bytes()).unwrap();
    conn.lend(&mut buffers, false);
    assert_eq!(conn.poll_request().unwrap(), Readiness::Pending);
    conn.reclaim(&mut buffers);
    assert!(conn.input.is_own && conn.input.pending() == head.len());
    conn.refuse(Refusal::new(408, ""));
    conn.lend(&mut buffers, false);
    let handler = crate::handler_fn(|_, _| Ok(()));
    let context = crate::exchange::Context {
        handler: &handler,
        is_layered: false,
        router: None,
        scope: &crate::exchange::Scope::new(&handler, "HTTP/1.1", Default::default()),
    };
    conn.exchange(&context, |x, _| {
        assert_eq!(x.requestline, "GET / HTTP/1.1");
        false
    });
    conn.reclaim(&mut buffers);
    assert_eq!(conn.linger(&limits), Lingers::Waits);
    assert_eq!(conn.input.buffer.capacity(), 0);
}
