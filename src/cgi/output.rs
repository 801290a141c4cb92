//! Parses the head of a script's output (RFC 3875, 6).

use std::fmt;

use crate::http1::is_token;

/// Fields that scripts can't set: the server frames messages, manages the connection, and adds `Date` and `Server`.
const OURS: [&str; 9] = [
    "Connection",
    "Date",
    "Keep-Alive",
    "Proxy-Connection",
    "Server",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// The beginning of the page that Python's `cgitb` prints for an exception. Output before it is dropped.
const CGITB: &[u8] = b"<!--: spam";
/// Maximum number of bytes of a line that the log shows.
const NAMED: usize = 200;

/// The head of a script's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The code and the reason phrase.
    pub(super) status: Option<(u16, String)>,
    pub(super) location: Option<String>,
    /// Whether there is a `Content-Type`.
    pub(super) has_type: bool,
    /// The `Content-Length`.
    pub(super) length: Option<u64>,
    /// The fields to send, including `Content-Type`, `Content-Length` and `Location`.
    pub(super) fields: Vec<(String, String)>,
}

impl Head {
    /// Returns the path that the server answers for instead (RFC 3875, 6.2.2). Returns `None` if the head has a
    /// `Status` or fields that would be lost, such as `Set-Cookie`: then the client is redirected.
    pub(super) fn local_redirect(&self) -> Option<&str> {
        let location = self.location.as_deref()?;
        let is_replaced = |name: &str| {
            let of_the_body = ["Location", "Content-Type", "Content-Length"];
            of_the_body.iter().any(|of| name.eq_ignore_ascii_case(of))
        };
        let loses_nothing = self.fields.iter().all(|(name, _)| is_replaced(name));
        let is_local = self.status.is_none() && location.starts_with('/');
        (is_local && loses_nothing).then_some(location)
    }

    /// Returns the status code: that of `Status`, 302 with `Location`, or 200.
    pub(super) fn code(&self) -> u16 {
        match (&self.status, &self.location) {
            (Some((code, _)), _) => *code,
            (None, Some(_)) => 302,
            (None, None) => 200,
        }
    }
}

/// Why a head is no CGI response, with the line to show in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadHead {
    pub(super) fault: HeadFault,
    pub(super) line: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadFault {
    NotAField,
    NothingSaid,
    Twice,
    Status,
    Length,
}

impl fmt::Display for HeadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadFault::NotAField => "a line of the head is not a field",
            HeadFault::NothingSaid => "no Content-Type, Location or Status field",
            HeadFault::Twice => "a field occurs twice that may occur only once",
            HeadFault::Status => "invalid Status field",
            HeadFault::Length => "invalid Content-Length field",
        })
    }
}

impl std::error::Error for HeadFault {}

/// Returns the length of the head with its empty line, or `None` if it is incomplete. `from` is the number of bytes
/// that were searched before.
pub(super) fn head_end(output: &[u8], from: usize) -> Option<usize> {
    // The line end before the empty line may have been there already.
    let from = from.saturating_sub(2);
    let mut at = from;
    loop {
        let rest = output.get(at..)?;
        let newline = rest.iter().position(|&byte| byte == b'\n')?;
        let next = at + newline + 1;
        // An output that begins with an empty line has an empty head.
        let starts_line = at == 0 && matches!(rest, [b'\n', ..] | [b'\r', b'\n', ..]);
        if starts_line {
            return Some(next);
        }
        match output.get(next..)? {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => at = next,
        }
    }
}

/// Parses a head, whose lines end in LF or CR LF.
pub(super) fn parse(head: &[u8]) -> Result<Head, BadHead> {
    let mut parsed = Head::default();
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line == CGITB {
            parsed = Head::default();
        } else if !line.is_empty() {
            let taken = field(line).ok_or(HeadFault::NotAField);
            let taken = taken.and_then(|(name, value)| take(&mut parsed, name, value));
            taken.map_err(|fault| bad(fault, line))?;
        }
    }
    if parsed.status.is_none() && parsed.location.is_none() && !parsed.has_type {
        return Err(bad(HeadFault::NothingSaid, head));
    }
    Ok(parsed)
}

fn bad(fault: HeadFault, line: &[u8]) -> BadHead {
    let line = first_line(line);
    BadHead { fault, line }
}

/// Returns the first line of an output for the log, cut to the maximum length.
pub(super) fn first_line(output: &[u8]) -> String {
    let line = output.split(|&byte| byte == b'\n').next();
    let line = line.unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.get(..NAMED) {
        Some(cut) if line.len() > NAMED => format!("{}...", String::from_utf8_lossy(cut)),
        _ => String::from_utf8_lossy(line).into_owned(),
    }
}

fn take(head: &mut Head, name: &str, value: String) -> Result<(), HeadFault> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("Status") {
        let status = status(&value).ok_or(HeadFault::Status)?;
        return match head.status.replace(status) {
            None => Ok(()),
            Some(_) => Err(HeadFault::Twice),
        };
    }
    if is("Location") && head.location.replace(value.clone()).is_some() {
        return Err(HeadFault::Twice);
    }
    if is("Content-Type") && std::mem::replace(&mut head.has_type, true) {
        return Err(HeadFault::Twice);
    }
    if is("Content-Length") {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let length = value.parse().ok().filter(|_| digits);
        if head
            .length
            .replace(length.ok_or(HeadFault::Length)?)
            .is_some()
        {
            return Err(HeadFault::Twice);
        }
    }
    if !OURS.iter().any(|ours| is(ours)) {
        head.fields.push((name.to_owned(), value));
    }
    Ok(())
}

/// Splits a line into name and value. Bytes above ASCII are Latin-1, as in HTTP.
fn field(line: &[u8]) -> Option<(&str, String)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, rest) = line.split_at_checked(colon)?;
    let value = rest.strip_prefix(b":")?;
    let is_clean = |&byte: &u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    if !is_token(name) || !value.iter().all(is_clean) {
        return None;
    }
    let value: String = value.iter().copied().map(char::from).collect();
    let value = value.trim_matches([' ', '\t']).to_owned();
    Some((std::str::from_utf8(name).ok()?, value))
}

/// Parses a status: `404 Not Found`, or the code alone. Codes below 200 are invalid, because they can't end a
/// response.
fn status(value: &str) -> Option<(u16, String)> {
    let (digits, rest) = value.split_at_checked(3)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let code: u16 = digits.parse().ok().filter(|_| is_number)?;
    let reason = match rest {
        "" => "",
        rest => rest.strip_prefix([' ', '\t'])?,
    };
    (code >= 200).then(|| (code, reason.trim_matches([' ', '\t']).to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_head_ends_with_the_first_empty_line_however_lines_end() {
        for (output, end) in [
            (&b"A: b\n\nx"[..], Some(6)),
            (b"A: b\r\n\r\nx", Some(8)),
            (b"A: b\n\r\nx", Some(7)),
            (b"A: b\r\n\nx", Some(7)),
            (b"\nx", Some(1)),
            (b"\r\n\r\nx", Some(2)),
            (b"A: b\nB: c\n", None),
            (b"A: b\n\r", None),
            (b"\rA: b\n", None),
            (b"", None),
        ] {
            assert_eq!(head_end(output, 0), end, "{output:?}");
        }
    }

    #[test]
    fn fields_are_read_and_those_of_the_server_left_out() {
        let head = parse(
            b"content-type:text/plain\r\nSTATUS: 404  Gone fishing \nX-A:\t1\nx-a: \xe9\r\n\
              Connection: close\ntransfer-encoding: chunked\nServer: me\nContent-Length: 12\n\n",
        )
        .unwrap();
        assert_eq!(head.status, Some((404, "Gone fishing".into())));
        assert_eq!(
            (head.code(), head.has_type, head.length),
            (404, true, Some(12))
        );
        let fields: Vec<_> = head.fields.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(
            fields,
            [
                ("content-type", "text/plain"),
                ("X-A", "1"),
                ("x-a", "\u{e9}"),
                ("Content-Length", "12")
            ]
        );
    }

    #[test]
    fn a_location_is_for_the_server_only_if_it_is_a_path_without_a_status() {
        let redirect = |head: &[u8]| {
            let head = parse(head).unwrap();
            (head.local_redirect().map(str::to_owned), head.code())
        };
        assert_eq!(redirect(b"Location: /a?b\n\n"), (Some("/a?b".into()), 302));
        assert_eq!(redirect(b"Location: http://h/\n\n"), (None, 302));
        assert_eq!(redirect(b"Status: 303\nLocation: /a\n\n"), (None, 303));
        assert_eq!(redirect(b"Content-Type: a/b\n\n"), (None, 200));
        let of_the_body = b"Content-type: a/b\nServer: x\nLocation: /a\nContent-Length: 2\n\n";
        assert_eq!(redirect(of_the_body), (Some("/a".into()), 302));
        for field in ["Set-Cookie: a=b", "Cache-Control: no-store", "X-A:"] {
            let head = format!("Location: /a\n{field}\n\n");
            assert_eq!(redirect(head.as_bytes()), (None, 302), "{field}");
        }
    }

    #[test]
    fn a_page_of_cgitb_is_taken_whatever_was_said_before() {
        for before in ["", "Content-Type: a/b\n", "Location: /x\r\nX-A: b\r\n"] {
            let head = format!("{before}<!--: spam\r\nContent-Type: text/html\r\n\r\n");
            let head = parse(head.as_bytes()).unwrap();
            let fields = [("Content-Type".to_owned(), "text/html".to_owned())];
            assert_eq!((head.code(), &head.fields[..]), (200, &fields[..]));
        }
    }

    #[test]
    fn the_line_at_fault_is_named() {
        let line = |head: &[u8]| parse(head).unwrap_err().line;
        assert_eq!(
            line(b"Status: 200\nhello \x1b \xff\nX: y\n\n"),
            "hello \x1b \u{fffd}"
        );
        assert_eq!(line(b"Status: 200\r\nStatus: OK\r\n\r\n"), "Status: OK");
        assert_eq!(line(b"X-A: b\nX-C: d\n\n"), "X-A: b");
        let long = line(&[b'x'; 5000]);
        assert_eq!(long, format!("{}...", "x".repeat(NAMED)));
    }

    #[test]
    fn what_is_no_cgi_response_is_refused() {
        use HeadFault::*;
        for (head, error) in [
            (&b"\n"[..], NothingSaid),
            (b"X-A: b\n\n", NothingSaid),
            (b"hello\n\n", NotAField),
            (b"<p>: x\n\n", NotAField),
            (b"A : b\n\n", NotAField),
            (b": b\n\n", NotAField),
            (b" Content-Type: a/b\n\n", NotAField),
            (b"Content-Type: a\rX: b\n\n", NotAField),
            (b"Content-Type: a\0\n\n", NotAField),
            (b"Content-Type: a/b\nContent-type: c/d\n\n", Twice),
            (b"Location: /a\nLocation: /b\n\n", Twice),
            (b"Status: 200\nStatus: 200\n\n", Twice),
            (
                b"Content-Type: a/b\nContent-Length: 1\nContent-Length: 1\n\n",
                Twice,
            ),
            (b"Status: 99\n\n", Status),
            (b"Status: 100 Continue\n\n", Status),
            (b"Status: 2000\n\n", Status),
            (b"Status: +20 x\n\n", Status),
            (b"Status: OK\n\n", Status),
            (b"Status:\n\n", Status),
            (b"Status: 200 OK\nContent-Length: +1\n\n", Length),
            (
                b"Status: 200 OK\nContent-Length: 99999999999999999999\n\n",
                Length,
            ),
        ] {
            assert_eq!(parse(head).map_err(|bad| bad.fault), Err(error), "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn the_end_is_the_same_wherever_the_output_is_cut(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["\n", "\r", "\r\n", "A: b", ":", "x"]), 0..12),
            cut in 0..40usize,
        ) {
            let output = pieces.concat().into_bytes();
            let whole = head_end(&output, 0);
            let cut = cut.min(output.len());
            match head_end(&output[..cut], 0) {
                Some(end) => prop_assert_eq!(whole, Some(end)),
                None => prop_assert_eq!(head_end(&output, cut), whole),
            }
        }

        #[test]
        fn whatever_is_accepted_can_be_sent(head in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(head) = parse(&head) {
                for (name, value) in &head.fields {
                    prop_assert!(is_token(name.as_bytes()));
                    prop_assert!(!value.chars().any(|c| c != '\t' && c.is_ascii_control()));
                }
                prop_assert!((200..1000).contains(&head.code()));
            }
        }

        #[test]
        fn fields_of_any_kind_are_read_without_fault(
            lines in prop::collection::vec("[A-Za-z-]{1,12}: ?[ -~]{0,20}\r?\n", 0..8),
        ) {
            let _ = parse(lines.concat().as_bytes());
        }
    }
}
