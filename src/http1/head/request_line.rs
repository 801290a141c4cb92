//! The request line, `method SP target SP HTTP/DIGIT.DIGIT` (RFC 9112, 3), and what to say about a
//! line that is something else.

use super::Version;
use crate::http1::quote::quoted;
use crate::http1::{Refusal, is_token};

/// The three parts of a request line. The target is not checked yet, but is not empty.
#[derive(Debug)]
pub(super) struct RequestLine<'a> {
    pub(super) command: &'a str,
    pub(super) target: &'a str,
    pub(super) request_version: &'a str,
    pub(super) version: Version,
}

/// Take a request line without its line end apart.
pub(super) fn parse(line: &str) -> Result<RequestLine<'_>, Refusal> {
    well_formed(line).ok_or_else(|| refusal(line))
}

fn well_formed(line: &str) -> Option<RequestLine<'_>> {
    let (command, rest) = line.split_once(' ')?;
    let (target, request_version) = rest.split_once(' ')?;
    let version = match request_version.as_bytes() {
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Version::Http11,
        _ => return None,
    };
    let is_complete = is_token(command.as_bytes()) && !target.is_empty();
    is_complete.then_some(RequestLine {
        command,
        target,
        request_version,
        version,
    })
}

/// Why a line is refused, in the words and in the order of Python: the last of three or more words
/// is judged as a version, only then the shape of the line.
#[cold]
fn refusal(line: &str) -> Refusal {
    let mut words = line.split(is_blank).filter(|word| !word.is_empty());
    let (first, second, last) = (words.next(), words.next(), words.next_back());
    let because = match (first, second, last) {
        (_, _, Some(version)) => refused_version(version),
        (Some(command), Some(_), None) if command != "GET" => Some(Refusal::bad_request(format!(
            "Bad HTTP/0.9 request type ({})",
            quoted(command)
        ))),
        _ => None,
    };
    because
        .unwrap_or_else(|| Refusal::bad_request(format!("Bad request syntax ({})", quoted(line))))
}

/// What Python's `str.split()` splits at.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// The refusal of a version that is not served.
fn refused_version(version: &str) -> Option<Refusal> {
    let spelled_badly =
        || Refusal::bad_request(format!("Bad request version ({})", quoted(version)));
    let Some(number) = version.strip_prefix("HTTP/") else {
        return Some(spelled_badly());
    };
    match number.split_once('.') {
        // HTTP/0.9 has neither a version nor a status line; who names it means something else.
        Some(("0", "9")) => Some(spelled_badly()),
        Some(("1", minor)) if is_number(minor) && minor.len() == 1 => None,
        Some((major, minor)) if is_number(major) && is_number(minor) => {
            let is_other_major = major == "0" || major.trim_start_matches('0') > "1";
            Some(match is_other_major {
                true => Refusal::new(505, format!("Invalid HTTP version ({number})")),
                false => spelled_badly(),
            })
        }
        _ => Some(spelled_badly()),
    }
}

/// Python's bound on a version's numbers: ten digits.
fn is_number(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
