//! Checks that an [`Answer`] can be sent; otherwise a test would never meet its fault.

use super::{Answer, At, Body, ChunkFault};
use crate::Status;

impl Answer {
    /// The reason why the answer can't be sent with a body of this length.
    pub(super) fn impossible(&self, length: usize) -> Option<String> {
        self.impossible_status()
            .or_else(|| self.impossible_body(length))
            .or_else(|| self.impossible_act(length))
    }

    /// The reason why the answer can't be sent, as far as it is known before a request.
    pub(in crate::testing) fn known_impossible(&self) -> Option<String> {
        match &self.body {
            Body::Bytes(bytes) => self.impossible(bytes.len()),
            Body::File(_) => None,
        }
    }

    fn impossible_status(&self) -> Option<String> {
        let status = self.status;
        if self.status_line.is_none() && !(100..=999).contains(&status) {
            return Some(format!(
                "{status} is not a status code (100 to 999); `status_line` sends any other"
            ));
        }
        let mut interim = self.interim.iter();
        let (code, _) = interim.find(|(code, _)| !(100..=199).contains(code))?;
        Some(format!(
            "{code} is not an interim status code (100 to 199); `raw` sends any other"
        ))
    }

    fn impossible_body(&self, length: usize) -> Option<String> {
        let status = self.status;
        let has_content = Status::new(status).has_content();
        if length > 0 && !has_content {
            return Some(format!(
                "a response of status {status} has no body, so it can't be given one; `raw` sends one all \
                 the same"
            ));
        }
        match self.chunk_fault {
            Some(fault) if !has_content => Some(format!(
                "{fault:?} can't happen: a response of status {status} has no body, and no chunks; \
                 `raw` sends them all the same"
            )),
            Some(fault) if fault != ChunkFault::NoEnd && length == 0 => Some(format!(
                "{fault:?} can't happen: the body is empty, so it has no chunk with a size"
            )),
            _ => None,
        }
    }

    fn impossible_act(&self, length: usize) -> Option<String> {
        let beyond = self.acts.iter().find_map(|(at, act)| match *at {
            At::Body(byte) if byte > length => Some(format!(
                "a {act} at byte {byte} can't happen: the body has {length} bytes"
            )),
            _ => None,
        });
        beyond.or_else(|| self.impossible_behind_end(length))
    }

    fn impossible_behind_end(&self, length: usize) -> Option<String> {
        let mut acts: Vec<_> = self.acts.iter().collect();
        acts.sort_by_key(|(at, _)| *at);
        let mut acts = acts.into_iter();
        let (at, end) = acts.find(|(_, act)| act.is_end())?;
        if let Some(fault) = self.chunk_fault
            && *at <= self.fault_at(fault, length)
        {
            return Some(format!("{fault:?} can't happen: a {end} comes before it"));
        }
        match acts.next() {
            Some((_, act)) => Some(format!("a {act} can't happen: a {end} comes before it")),
            None if self.keep_open => Some(format!("it can't be kept open: there is a {end}")),
            None => None,
        }
    }

    /// The position after which the client can see this fault.
    fn fault_at(&self, fault: ChunkFault, length: usize) -> At {
        let chunk = self.chunk.unwrap_or(length).max(1);
        At::Body(match fault {
            ChunkFault::BadSize | ChunkFault::Oversized => 0,
            ChunkFault::Unfinished => length.saturating_sub(1) / chunk * chunk,
            ChunkFault::NoEnd => length,
        })
    }
}
