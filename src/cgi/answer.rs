//! A script's output on its way to the client, and whether it is an answer at all.

use std::io::Write;
use std::time::Instant;

use super::RunScripts;
use super::output::{self, Head};
use crate::{Error, Exchange, Result, Status};

/// What came of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// This path is to answer instead.
    Redirect(String),
}

/// Where the output stands.
#[derive(Debug)]
enum Stage {
    /// The head is not complete; so much of it was searched for its end.
    Head(Vec<u8>, usize),
    /// A body follows, of a type that was not named: none may.
    Untyped,
    Body,
    /// The script speaks HTTP itself; nothing of it was sent yet, or some.
    Raw {
        begun: bool,
    },
    /// It answers with another path; what else it says is dropped.
    Redirect(String),
}

/// What was made of the output so far.
#[derive(Debug)]
pub(super) struct Answer {
    stage: Stage,
    /// What the script's `Content-Length` still asks for.
    left: Option<u64>,
    /// When the oldest output was written that was not sent.
    pub(super) unsent: Option<Instant>,
}

impl Answer {
    /// Nothing has come yet; `is_raw` for a script that speaks HTTP itself.
    pub(super) fn new(is_raw: bool) -> Answer {
        Answer {
            stage: match is_raw {
                true => Stage::Raw { begun: false },
                false => Stage::Head(Vec::new(), 0),
            },
            left: None,
            unsent: None,
        }
    }

    /// Passes some output on, or keeps it.
    pub(super) fn take<H: RunScripts + ?Sized>(
        &mut self,
        h: &H,
        x: &mut Exchange<'_>,
        output: &[u8],
    ) -> Result<()> {
        match &mut self.stage {
            Stage::Redirect(_) => Ok(()),
            Stage::Body => self.write(x, output),
            Stage::Untyped => Err(bad_output("a body without a Content-Type")),
            Stage::Raw { begun: true } => self.write(x, output),
            Stage::Raw { begun } => {
                *begun = true;
                h.log_request(x, raw_status(output), None);
                // The stream is given up as one of messages; what is written from now on is sent as
                // it is.
                x.raw()?;
                self.write(x, output)
            }
            Stage::Head(head, searched) => {
                head.extend_from_slice(output);
                let end = output::head_end(head, *searched);
                *searched = head.len();
                let most = h.cgi().max_output_head();
                if end.unwrap_or(head.len()) > most {
                    return Err(bad_output("a head that is too long"));
                }
                let Some(end) = end else { return Ok(()) };
                let all = std::mem::take(head);
                let (head, body) = all.split_at_checked(end).unwrap_or_default();
                let head = output::parse(head).map_err(|error| bad_output(&error.to_string()))?;
                self.begin(h, x, &head)?;
                match body {
                    [] => Ok(()),
                    body => self.take(h, x, body),
                }
            }
        }
    }

    /// The response has a head.
    fn begin<H: RunScripts + ?Sized>(
        &mut self,
        h: &H,
        x: &mut Exchange<'_>,
        head: &Head,
    ) -> Result<()> {
        if let Some(path) = head.local_redirect() {
            self.stage = Stage::Redirect(path.to_owned());
            return Ok(());
        }
        let status = Status::new(head.code());
        let status = match &head.status {
            Some((_, reason)) if !reason.is_empty() => status.with_message(reason),
            _ => status,
        };
        h.send_response(x, status);
        for (name, value) in &head.fields {
            h.send_header(x, name, value);
        }
        h.end_headers(x)?;
        if status.has_content() && x.command != "HEAD" {
            self.left = head.length;
        }
        self.stage = Stage::Untyped;
        if head.has_type || !status.has_content() {
            self.stage = Stage::Body;
            self.unsent = Some(Instant::now());
        }
        Ok(())
    }

    fn write(&mut self, x: &mut Exchange<'_>, output: &[u8]) -> Result<()> {
        x.wfile.write_all(output)?;
        self.unsent.get_or_insert_with(Instant::now);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(output.len() as u64);
        }
        Ok(())
    }

    /// The output is over: was it an answer?
    pub(super) fn outcome(self) -> Result<Outcome> {
        match self.stage {
            Stage::Head(head, _) if head.is_empty() => Err(bad_output("none")),
            Stage::Head(..) => Err(bad_output("a head without an end")),
            Stage::Raw { begun: false } => Err(bad_output("none")),
            Stage::Redirect(path) => Ok(Outcome::Redirect(path)),
            Stage::Untyped | Stage::Body | Stage::Raw { .. } => match self.left {
                None | Some(0) => Ok(Outcome::Answered),
                Some(_) => Err(bad_output("less than its Content-Length")),
            },
        }
    }
}

/// What is answered to output that is no answer.
pub(super) fn bad_output(what: &str) -> Error {
    let message = format!("Bad output of a CGI script: {what}");
    Status::BAD_GATEWAY.with_message(&message).into()
}

/// The status that a script which speaks HTTP begins with, for the log.
fn raw_status(output: &[u8]) -> u16 {
    let digits = output.get(9..12).filter(|_| output.starts_with(b"HTTP/"));
    let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(200)
}
