//! The request line, `method SP target SP HTTP/DIGIT.DIGIT` (RFC 9112, section 3), and the errors of malformed ones.

use super::Version;
use crate::http1::quote::quoted;
use crate::http1::{Refusal, is_token};

/// The three parts of a request line. The target is not empty, but not checked yet.
#[derive(Debug)]
pub(super) struct RequestLine<'a> {
    pub(super) command: &'a str,
    pub(super) target: &'a str,
    pub(super) request_version: &'a str,
    pub(super) version: Version,
}

/// Parses a request line without its line end.
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

/// Returns the error of a malformed line, in Python's words and order: the last of three or more words is checked as a
/// version first, then the number of words.
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

/// Returns true for the characters at which Python's `str.split()` splits.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// Returns the refusal of an unsupported version.
fn refused_version(version: &str) -> Option<Refusal> {
    let spelled_badly =
        || Refusal::bad_request(format!("Bad request version ({})", quoted(version)));
    let Some(number) = version.strip_prefix("HTTP/") else {
        return Some(spelled_badly());
    };
    match number.split_once('.') {
        // HTTP/0.9 has no version in its request line, so this version is malformed.
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

/// Returns true for a number of at most ten digits, which is Python's limit.
fn is_number(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
