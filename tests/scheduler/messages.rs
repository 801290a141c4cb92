//! The messages of a stream, as `connection::response_stream` queues them, without a socket.

use std::collections::VecDeque;

use crate::link::Link;

/// Those that were written, and not sent yet.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    queue: VecDeque<usize>,
    sent: usize,
}

impl Link<Messages> {
    /// The writer's side.
    pub(crate) fn write(&self, number: usize) {
        let mut state = self.state();
        if state.fault.is_some() {
            return;
        }
        let was_empty = state.content.queue.is_empty();
        state.content.queue.push_back(number);
        if was_empty {
            self.tell(&mut state);
        }
    }

    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.is_done = true;
        drop(state.take_notify());
        self.tell(&mut state);
    }

    /// The connection's side: sends what is there; true if that is the end.
    pub(crate) fn send_on(&self) -> bool {
        let mut state = self.look();
        while let Some(number) = state.content.queue.pop_front() {
            assert_eq!(number, state.content.sent);
            state.content.sent += 1;
        }
        state.is_done
    }
}
