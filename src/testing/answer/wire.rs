//! An [`Answer`] that misbehaves, written out byte for byte.

use std::fmt::Write as _;

use super::{Answer, At, ChunkFault};
use crate::Status;
use crate::exchange::Exchange;
use crate::testing::script::{Act, Script, hang};

impl Answer {
    /// Writes it out byte for byte.
    pub(super) fn script(&self, x: &Exchange<'_>, body: &[u8]) -> Script {
        let version = x.channel().watch().version("HTTP/1.1");
        let has_content = x.command != "HEAD" && Status::new(self.status).has_content();
        let (head, head_start) = self.render_head(version, body.len());
        let mut wire = head;
        let head_end = wire.len();
        let mut acts: Vec<(usize, &Act)> = Vec::new();
        let content = match has_content {
            true => self.render_body(body),
            false => Vec::new(),
        };
        for (at, act) in &self.acts {
            let offset = match *at {
                At::Head(byte) => (head_start + byte).min(head_end),
                At::Body(0) => head_end,
                At::Body(byte) => head_end + offset_of(&content, byte),
            };
            acts.push((offset, act));
        }
        wire.extend(content.into_iter().flat_map(|piece| piece.bytes));
        acts.sort_by_key(|(offset, _)| *offset);

        let mut script = Script::default();
        if let Some((bytes, every)) = self.drip {
            script = script.drip(bytes, every);
        }
        let mut done = 0;
        for (offset, act) in acts {
            let bytes = wire.get(done..offset).unwrap_or_default();
            script = script.raw(bytes).then(act.clone());
            done = offset.max(done);
        }
        script = script.raw(wire.get(done..).unwrap_or_default());
        match self.keep_open {
            true => script.then(hang()),
            false => script,
        }
    }

    /// The interim responses and the head; and where the latter starts.
    fn render_head(&self, version: &str, length: usize) -> (Vec<u8>, usize) {
        let mut text = String::new();
        for &(code, times) in &self.interim {
            let head = format!("{version} {}\r\n\r\n", Status::new(code));
            text.push_str(&head.repeat(times));
        }
        let start = text.chars().count();
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
        // As Latin-1 where that is possible, like any head.
        let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        (latin1.unwrap_or_else(|| text.into_bytes()), start)
    }

    fn is_chunked(&self) -> bool {
        self.chunk.is_some() || self.chunk_fault.is_some()
    }

    /// The body as it goes over the wire, piece by piece.
    fn render_body(&self, body: &[u8]) -> Vec<Piece> {
        if !self.is_chunked() {
            return vec![Piece::content(body)];
        }
        let fault = self.chunk_fault;
        let count = body.len().div_ceil(self.chunk.unwrap_or(body.len()).max(1));
        let mut pieces = Vec::new();
        for (index, chunk) in body
            .chunks(self.chunk.unwrap_or(body.len()).max(1))
            .enumerate()
        {
            let is_last = index + 1 == count;
            let size = chunk.len();
            let line = match fault {
                Some(ChunkFault::BadSize) if index == 0 => "zz\r\n".to_owned(),
                Some(ChunkFault::Oversized) if index == 0 => format!("{:x}\r\n", size - 1),
                Some(ChunkFault::Unfinished) if is_last => format!("{:x}\r\n", size + 10),
                _ => format!("{size:x}\r\n"),
            };
            pieces.push(Piece::framing(line.as_bytes()));
            pieces.push(Piece::content(chunk));
            if fault == Some(ChunkFault::Unfinished) && is_last {
                return pieces;
            }
            pieces.push(Piece::framing(b"\r\n"));
        }
        if fault != Some(ChunkFault::NoEnd) {
            pieces.push(Piece::framing(b"0\r\n\r\n"));
        }
        pieces
    }
}

/// A part of a body on the wire.
struct Piece {
    bytes: Vec<u8>,
    is_content: bool,
}

impl Piece {
    fn content(bytes: &[u8]) -> Self {
        Piece {
            bytes: bytes.to_vec(),
            is_content: true,
        }
    }

    fn framing(bytes: &[u8]) -> Self {
        Piece {
            bytes: bytes.to_vec(),
            is_content: false,
        }
    }
}

/// Where on the wire so many bytes of content have been sent.
fn offset_of(pieces: &[Piece], content: usize) -> usize {
    let (mut offset, mut left) = (0, content);
    for piece in pieces {
        let length = piece.bytes.len();
        if piece.is_content && left <= length {
            return offset + left;
        }
        left -= if piece.is_content { length } else { 0 };
        offset += length;
    }
    offset
}
