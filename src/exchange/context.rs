//! [`Context`]: the handler that answers an exchange, and what is decided once for the whole of it.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::fmt;

use crate::RequestHandler;
use crate::error::guarded;

/// What an exchange knows of the handler that answers it.
pub(crate) struct Context<'a> {
    /// The outermost handler.
    pub(crate) handler: &'a dyn RequestHandler,
    /// It is a layer, or a branch of another handler: the handlers inside ask it for every hook.
    pub(crate) is_layered: bool,
    /// It is a branch of another handler.
    pub(crate) is_branch: bool,
    pub(crate) scope: &'a Scope<'a>,
}

/// What belongs to a request, whichever handlers it is handed on to.
pub(crate) struct Scope<'a> {
    /// The version of HTTP that this exchange speaks, whatever hooks say later.
    pub(crate) version: &'a str,
    /// The handler that the server was given.
    pub(crate) first: &'a dyn RequestHandler,
    /// It is writing a line to the log.
    pub(crate) is_logging: Cell<bool>,
    /// It logs the request.
    pub(crate) is_logging_request: Cell<bool>,
    /// The log gets a line of this request at its end.
    pub(crate) is_to_log: Cell<bool>,
    /// The line that is being written is that of the request, which is answered with this code; 0: it is a message.
    pub(crate) logged_code: Cell<u16>,
    /// The message that is being logged is that of an error page.
    pub(crate) logs_page: Cell<bool>,
    /// How deep calls through the exchange are nested.
    pub(super) depth: Cell<u8>,
    pub(crate) data: Data,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(first: &'a dyn RequestHandler, version: &'a str, data: Data) -> Self {
        Scope {
            version,
            first,
            is_logging: Cell::new(false),
            is_logging_request: Cell::new(false),
            is_to_log: Cell::new(false),
            logged_code: Cell::new(0),
            logs_page: Cell::new(false),
            depth: Cell::new(0),
            data,
        }
    }
}

/// Values of different types, of which none is ever taken out.
#[derive(Default)]
pub(crate) struct Data(Entry);

/// A value and those behind it; at the end there is none.
type Entry = OnceCell<Box<(Box<dyn Any + Send>, Data)>>;

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Data")
    }
}

impl Drop for Data {
    /// One value after the other: many of them, each inside the one before, would take all of the stack.
    fn drop(&mut self) {
        let mut next = self.0.take();
        // They are the program's, and may panic.
        let _ = guarded(|| {
            while let Some(mut entry) = next.take() {
                next = entry.1.0.take();
            }
            Ok(())
        });
    }
}

/// One of our own, which no program asks for.
struct Text(String);

impl Data {
    pub(super) fn push(&self, value: Box<dyn Any + Send>) {
        // It is empty.
        let _ = self.end().set(Box::new((value, Data::default())));
    }

    /// The text, for as long as the exchange lasts.
    pub(super) fn keep(&self, text: String) -> Option<&String> {
        let entry = self
            .end()
            .get_or_init(|| Box::new((Box::new(Text(text)), Data::default())));
        entry.0.downcast_ref().map(|Text(text)| text)
    }

    fn end(&self) -> &Entry {
        let mut end = &self.0;
        while let Some(entry) = end.get() {
            end = &entry.1.0;
        }
        end
    }

    /// The last value of this type.
    pub(super) fn last<T: 'static>(&self) -> Option<&T> {
        let mut found = None;
        let mut at = self;
        while let Some(entry) = at.0.get() {
            found = entry.0.downcast_ref().or(found);
            at = &entry.1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_are_dropped_on_a_small_stack() {
        let small = std::thread::Builder::new().stack_size(64 << 10);
        let dropping = small.spawn(|| {
            let data = Data::default();
            (0..5000).for_each(|number: i32| data.push(Box::new(number)));
            assert_eq!(data.last(), Some(&4999));
        });
        dropping.unwrap().join().unwrap();
    }
}
