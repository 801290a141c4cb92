//! [`Context`]: the handler that answers an exchange, and the [`Scope`] of the request.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::fmt;

use crate::RequestHandler;
use crate::error::guarded;

/// The handler that answers an exchange, and its place among other handlers.
pub(crate) struct Context<'a> {
    /// The outermost handler.
    pub(crate) handler: &'a dyn RequestHandler,
    /// Whether the handler is a layer or a branch. Then the handlers inside call every hook on it.
    pub(crate) is_layered: bool,
    /// The context of the router, if the handler is a branch of it.
    pub(crate) router: Option<&'a Context<'a>>,
    pub(crate) scope: &'a Scope<'a>,
}

/// The state of a request, which all handlers share that it is delegated to.
pub(crate) struct Scope<'a> {
    /// The HTTP version of the response; later values of the hook are ignored.
    pub(crate) version: &'a str,
    /// The handler of the server.
    pub(crate) first: &'a dyn RequestHandler,
    /// Whether `log_line` of the first handler is running.
    pub(crate) is_logging: Cell<bool>,
    /// Whether `log_request` of the first handler is running.
    pub(crate) is_logging_request: Cell<bool>,
    /// Whether a line is logged when the request ends.
    pub(crate) is_to_log: Cell<bool>,
    /// The status code of the request whose line is being logged; 0 while a message is logged.
    pub(crate) logged_code: Cell<u16>,
    /// Whether the message of an error page is being logged.
    pub(crate) logs_page: Cell<bool>,
    /// The depth of nested calls through the exchange.
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

/// A list of values of different types. Values are never removed.
#[derive(Default)]
pub(crate) struct Data(Entry);

/// A value and the rest of the list; empty at the end.
type Entry = OnceCell<Box<(Box<dyn Any + Send>, Data)>>;

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Data")
    }
}

impl Drop for Data {
    /// Drops one value after the other. Nested drops of a long list would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.0.take();
        // A destructor of the program may panic.
        let _ = guarded(|| {
            while let Some(mut entry) = next.take() {
                next = entry.1.0.take();
            }
            Ok(())
        });
    }
}

/// A text that the exchange itself keeps. The type is private, so no handler finds it.
struct Text(String);

impl Data {
    pub(super) fn push(&self, value: Box<dyn Any + Send>) {
        // The entry at the end is empty.
        let _ = self.end().set(Box::new((value, Data::default())));
    }

    /// Keeps a text as long as the exchange lives, and returns it.
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

    /// Returns the last value of this type.
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
