//! Answers in the hands of the program, as in `connection::{handed, response_stream, deferred}`, without a socket.

use std::collections::VecDeque;

use crate::error::Fault;
use crate::link::{Link, Place};
use crate::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) enum Handed {
    Stream(Arc<Link<Messages>>),
    Late(Arc<Link<Option<Answer>>>),
}

/// What is left when the program has done its part.
#[derive(Debug)]
pub(crate) enum Left {
    Nothing,
    /// The request is to be answered by a handler.
    Answer,
}

/// The answer to a request that was put off.
#[derive(Debug)]
pub(crate) struct Answer;

impl Handed {
    pub(crate) fn place(&self, place: Place) {
        match self {
            Handed::Stream(link) => link.place(place),
            Handed::Late(link) => link.place(place),
        }
    }

    pub(crate) fn close(&self, fault: Fault) {
        match self {
            Handed::Stream(link) => drop(link.close(fault)),
            Handed::Late(link) => drop(link.close(fault)),
        }
    }

    /// The connection's side: goes on as far as the program has; none if there is more to come.
    pub(crate) fn go_on(&self) -> Option<Left> {
        match self {
            Handed::Stream(link) => link.send_on().then_some(Left::Nothing),
            Handed::Late(link) => link.look().content.take().map(|Answer| Left::Answer),
        }
    }
}

impl Link<Option<Answer>> {
    pub(crate) fn answer(&self) {
        let mut state = self.state();
        state.is_done = true;
        drop(state.take_notify());
        if state.fault.is_none() {
            state.content = Some(Answer);
            self.hint(&mut state);
        }
    }
}

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
            self.hint(&mut state);
        }
    }

    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.is_done = true;
        drop(state.take_notify());
        self.hint(&mut state);
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
