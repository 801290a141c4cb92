use super::*;
use proptest::prelude::*;

const TERMS: Terms = Terms {
    client: Version::Http11,
    is_head: false,
    is_connect: false,
};

/// What a channel does with the responses, without its socket.
struct Line {
    out: Outgoing,
    sent: Vec<u8>,
}

impl Line {
    fn new(terms: Terms) -> Self {
        let mut line = Line {
            out: Outgoing::new(),
            sent: Vec::new(),
        };
        line.out.begin(terms);
        line
    }

    fn head(&mut self, code: u16, fields: &[(&str, &str)]) -> io::Result<HeadKind> {
        self.out.status_line("HTTP/1.1", code, "Phrase");
        for (name, value) in fields {
            self.out.field(name, value);
        }
        self.out.end_fields(false)
    }

    fn send_ready(&mut self) {
        let count = self.out.sendable();
        self.sent.extend_from_slice(&self.out.buffer[..count]);
        self.out.sent(count);
    }

    fn flush(&mut self) {
        self.out.ready_all(false);
        self.send_ready();
    }

    /// Writes as `write_all` does; false where the body is too long.
    fn write(&mut self, mut data: &[u8]) -> bool {
        while !data.is_empty() {
            let count = match self.out.body(data, || false).unwrap() {
                Taken::Refused => return false,
                Taken::Buffered(count) => count,
                Taken::Through(count) => {
                    let suffix = self.out.write_through(count);
                    self.sent.extend_from_slice(&self.out.buffer);
                    self.sent.extend_from_slice(&data[..count]);
                    self.out.sent(self.out.buffer.len().max(1));
                    self.out.buffer.extend_from_slice(suffix);
                    count
                }
            };
            data = &data[count..];
        }
        true
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.finish(false)?;
        self.send_ready();
        Ok(())
    }
}

/// Takes a response apart: its fields in lower case, its body, and what follows it. `None`: it is cut.
fn parse(mut input: &[u8], is_bodiless: bool) -> Option<(String, Vec<u8>, &[u8])> {
    let head = take_through(&mut input, b"\r\n\r\n")?;
    let head = String::from_utf8(head.to_vec()).unwrap().to_lowercase();
    let value = |name: &str| head.split(name).nth(1)?.split("\r\n").next();
    let length = value("\r\ncontent-length: ");
    let coding = value("\r\ntransfer-encoding: ");
    assert!(length.is_none() || coding.is_none(), "{head}");
    let mut body = Vec::new();
    if is_bodiless {
    } else if let Some(length) = length {
        let (whole, rest) = input.split_at_checked(length.parse().unwrap())?;
        body.extend_from_slice(whole);
        input = rest;
    } else if coding == Some("chunked") {
        loop {
            let line = take_through(&mut input, b"\r\n")?;
            let digits = str::from_utf8(&line[..line.len() - 2]).ok()?;
            let size = usize::from_str_radix(digits, 16).ok()?;
            let (chunk, rest) = input.split_at_checked(size)?;
            body.extend_from_slice(chunk);
            input = rest.strip_prefix(b"\r\n")?;
            if size == 0 {
                break;
            }
        }
    } else {
        assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
        body.extend_from_slice(std::mem::take(&mut input));
    }
    Some((head, body, input))
}

fn take_through<'a>(input: &mut &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = input.windows(end.len()).position(|window| window == end)?;
    let (taken, rest) = input.split_at(at + end.len());
    *input = rest;
    Some(taken)
}

/// What a handler declares, measured by the body that it will write.
#[derive(Clone, Copy, Debug)]
enum Declares {
    Nothing,
    Chunked,
    Exactly,
    Less,
    More,
}

#[derive(Clone, Debug)]
enum Act {
    Write(usize),
    Flush,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let size =
        prop_oneof![4 => 0..40_usize, 1 => BUFFER - 200..BUFFER + 200, 1 => 0..100_000_usize];
    let act = prop_oneof![4 => size.prop_map(Act::Write), 1 => Just(Act::Flush)];
    proptest::collection::vec(act, 0..12)
}

fn terms() -> impl Strategy<Value = Terms> {
    (any::<bool>(), any::<bool>()).prop_map(|(is_new, is_head)| Terms {
        client: if is_new {
            Version::Http11
        } else {
            Version::Http10
        },
        is_head,
        is_connect: false,
    })
}

fn declares() -> impl Strategy<Value = Declares> {
    use Declares::*;
    prop_oneof![
        Just(Nothing),
        Just(Chunked),
        Just(Exactly),
        Just(Less),
        Just(More)
    ]
}

proptest! {
    /// The body that was written, the declared part of it, or an error: never something else.
    #[test]
    fn what_is_sent_reads_back_as_what_was_written(
        terms in terms(),
        code in prop::sample::select(vec![200, 404, 204, 205, 304]),
        declares in declares(),
        acts in acts(),
        is_behind_another in any::<bool>(),
        ends_in_time in any::<bool>(),
    ) {
        let total: usize = acts.iter().map(|act| match act { Act::Write(n) => *n, Act::Flush => 0 }).sum();
        let data: Vec<u8> = (0..total).map(|n| (n % 253) as u8).collect();
        let length = match declares {
            Declares::Nothing | Declares::Chunked => None,
            Declares::Exactly => Some(total),
            Declares::Less => Some(total / 2),
            Declares::More => Some(total + 1),
        };
        let mut line = Line::new(terms);
        if is_behind_another {
            line.out.begin(TERMS);
            line.head(200, &[]).unwrap();
            prop_assert!(line.write(b"before"));
            line.out.finish(false).unwrap();
            line.out.begin(terms);
        }
        let text = length.unwrap_or(0).to_string();
        let fields: &[(&str, &str)] = match declares {
            Declares::Nothing => &[],
            Declares::Chunked => &[("Transfer-Encoding", "chunked")],
            _ => &[("Content-Length", &text)],
        };
        line.head(code, fields).unwrap();
        let (mut rest, mut fits) = (&data[..], true);
        for act in &acts {
            match act {
                Act::Write(count) => {
                    let (now, later) = rest.split_at(*count);
                    fits &= line.write(now);
                    rest = later;
                }
                Act::Flush => line.flush(),
            }
        }
        let is_bodiless = terms.is_head || matches!(code, 204 | 205 | 304);
        let finished = ends_in_time && line.finish().is_ok();
        if !finished {
            line.out.give_up();
            line.send_ready();
        }
        prop_assert_eq!(line.out.is_overlong() || !fits, !is_bodiless && length.is_some_and(|n| n < total));
        let mut sent = &line.sent[..];
        if is_behind_another {
            let (_, body, rest) = parse(sent, false).expect("the one before was complete");
            prop_assert_eq!(body, b"before");
            sent = rest;
        }
        let parsed = parse(sent, is_bodiless);
        let expected = &data[..length.unwrap_or(total).min(total)];
        if let Some((head, body, rest)) = &parsed {
            prop_assert!(rest.is_empty());
            // The end of the connection frames it: then the connection must be reset to cut it.
            let ends_with_close = !head.contains("\ncontent-length: ") && !head.contains("chunked");
            if is_bodiless {
                prop_assert!(body.is_empty());
            } else if finished || !ends_with_close {
                prop_assert_eq!(body, expected);
            }
            if head.contains("chunked") && !is_bodiless {
                prop_assert!(finished && terms.client == Version::Http11);
            }
        }
        let lacks = length.is_some_and(|n| n > total) && !is_bodiless;
        prop_assert_eq!(finished, ends_in_time && !lacks);
        if finished {
            prop_assert!(parsed.is_some());
        }
        if lacks {
            prop_assert!(parsed.is_none());
        }
    }

    #[test]
    fn nothing_in_a_field_makes_a_line_of_its_own(name in "\\PC{0,6}|[\\x00-\\xff]{0,6}", value: String) {
        let mut line = Line::new(TERMS);
        let written = line.head(200, &[(&name, &value)]).is_ok();
        if written && line.finish().is_ok() {
            let lines = line.sent.split(|&byte| byte == b'\n').count();
            // Status line, the field, the computed length, the blank line, and nothing behind it.
            prop_assert!(lines <= 5);
            prop_assert!(!line.sent.contains(&0));
        }
    }
}

#[test]
fn an_unsent_response_leaves_no_trace() {
    let mut line = Line::new(TERMS);
    line.head(200, &[("Content-Length", "9"), ("Connection", "close")])
        .unwrap();
    assert!(line.write(b"unsent") && !line.write(b"and more than that"));
    assert!(line.out.must_close() && line.out.is_overlong());
    line.out.drop_unsent();
    line.head(200, &[]).unwrap();
    assert!(line.write(b"new"));
    line.finish().unwrap();
    let expected = b"HTTP/1.1 200 Phrase\r\nContent-Length: 3\r\n\r\nnew";
    assert_eq!(
        line.sent.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
    assert!(!line.out.must_close() && !line.out.is_overlong());
}

#[test]
fn a_response_has_begun_when_its_own_first_byte_is_sent() {
    let mut line = Line::new(TERMS);
    line.head(200, &[]).unwrap();
    line.out.finish(false).unwrap();
    line.out.begin(TERMS);
    line.head(103, &[]).unwrap();
    line.out.insert_interim(b"HTTP/1.1 100 Continue\r\n\r\n");
    line.send_ready();
    assert!(
        !line.out.has_begun(),
        "that was another one, and interim ones"
    );
    line.head(200, &[]).unwrap();
    line.send_ready();
    assert!(!line.out.has_begun(), "it is held");
    line.flush();
    assert!(line.out.has_begun());
}

#[test]
fn an_interim_head_goes_in_before_a_head_that_is_written_already() {
    let mut line = Line::new(TERMS);
    line.out.status_line("HTTP/1.1", 200, "OK");
    line.out.insert_interim(b"HTTP/1.1 100 Continue\r\n\r\n");
    line.out.field("A", "b");
    line.out.end_fields(false).unwrap();
    assert!(line.write(b"x"));
    line.finish().unwrap();
    let expected = "HTTP/1.1 100 Continue\\r\\n\\r\\n\
                    HTTP/1.1 200 OK\\r\\nA: b\\r\\nContent-Length: 1\\r\\n\\r\\nx";
    assert_eq!(line.sent.escape_ascii().to_string(), expected);
}

#[test]
fn connect_and_101_have_no_framing() {
    let connect = Terms {
        is_connect: true,
        ..TERMS
    };
    for (terms, code) in [(connect, 200), (connect, 299), (TERMS, 101)] {
        for field in [("Content-Length", "3"), ("Transfer-Encoding", "chunked")] {
            let mut line = Line::new(terms);
            line.head(code, &[field]).unwrap();
            assert!(line.write(b"tunnel"));
            line.finish().unwrap();
            let sent = String::from_utf8(line.sent).unwrap();
            assert_eq!(sent, format!("HTTP/1.1 {code} Phrase\r\n\r\ntunnel"));
            assert!(line.out.must_close());
        }
    }
    let mut refused = Line::new(connect);
    refused.head(501, &[]).unwrap();
    refused.finish().unwrap();
    assert!(refused.sent.ends_with(b"Content-Length: 0\r\n\r\n"));
}

#[test]
fn room_for_the_bytes_of_a_file_is_counted() {
    let mut line = Line::new(TERMS);
    line.head(200, &[("Content-Length", "5")]).unwrap();
    assert!(line.out.room_for(6).is_none());
    let room = line.out.room_for(4).unwrap();
    room[..2].copy_from_slice(b"ab");
    line.out.filled(4, 2);
    assert_eq!(line.out.left(), Some(3));
    assert!(line.write(b"cde") && !line.write(b"f"));
    line.finish().unwrap();
    assert!(line.sent.ends_with(b"\r\n\r\nabcde"));
}
