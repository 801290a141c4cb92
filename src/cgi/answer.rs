//! Turns a script's output into a response.

use std::io::Write;
use std::time::Instant;

use super::RunScripts;
use super::output::{self, Head};
use crate::{Error, Exchange, Result, Status};

/// The type of a body without `Content-Type`.
const UNTYPED: &str = "application/octet-stream";

/// The result of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScriptResult {
    Answered,
    /// The server answers with this path instead.
    Redirect(String),
}

/// The state of the output.
#[derive(Debug)]
enum Stage {
    /// The head is incomplete: the bytes so far, and how many of them were searched for its end.
    Head(Vec<u8>, usize),
    /// The head has no `Content-Type`. It needs one only if a body follows.
    Untyped(Head),
    Body,
    /// The script writes the whole HTTP response; `begun` if some of it was sent.
    Raw {
        begun: bool,
    },
    /// The server answers with this path; further output is dropped.
    Redirect(String),
}

/// A response made from output.
#[derive(Debug)]
pub(super) struct Answer {
    stage: Stage,
    /// The name of the script, for the log.
    script: String,
    /// The bytes that are missing of the script's `Content-Length`.
    left: Option<u64>,
    /// When the oldest unsent output was written.
    pub(super) unsent: Option<Instant>,
}

impl Answer {
    /// Makes a response without output. `is_raw` is for a script that writes the whole HTTP response.
    pub(super) fn new(script: String, is_raw: bool) -> Answer {
        Answer {
            stage: match is_raw {
                true => Stage::Raw { begun: false },
                false => Stage::Head(Vec::new(), 0),
            },
            script,
            left: None,
            unsent: None,
        }
    }

    /// Sends some output, or keeps it.
    pub(super) fn take(
        &mut self,
        h: &dyn RunScripts,
        x: &mut Exchange<'_>,
        output: &[u8],
    ) -> Result<()> {
        match &mut self.stage {
            Stage::Redirect(_) => Ok(()),
            Stage::Body | Stage::Raw { begun: true } => self.write(x, output),
            Stage::Untyped(head) => {
                let mut head = std::mem::take(head);
                self.log(
                    h,
                    x,
                    &format!("a body without a Content-Type, sent as {UNTYPED}"),
                );
                head.fields.push(("Content-Type".into(), UNTYPED.into()));
                self.begin(h, x, &head)?;
                self.write(x, output)
            }
            Stage::Raw { begun } => {
                *begun = true;
                h.log_request(x, raw_status(output), None);
                // The stream is given up as one of messages; what is written from now on is sent as
                // it is.
                x.channel().surrender()?;
                self.write(x, output)
            }
            Stage::Head(head, searched) => {
                head.extend_from_slice(output);
                let end = output::head_end(head, *searched);
                *searched = head.len();
                let most = h.cgi().max_output_head();
                if end.unwrap_or(head.len()) > most {
                    let line = output::first_line(head);
                    return Err(self.bad_head(h, x, "the head is too long", &line));
                }
                let Some(end) = end else { return Ok(()) };
                let all = std::mem::take(head);
                let (head, body) = all.split_at_checked(end).unwrap_or_default();
                let head = match output::parse(head) {
                    Ok(head) => head,
                    Err(bad) => return Err(self.bad_head(h, x, &bad.fault.to_string(), &bad.line)),
                };
                self.take_head(h, x, head)?;
                match body {
                    [] => Ok(()),
                    body => self.take(h, x, body),
                }
            }
        }
    }

    /// Handles a complete head.
    fn take_head(&mut self, h: &dyn RunScripts, x: &mut Exchange<'_>, head: Head) -> Result<()> {
        if let Some(path) = head.local_redirect() {
            self.stage = Stage::Redirect(path.to_owned());
            return Ok(());
        }
        if !head.has_type && Status::new(head.code()).has_content() {
            self.stage = Stage::Untyped(head);
            return Ok(());
        }
        self.begin(h, x, &head)
    }

    /// Sends the head of the response.
    fn begin(&mut self, h: &dyn RunScripts, x: &mut Exchange<'_>, head: &Head) -> Result<()> {
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
        self.stage = Stage::Body;
        self.unsent = Some(Instant::now());
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

    /// Ends the response.
    ///
    /// # Errors
    /// 502 if the output was no complete response.
    pub(super) fn outcome(
        mut self,
        h: &dyn RunScripts,
        x: &mut Exchange<'_>,
    ) -> Result<ScriptResult> {
        match &mut self.stage {
            Stage::Head(head, _) if !head.is_empty() => {
                let line = output::first_line(head);
                return Err(self.bad_head(h, x, "the head has no end", &line));
            }
            Stage::Head(..) | Stage::Raw { begun: false } => return Err(bad_output("no output")),
            Stage::Redirect(path) => return Ok(ScriptResult::Redirect(std::mem::take(path))),
            Stage::Untyped(head) => {
                let head = std::mem::take(head);
                self.begin(h, x, &head)?;
            }
            Stage::Body | Stage::Raw { .. } => {}
        }
        match self.left {
            None | Some(0) => Ok(ScriptResult::Answered),
            Some(_) => Err(bad_output("fewer bytes than its Content-Length")),
        }
    }

    /// Logs an invalid head with its line, and returns the error for it.
    fn bad_head(&self, h: &dyn RunScripts, x: &Exchange<'_>, what: &str, line: &str) -> Error {
        if !line.is_empty() {
            self.log(h, x, &format!("{what}: \"{line}\""));
        }
        bad_output(what)
    }

    fn log(&self, h: &dyn RunScripts, x: &Exchange<'_>, what: &str) {
        h.log_error(x, format_args!("CGI script {}: {what}", self.script));
    }
}

/// Returns the error for output that is no response.
pub(super) fn bad_output(what: &str) -> Error {
    let message = format!("Bad output of a CGI script: {what}");
    Status::BAD_GATEWAY.with_message(&message).into()
}

/// Returns the status in the output of a script that writes the whole HTTP response, for the log.
fn raw_status(output: &[u8]) -> u16 {
    let digits = output.get(9..12).filter(|_| output.starts_with(b"HTTP/"));
    let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(200)
}
