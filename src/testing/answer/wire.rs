//! [`Wire`]: the bytes of an [`Answer`] with a fault.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use super::{Answer, At, ChunkFault};
use crate::Status;
use crate::exchange::Exchange;
use crate::testing::script::{Action, Steps, hang};

/// Maximum size of a body that is copied behind its head and sent in one write with it.
const ONE_WRITE: usize = 64 << 10;

/// The bytes of an answer, and the actions between them.
pub(super) struct Wire<'a> {
    answer: &'a Answer,
    /// The interim responses, the head, and a small body.
    head: Vec<u8>,
    /// A large body.
    body: Cow<'a, [u8]>,
    acts: Vec<(usize, &'a Action)>,
}

impl Answer {
    /// Renders the answer. The error is the reason why it can't be sent.
    pub(super) fn wire<'a>(&'a self, x: &Exchange<'_>, body: &'a [u8]) -> Result<Wire<'a>, String> {
        let version = x.channel().observed().version("HTTP/1.1");
        let has_content = x.command != "HEAD" && Status::new(self.status).has_content();
        let mut head = self.render_interim(version);
        let interim = head.len();
        head.extend(self.render_head(version, body.len()));
        let in_head = head.len() - interim;

        let mut acts: Vec<_> = self.acts.iter().collect();
        acts.sort_by_key(|(at, _)| *at);
        // Pairs of a number of content bytes, and the offset on the wire, from the end of the head, after them.
        let mut marks = Vec::new();
        for (at, act) in &acts {
            match *at {
                At::Head(byte) if byte > in_head => {
                    return Err(format!(
                        "a {act} at byte {byte} of the head can't happen: the head has {in_head} bytes"
                    ));
                }
                At::Head(_) => {}
                At::Body(byte) => marks.push((byte, 0)),
            }
        }
        let mut body = match has_content {
            true => self.render_body(body, &mut marks),
            false => Cow::default(),
        };
        let mut marks = marks.into_iter();
        let acts = acts.into_iter().map(|(at, act)| {
            let offset = match *at {
                At::Head(byte) => byte,
                At::Body(_) => in_head + marks.next().map_or(0, |(_, offset)| offset),
            };
            (interim + offset, act)
        });
        let acts = acts.collect();
        if self.drip.is_some() || body.len() <= ONE_WRITE {
            head.extend_from_slice(&body);
            body = Cow::default();
        }
        Ok(Wire {
            answer: self,
            head,
            body,
            acts,
        })
    }

    fn render_interim(&self, version: &str) -> Vec<u8> {
        let mut text = String::new();
        for &(code, times) in &self.interim {
            let phrase = Status::new(code).phrase();
            let head = format!("{version} {code} {phrase}\r\n\r\n");
            text.push_str(&head.repeat(times));
        }
        text.into_bytes()
    }

    fn render_head(&self, version: &str, length: usize) -> Vec<u8> {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = match &self.status_line {
            Some(line) => write!(text, "{line}\r\n"),
            None => {
                let phrase = Status::new(self.status).phrase();
                let reason = self.reason.as_deref().unwrap_or(phrase);
                write!(text, "{version} {} {reason}\r\n", self.status)
            }
        };
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let has = |name: &str| {
            self.headers
                .iter()
                .any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        if let Some(length) = self.content_length {
            let _ = write!(text, "Content-Length: {length}\r\n");
        } else if self.is_chunked() {
            if !has("Transfer-Encoding") {
                text.push_str("Transfer-Encoding: chunked\r\n");
            }
        } else if !has("Content-Length")
            && !has("Transfer-Encoding")
            && Status::new(self.status).has_content()
        {
            let _ = write!(text, "Content-Length: {length}\r\n");
        }
        if !has("Connection") {
            text.push_str("Connection: close\r\n");
        }
        text.push_str("\r\n");
        latin1(text)
    }

    fn is_chunked(&self) -> bool {
        self.chunk.is_some() || self.chunk_fault.is_some()
    }

    /// The body as it goes over the wire. Each of the `marks` is told where so many bytes of content
    /// have been sent.
    fn render_body<'a>(&self, body: &'a [u8], marks: &mut [(usize, usize)]) -> Cow<'a, [u8]> {
        if !self.is_chunked() {
            for (byte, offset) in marks {
                *offset = *byte;
            }
            return body.into();
        }
        let fault = self.chunk_fault;
        let full = self.chunk.unwrap_or(body.len()).max(1);
        let line = format!("{full:x}\r\n");
        let mut wire = Vec::with_capacity(body.len());
        let mut done = 0;
        for chunk in body.chunks(full) {
            let size = chunk.len();
            let (is_first, is_last) = (done == 0, done + size == body.len());
            let own = match fault {
                Some(ChunkFault::BadSize) if is_first => Some("zz\r\n".to_owned()),
                Some(ChunkFault::Oversized) if is_first => Some(format!("{:x}\r\n", size - 1)),
                Some(ChunkFault::Unfinished) if is_last => Some(format!("{:x}\r\n", size + 10)),
                _ => (size < full).then(|| format!("{size:x}\r\n")),
            };
            wire.extend_from_slice(own.as_ref().unwrap_or(&line).as_bytes());
            for (byte, offset) in &mut *marks {
                if (done + 1..=done + size).contains(byte) {
                    *offset = wire.len() + *byte - done;
                }
            }
            wire.extend_from_slice(chunk);
            done += size;
            if fault == Some(ChunkFault::Unfinished) && is_last {
                return wire.into();
            }
            wire.extend_from_slice(b"\r\n");
        }
        if fault != Some(ChunkFault::NoEnd) {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
        wire.into()
    }
}

/// Encodes a head as Latin-1, or as UTF-8 if it has other characters.
pub(in crate::testing) fn latin1(text: String) -> Vec<u8> {
    let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    latin1.unwrap_or_else(|| text.into_bytes())
}

impl Wire<'_> {
    /// Returns the bytes and actions in their order.
    pub(super) fn steps(&self) -> Steps<'_> {
        let mut steps = Steps::default();
        if let Some((bytes, every)) = self.answer.drip {
            steps.drip(bytes, every);
        }
        let mut done = 0;
        for &(offset, act) in &self.acts {
            self.cut(&mut steps, done..offset);
            steps.act(act.clone());
            done = offset;
        }
        self.cut(&mut steps, done..self.head.len() + self.body.len());
        if self.answer.keep_open {
            steps.act(hang());
        }
        steps
    }

    /// Adds this range of the bytes.
    fn cut<'s>(&'s self, steps: &mut Steps<'s>, range: Range<usize>) {
        for (part, start) in [(&*self.head, 0), (&*self.body, self.head.len())] {
            let within = |place: usize| place.saturating_sub(start).min(part.len());
            let bytes = part.get(within(range.start)..within(range.end));
            if let Some(bytes @ [_, ..]) = bytes {
                steps.bytes(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::handler_fn;
    use crate::testing::answer::Body;
    use crate::testing::{close, gate, status};

    #[test]
    fn a_large_body_is_sent_from_where_it_is() {
        let plain = status(200).body(vec![7; 1 << 20]);
        let answers = [
            plain.clone().content_length(99),
            plain.clone().at(10, gate("g")).at(1 << 20, close()),
        ];
        let handler = handler_fn(move |_, x| {
            for answer in &answers {
                let body = answer.load(x)?;
                let wire = answer.wire(x, &body).unwrap();
                let Body::Bytes(own) = &answer.body else {
                    unreachable!()
                };
                assert!(std::ptr::eq(&*wire.body, &**own));
            }
            status(204).play(x)
        });
        let got = crate::respond(&handler, "GET / HTTP/1.0\r\n\r\n");
        // No fixture makes it HTTP/1.1.
        assert!(got.starts_with(b"HTTP/1.0 204 "), "{}", got.escape_ascii());
    }
}
