//! The log lines of a request, in each [`LogFormat`].

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::{Outcome, RequestHandler};
use crate::Exchange;
use crate::cgi;
use crate::clock;
use crate::local_time;
use crate::log::text::{
    self, LONGEST_FIELD, LONGEST_MESSAGE, LONGEST_REQUEST, LONGEST_WORD, push_json, push_quoted,
};
use crate::log::{self, LogFormat};

/// Formats a message as Python does.
pub(super) fn python<H: RequestHandler + ?Sized>(
    h: &H,
    x: &Exchange<'_>,
    message: fmt::Arguments<'_>,
) -> String {
    let address = h.address_string(x);
    text::line(&text::escape(&address), &h.log_date_time_string(), message)
}

/// Formats a message as a JSON object.
pub(super) fn json_message<H: RequestHandler + ?Sized>(
    h: &H,
    x: &Exchange<'_>,
    message: fmt::Arguments<'_>,
) -> String {
    log::json_message(&h.address_string(x), message, request_id(x))
}

/// Formats the line of a request that has ended.
pub(super) fn request<H: RequestHandler + ?Sized>(
    h: &H,
    x: &Exchange<'_>,
    outcome: &Outcome,
    format: LogFormat,
) -> String {
    let address = h.address_string(x);
    let user = cgi::user_name(h, x);
    let user = user.as_deref();
    match format {
        LogFormat::Json => json(x, outcome, &address, user),
        _ => common(x, outcome, &address, user, format == LogFormat::Combined),
    }
}

/// Formats a line of the common or the combined log format.
fn common(
    x: &Exchange<'_>,
    outcome: &Outcome,
    address: &str,
    user: Option<&str>,
    is_combined: bool,
) -> String {
    let mut line = String::with_capacity(256);
    push_word(&mut line, Some(address));
    line.push_str(" - ");
    push_word(&mut line, user);
    let date = local_time::common_date(clock::seconds_since_1970());
    // Writing to a String does not fail.
    let _ = write!(line, " [{date}] ");
    push_quoted(&mut line, Some(x.requestline), LONGEST_REQUEST);
    let _ = match outcome.body_bytes {
        0 => write!(line, " {} -", outcome.code),
        size => write!(line, " {} {size}", outcome.code),
    };
    if is_combined {
        for name in ["Referer", "User-Agent"] {
            line.push(' ');
            push_quoted(&mut line, field(x, name).as_deref(), LONGEST_FIELD);
        }
    }
    line.push('\n');
    line
}

/// Appends a word; `-` if there is none.
fn push_word(line: &mut String, word: Option<&str>) {
    let mut quoted = String::new();
    push_quoted(&mut quoted, word, LONGEST_WORD);
    line.push_str(&quoted.trim_matches('"').replace(' ', "\\x20"));
}

fn json(x: &Exchange<'_>, outcome: &Outcome, address: &str, user: Option<&str>) -> String {
    let mut line = String::with_capacity(384);
    let text = |line: &mut String, key: &str, value: Option<&str>, room: usize| {
        let _ = write!(line, ",\"{key}\":");
        match value {
            Some(value) => push_json(line, value, room),
            None => line.push_str("null"),
        }
    };
    let _ = write!(line, "{{\"time\":\"{}\"", log::now());
    text(&mut line, "client", Some(address), LONGEST_FIELD);
    text(&mut line, "user", user, LONGEST_FIELD);
    // The parts of a rejected request are unknown.
    let is_read = !x.command.is_empty();
    let part = |part| is_read.then_some(part);
    let version = x.request_version.strip_prefix("HTTP/");
    text(&mut line, "method", part(x.command), LONGEST_FIELD);
    text(&mut line, "target", part(target(x)), LONGEST_MESSAGE);
    text(&mut line, "version", version.and_then(part), LONGEST_FIELD);
    if !is_read {
        let request = Some(x.requestline).filter(|request| !request.is_empty());
        text(&mut line, "request", request, LONGEST_MESSAGE);
    }
    let micros = outcome.elapsed.as_micros();
    let (code, size) = (outcome.code, outcome.body_bytes);
    let (millis, rest) = (micros / 1000, micros % 1000);
    let _ = write!(
        line,
        ",\"status\":{code},\"bytes\":{size},\"ms\":{millis}.{rest:03}"
    );
    for (key, name) in [("referer", "Referer"), ("agent", "User-Agent")] {
        text(&mut line, key, field(x, name).as_deref(), LONGEST_FIELD);
    }
    text(&mut line, "host", x.host(), LONGEST_FIELD);
    if let Some(id) = request_id(x) {
        text(&mut line, "request_id", Some(id), LONGEST_FIELD);
    }
    if outcome.is_cut {
        line.push_str(",\"cut\":true");
    }
    line.push_str("}\n");
    line
}

/// Returns the value of a field, decoded as UTF-8 if it is valid, otherwise as Latin-1.
fn field<'a>(x: &Exchange<'a>, name: &str) -> Option<Cow<'a, str>> {
    let text = x.headers.get(name)?;
    Some(match x.headers.get_bytes(name)? {
        Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned),
        // A borrowed value is ASCII.
        Cow::Borrowed(_) => Cow::Borrowed(text),
    })
}

/// Returns the target as the client sent it.
fn target<'a>(x: &Exchange<'a>) -> &'a str {
    x.requestline.split(' ').nth(1).unwrap_or(x.path)
}

/// Returns the identifier that a proxy gave to the request.
fn request_id<'a>(x: &Exchange<'a>) -> Option<&'a str> {
    x.headers.get("X-Request-ID")
}
