//! Whole connections. Input: a byte that chooses the handler (bit 1: files, not echo) and its version
//! (bit 0: HTTP/1.1, not 1.0), then what the client sends before it closes.
//!
//! What must be answered is foretold from the rules for heads and from the second decoder for chunks,
//! and what was answered is read by [`response`], which is no part of the crate either.

use std::path::Path;

use servette::internals::{Head, check_request_line, find_head, log_line, parse_head};
use servette::{Limits, SimpleHandler, respond};

use self::handlers::{Echo, Files, Record};
use self::response::Response;
use super::chunked::{End, reference};
use super::has_option;

mod handlers;
mod response;

/// What stands in the file beside the tree.
const SECRET: &[u8] = b"SECRET-OUTSIDE";

/// Every request is answered once and in order, a bad one at the end; and every answer is well formed.
/// `tree` is the directory to serve.
pub fn check(tree: &Path, data: &[u8]) {
    let Some((&flags, input)) = data.split_first() else {
        return;
    };
    // More would fill the buffers, whose limits are not foretold here.
    if input.len() > 8192 {
        return;
    }
    let version = ["HTTP/1.0", "HTTP/1.1"][usize::from(flags & 1)];
    let is_files = flags & 2 != 0;
    let (output, record) = if is_files {
        let simple = SimpleHandler::new(tree).with_protocol_version(version);
        let handler = Files(simple, Record::default());
        (respond(&handler, input), handler.1)
    } else {
        let handler = Echo(version, Record::default());
        (respond(&handler, input), handler.1)
    };
    let told = Told { version, is_files };
    let events = told.events(input);
    let seen: Vec<(String, String)> = events.iter().filter_map(Event::seen).collect();
    assert_eq!(record.seen(), seen, "what handlers were given");
    check_log(&record);

    let mut rest = &output[..];
    for (i, event) in events.iter().enumerate() {
        let response;
        (response, rest) = told.next_response(event, rest);
        told.check_fate(event, &response, i + 1 == events.len());
    }
    assert!(rest.is_empty(), "more answers: {}", rest.escape_ascii());
    if is_files && !contains(input, SECRET) {
        assert!(!contains(&output, SECRET), "left the tree");
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A line of the log is one line, whatever was in the request.
fn check_log(record: &Record) {
    for message in record.logged() {
        let line = log_line("address", "date", format_args!("{message}"));
        let text = line.strip_suffix('\n').expect("a line end");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// What happens on a connection.
enum Event {
    /// A request; the data of its body, and whether that came to its end.
    Request(Head, Vec<u8>, bool),
    /// A refusal with this status code.
    /// The code, and whether the request line, if it was complete, asked with HEAD.
    Refusal(u16, bool),
}

impl Event {
    fn seen(&self) -> Option<(String, String)> {
        match self {
            Event::Request(head, ..) => Some((head.command.clone(), head.path.clone())),
            Event::Refusal(..) => None,
        }
    }
}

/// Whether the message has a complete request line that begins with HEAD.
fn asks_with_head(mut message: &[u8]) -> bool {
    for _ in 0..Limits::default().empty_lines {
        let rest = message.strip_prefix(b"\r\n");
        message = rest.or(message.strip_prefix(b"\n")).unwrap_or(message);
    }
    message.contains(&b'\n') && message.starts_with(b"HEAD ")
}

/// What is known of the server.
struct Told {
    version: &'static str,
    is_files: bool,
}

impl Told {
    /// What must happen, up to the first thing that ends the connection.
    fn events(&self, input: &[u8]) -> Vec<Event> {
        let (limits, mut rest, mut events) = (Limits::default(), input, Vec::new());
        loop {
            let message = rest;
            let parsed = match find_head(rest, &[rest.len()], &limits) {
                Ok(None) => {
                    let refused = check_request_line(rest, &limits).err();
                    events.extend(
                        refused.map(|(code, _)| Event::Refusal(code, asks_with_head(rest))),
                    );
                    return events;
                }
                Ok(Some((start, end))) => {
                    let head = parse_head(&rest[start..end], &limits);
                    rest = &rest[end..];
                    head
                }
                Err(refusal) => Err(check_request_line(rest, &limits).err().unwrap_or(refusal)),
            };
            let head = match parsed {
                Ok(head) => head,
                Err((code, _)) => {
                    events.push(Event::Refusal(code, asks_with_head(message)));
                    return events;
                }
            };
            let (data, length) = body(&head, rest);
            let persists = self.persists(&head, &data);
            events.push(Event::Request(head, data, length.is_some()));
            match length {
                Some(length) if persists => rest = &rest[length..],
                _ => return events,
            }
        }
    }

    /// Whether the next request on the connection is served.
    fn persists(&self, head: &Head, data: &[u8]) -> bool {
        self.version == "HTTP/1.1" && head.keep_alive && !self.ends_with_close(head, data)
    }

    /// Whether the response to a request whose body is whole has no other end than that of the connection.
    fn ends_with_close(&self, head: &Head, data: &[u8]) -> bool {
        let streams = match handlers::mode(&head.path) {
            2 | 5 => !data.is_empty(),
            3 | 6 => true,
            _ => false,
        };
        let may_chunk = self.version == "HTTP/1.1" && head.is_http11;
        let is_tunnel = head.command == "CONNECT";
        !self.is_files && (is_tunnel || (streams && !may_chunk && head.command != "HEAD"))
    }

    /// Reads the final response to `event`, and checks what it says; with what follows it.
    fn next_response<'a>(&self, event: &Event, mut rest: &'a [u8]) -> (Response, &'a [u8]) {
        let (is_head, is_connect, is_http11) = match event {
            Event::Request(head, ..) => (
                head.command == "HEAD",
                head.command == "CONNECT",
                head.is_http11,
            ),
            Event::Refusal(_, is_head) => (*is_head, false, true),
        };
        let response = loop {
            let response;
            (response, rest) = Response::read(rest, is_head, is_connect);
            if response.code >= 200 {
                break response;
            }
            let waits = matches!(event, Event::Request(head, ..) if head.expects_continue);
            assert!(response.code == 100 && waits, "{response:?}");
        };
        assert_eq!(response.version, self.version);
        assert_eq!(response.values("Date").count(), 1, "{response:?}");
        assert_eq!(response.values("Server").count(), 1, "{response:?}");
        if response.is_chunked() {
            assert!(is_http11 && self.version == "HTTP/1.1", "{response:?}");
        }
        match event {
            Event::Refusal(code, _) => assert_eq!(response.code, *code),
            Event::Request(head, ..) if self.is_files => check_files(head, &response),
            Event::Request(head, data, is_whole) => check_echo(head, data, *is_whole, &response),
        }
        (response, rest)
    }

    /// What the response says about the connection is what becomes of it.
    fn check_fate(&self, event: &Event, response: &Response, is_last: bool) {
        let says_close = has_option(&response.fields, "Connection", "close");
        let says_keep = has_option(&response.fields, "Connection", "keep-alive");
        assert!(!(says_close && says_keep), "{response:?}");
        if !is_last {
            assert!(response.is_delimited && !says_close, "{response:?}");
        }
        let speaks = self.version == "HTTP/1.1";
        match event {
            Event::Refusal(..) => assert!(is_last && says_close && response.is_delimited),
            Event::Request(head, ..) if head.command == "CONNECT" && response.code < 300 => {
                assert!(is_last && !response.is_delimited);
            }
            Event::Request(head, data, true) => {
                let persists = self.persists(head, data);
                // A server of 1.0 need not say what goes without saying.
                assert!(!says_close || !persists, "{response:?}");
                assert!(says_close || persists || !speaks, "{response:?}");
                assert_eq!(says_keep, persists && !head.is_http11, "{response:?}");
            }
            // An answer that was begun before its request turned out to be bad.
            Event::Request(..) if self.is_files || response.code == 200 => assert!(is_last),
            Event::Request(..) => assert!(is_last && says_close, "{response:?}"),
        }
        assert!(!response.is_cut || is_last);
    }
}

/// The data of a body as far as it is here, and its length if it ends.
fn body(head: &Head, rest: &[u8]) -> (Vec<u8>, Option<usize>) {
    match head.length {
        Some(length) => match usize::try_from(length).ok().and_then(|n| rest.get(..n)) {
            Some(data) => (data.to_vec(), Some(data.len())),
            None => (rest.to_vec(), None),
        },
        None => {
            let decoded = reference(rest, &Limits::default());
            let length = match decoded.end {
                End::Whole(length) => Some(length),
                End::Part | End::Refused => None,
            };
            (decoded.data, length)
        }
    }
}

fn check_echo(head: &Head, data: &[u8], is_whole: bool, response: &Response) {
    let is_head = head.command == "HEAD";
    let has_begun = handlers::mode(&head.path) == 5 && !data.is_empty() && !is_head;
    if is_whole || has_begun {
        assert_eq!(response.code, 200, "{response:?}");
        let expected = if is_head { b"" } else { data };
        assert_eq!(response.body, expected);
        assert_eq!(response.is_cut, !is_whole && response.is_chunked());
    } else {
        assert_eq!(
            (response.code, response.is_cut),
            (400, false),
            "{response:?}"
        );
    }
}

fn check_files(head: &Head, response: &Response) {
    assert!(response.is_delimited && !response.is_cut, "{response:?}");
    let codes: &[u16] = match &*head.command {
        "GET" | "HEAD" => &[200, 301, 304, 404],
        _ => &[501],
    };
    assert!(codes.contains(&response.code), "{response:?}");
    let locations: Vec<&str> = response.values("Location").collect();
    match response.code {
        301 => {
            assert!(locations.len() == 1 && locations[0].starts_with('/'));
            let second = locations[0].as_bytes().get(1);
            assert!(!matches!(second, Some(b'/' | b'\\')), "{locations:?}");
        }
        _ => assert!(locations.is_empty()),
    }
}
