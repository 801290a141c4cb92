//! Failure messages of a fixture.

use std::cmp::Reverse;
use std::fmt::{self, Write as _};
use std::panic::catch_unwind;

use super::condition::Difference;
use super::diff;
use super::matching::RequestPattern;
use super::recording::Recording;
use super::request::Request;
#[cfg(feature = "json")]
use crate::log::text::char_boundary;

/// Maximum number of requests in a message.
const SHOWN: usize = 20;
/// Maximum number of bytes of a body in one line.
const PREVIEW: usize = 200;
/// Maximum number of bytes of a text below its request.
const SHOWN_TEXT: usize = 1000;

/// Prints to stderr, as captured by the test harness. A closed stderr does not panic: the test fails already.
pub(super) fn say(text: &str) {
    // libtest does not capture `write_all`.
    let _ = catch_unwind(|| eprintln!("{text}"));
}

/// A body in one line: its text, or its bytes escaped, and its length if it is cut.
pub(super) fn preview(body: &[u8]) -> String {
    let shown = body.get(..PREVIEW).unwrap_or(body);
    let text = match str::from_utf8(shown) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", shown.escape_ascii()),
    };
    match body.len() > shown.len() {
        true => format!("{text}… ({} bytes)", body.len()),
        false => text,
    }
}

/// The start of a text in one line.
#[cfg(feature = "json")]
pub(super) fn cut(text: &str) -> String {
    let shown = text.get(..char_boundary(text, PREVIEW));
    match shown {
        Some(shown) if shown.len() < text.len() => format!("{shown}… ({} bytes)", text.len()),
        _ => text.to_owned(),
    }
}

/// A body below its request: a text line by line as it is, other bytes escaped.
pub(super) fn body(f: &mut fmt::Formatter<'_>, body: &[u8], is_cut: bool) -> fmt::Result {
    if body.is_empty() && !is_cut {
        return Ok(());
    }
    let is_text = str::from_utf8(body).is_ok();
    let most = if is_text { SHOWN_TEXT } else { PREVIEW };
    let shown = body.get(..most).unwrap_or(body);
    write!(f, "\n    body, {} bytes", body.len())?;
    if is_cut {
        f.write_str(", and more that are not shown")?;
    }
    if shown.len() < body.len() {
        write!(f, ", of which these are the first {most}")?;
    }
    f.write_str(":")?;
    let text = shown.strip_suffix(b"\n").unwrap_or(shown);
    match is_text {
        true => text
            .split(|&byte| byte == b'\n')
            .try_for_each(|line| write!(f, "\n      {}", diff::shown(line))),
        false => write!(f, "\n      {}", diff::shown(shown)),
    }
}

/// A request over several lines.
pub(super) fn request(f: &mut fmt::Formatter<'_>, request: &Request) -> fmt::Result {
    write!(
        f,
        "{}  (connection {}",
        request.requestline.escape_debug(),
        request.connection
    )?;
    if let Some(refusal) = &request.refusal {
        write!(f, ", rejected with {refusal}")?;
    } else if !request.is_complete {
        f.write_str(", its body has not arrived yet")?;
    }
    f.write_str(")")?;
    for (name, value) in &request.headers {
        write!(f, "\n    {name}: {}", value.escape_debug())?;
    }
    if !request.body.is_empty() || request.is_body_cut {
        body(f, &request.body, request.is_body_cut)?;
    } else if request.refusal.is_some() {
        write!(f, "\n    bytes {}", preview(&request.bytes))?;
    }
    Ok(())
}

/// The requests that have arrived, and the number of those that were dropped.
pub(super) fn arrivals(requests: &[Request], dropped: u64) -> String {
    let mut text = match requests.len() {
        0 => "No request has arrived.".to_owned(),
        1 => "This request has arrived:".to_owned(),
        count => format!("These {count} requests have arrived:"),
    };
    text.push_str(&list(requests));
    if dropped > 0 {
        let _ = write!(text, "\n({dropped} earlier ones were dropped)");
    }
    text
}

/// Requests with their numbers, or responses.
pub(super) fn list<T: fmt::Debug>(messages: &[T]) -> String {
    let mut text = String::new();
    for (index, message) in messages.iter().take(SHOWN).enumerate() {
        let _ = write!(text, "\n  {}. {message:?}", index + 1);
    }
    if messages.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", messages.len() - SHOWN);
    }
    text
}

/// The nearest request to a pattern, and the reason why it does not match.
pub(super) struct Miss {
    number: usize,
    pub(super) requestline: String,
    pub(super) why: String,
}

/// Lists the requests that match a pattern; if they are too few, also the nearest of the others.
pub(super) fn explain(
    pattern: &RequestPattern,
    requests: &[Request],
    is_too_few: bool,
) -> (String, Option<Miss>) {
    let differences = requests.iter().map(|request| pattern.differences(request));
    let numbered = (1..).zip(requests).zip(differences);
    let (misses, found): (Vec<_>, Vec<_>) =
        numbered.partition(|(_, differences)| !differences.is_empty());
    let mut text = String::new();
    for ((number, request), _) in found.iter().take(SHOWN) {
        let line = request.requestline.escape_debug();
        let _ = write!(text, "\n  matches: request {number}, `{line}`");
    }
    if found.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more match", found.len() - SHOWN);
    }
    let nearest = misses
        .iter()
        .min_by_key(|((_, request), differences)| distance(pattern, request, differences));
    let miss = nearest.map(|((number, request), differences)| Miss {
        number: *number,
        requestline: request.requestline.clone(),
        why: words(differences),
    });
    let miss = miss.filter(|_| is_too_few);
    if let Some(miss) = &miss {
        let (number, line) = (miss.number, miss.requestline.escape_debug());
        let why = indented(&miss.why, "    ");
        let _ = write!(text, "\n  nearest miss: request {number}, `{line}`: {why}");
    }
    (text, miss)
}

/// Joins differences; those of several lines come last.
pub(super) fn words(differences: &[Difference]) -> String {
    let mut words: Vec<_> = differences
        .iter()
        .map(|difference| &*difference.what)
        .collect();
    words.sort_by_key(|what| what.contains('\n'));
    words.join("; ")
}

/// Indents all lines but the first with `by`.
pub(super) fn indented(text: &str, by: &str) -> String {
    text.replace('\n', &format!("\n{by}"))
}

/// The distance of a request from a pattern. If two requests differ in the same number of conditions, the one
/// where only values differ is nearer; then the one that shares more of the path.
pub(super) fn distance(
    pattern: &RequestPattern,
    request: &Request,
    differences: &[Difference],
) -> impl Ord + use<> {
    let missing = differences.iter().filter(|own| !own.is_of_value).count();
    let path = pattern.path.text().chars().zip(request.path.chars());
    let shared = path.take_while(|(own, other)| own == other).count();
    (differences.len(), missing, Reverse(shared))
}

/// The whole message of a failing test.
pub(super) fn failure(
    name: &str,
    problems: &[String],
    notes: &[String],
    shared: &Recording,
) -> String {
    let mut text = format!("{name}: ");
    match problems {
        [problem] => text.push_str(problem),
        _ => {
            let _ = write!(text, "{} problems", problems.len());
            for problem in problems {
                let _ = write!(text, "\n- {}", indented(problem, "  "));
            }
        }
    }
    let _ = write!(text, "\n{}", arrivals(&shared.requests(), shared.dropped()));
    match shared.silent() {
        0 => {}
        1 => text.push_str("\n1 connection sent no complete request."),
        n => {
            let _ = write!(text, "\n{n} connections sent no complete request.");
        }
    }
    for note in notes {
        let _ = write!(text, "\nNote: {note}");
    }
    let mut lines = shared.log_lines();
    // A problem that was the error of a handler is in the log, too.
    lines.retain(|line| !problems.iter().any(|problem| line.ends_with(problem)));
    let skipped = lines.len().saturating_sub(SHOWN);
    if !lines.is_empty() {
        text.push_str("\nThe handler's log:");
    }
    let dropped = shared.lines_dropped();
    if skipped + dropped > 0 {
        let _ = write!(text, "\n  ({} earlier lines", skipped + dropped);
        if dropped > 0 {
            let _ = write!(text, ", {dropped} of them dropped");
        }
        text.push(')');
    }
    for line in lines.iter().skip(skipped) {
        let _ = write!(text, "\n  {line}");
    }
    text
}
