//! What a fixture says to the person whose test has failed.

use std::fmt::{self, Write as _};

use super::matching::RequestPattern;
use super::recording::Shared;
use super::request::Request;

/// Requests that a message shows.
const SHOWN: usize = 20;
/// Bytes of a body that a message shows.
const PREVIEW: usize = 200;

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

/// A request over several lines.
pub(super) fn request(f: &mut fmt::Formatter<'_>, request: &Request) -> fmt::Result {
    write!(
        f,
        "{}  (connection {}",
        request.requestline.escape_debug(),
        request.connection
    )?;
    if let Some(refusal) = &request.refusal {
        write!(f, ", refused with {refusal}")?;
    } else if !request.is_complete {
        f.write_str(", its body is not here yet")?;
    }
    f.write_str(")")?;
    for (name, value) in &request.headers {
        write!(f, "\n    {name}: {}", value.escape_debug())?;
    }
    if !request.body.is_empty() {
        write!(f, "\n    body {}", preview(&request.body))?;
    } else if request.refusal.is_some() {
        write!(f, "\n    bytes {}", preview(&request.raw))?;
    }
    Ok(())
}

/// All that has arrived.
pub(super) fn arrivals(requests: &[Request], dropped: u64) -> String {
    let mut text = match requests.len() {
        0 => "No request has arrived.".to_owned(),
        1 => "This request has arrived:".to_owned(),
        count => format!("These {count} requests have arrived:"),
    };
    for (index, request) in requests.iter().take(SHOWN).enumerate() {
        let _ = write!(text, "\n  {}. {request:?}", index + 1);
    }
    if requests.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", requests.len() - SHOWN);
    }
    if dropped > 0 {
        let _ = write!(text, "\n({dropped} earlier ones are not kept any more)");
    }
    text
}

/// The request that comes nearest to a pattern that it does not match, and why not.
pub(super) fn nearest_miss(pattern: &RequestPattern, requests: &[Request]) -> Option<String> {
    let misses = requests.iter().enumerate().filter_map(|(index, request)| {
        let differences = pattern.differences(request);
        (!differences.is_empty()).then_some((index, request, differences))
    });
    let (index, request, differences) = misses
        .min_by_key(|(_, request, differences)| (differences.len(), weight(pattern, request)))?;
    let why = differences.join("; ");
    Some(format!(
        "nearest miss: request {}, `{}`: {why}",
        index + 1,
        request.requestline.escape_debug()
    ))
}

/// Of two that differ in one thing each, the one that shares more of its path is nearer.
fn weight(pattern: &RequestPattern, request: &Request) -> std::cmp::Reverse<usize> {
    let text = pattern.to_string();
    let path = text
        .split(' ')
        .find(|word| word.starts_with('/'))
        .unwrap_or_default();
    let shared = path.chars().zip(request.path.chars());
    std::cmp::Reverse(shared.take_while(|(own, other)| own == other).count())
}

/// The whole message of a test that fails.
pub(super) fn failure(name: &str, problems: &[String], shared: &Shared) -> String {
    let mut text = format!("{name}: ");
    match problems {
        [problem] => text.push_str(problem),
        _ => {
            let _ = write!(text, "{} problems", problems.len());
            for problem in problems {
                let _ = write!(text, "\n- {}", problem.replace('\n', "\n  "));
            }
        }
    }
    let _ = write!(text, "\n{}", arrivals(&shared.requests(), shared.dropped()));
    for note in shared.notes() {
        let _ = write!(text, "\nNote: {note}");
    }
    let lines = shared.log_lines();
    let skipped = lines.len().saturating_sub(SHOWN);
    if !lines.is_empty() {
        text.push_str("\nThe handler's log:");
    }
    let dropped = shared.lines_dropped();
    if skipped + dropped > 0 {
        let _ = write!(text, "\n  ({} earlier lines", skipped + dropped);
        if dropped > 0 {
            let _ = write!(text, ", {dropped} of them not kept any more");
        }
        text.push(')');
    }
    for line in lines.iter().skip(skipped) {
        let _ = write!(text, "\n  {line}");
    }
    text
}
