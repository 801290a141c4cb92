//! The head of a request. Input: a byte of flags, three places where reads end, then what is received.

use servette::Limits;
use servette::internals::{Head, find_head, parse_head};

use super::{has_option, is_token, is_value, read_ends, values};

/// However the bytes arrive, the same head is found; and what is taken for a request is one.
pub fn check(data: &[u8]) {
    let Some((&[flags, ref places @ ..], input)) = data.split_first_chunk::<4>() else {
        return;
    };
    let limits = match flags & 1 {
        0 => Limits::default(),
        _ => small_limits(),
    };
    let found = find_head(input, &[input.len()], &limits);
    let in_parts = find_head(input, &read_ends(places, input.len()), &limits);
    assert_eq!(in_parts, found, "in parts");
    let bytewise: Vec<usize> = (0..=input.len()).collect();
    assert_eq!(find_head(input, &bytewise, &limits), found, "bytewise");

    match found {
        Ok(Some((start, end))) => {
            check_extent(input, start, end, &limits);
            match parse_head(&input[start..end], &limits) {
                Ok(head) => check_head(&head, &input[start..end], &limits),
                Err(refusal) => check_refusal(&refusal),
            }
        }
        Ok(None) => assert!(!input.ends_with(b"\n\r\n") || input.trim_ascii().is_empty()),
        Err(refusal) => check_refusal(&refusal),
    }
    // Not as it was found: nothing may break, and nothing may be taken for a head that is none.
    match parse_head(input, &limits) {
        Ok(head) => {
            check_head(&head, input, &limits);
            let whole = find_head(input, &[input.len()], &Limits::default());
            assert_eq!(whole, Ok(Some((0, input.len()))), "not one head");
        }
        Err(refusal) => check_refusal(&refusal),
    }
}

/// Limits that short inputs reach.
fn small_limits() -> Limits {
    let mut limits = Limits::default();
    limits.request_line = 40;
    limits.field_line = 30;
    limits.fields = 4;
    limits.head = 90;
    limits.empty_lines = 1;
    limits
}

fn check_extent(input: &[u8], start: usize, end: usize, limits: &Limits) {
    let head = &input[start..end];
    assert!(head.ends_with(b"\n\r\n") || head.ends_with(b"\n\n"));
    assert!(!matches!(head[0], b'\n'), "an empty line");
    let skipped = &input[..start];
    assert!(skipped.iter().all(|byte| b"\r\n".contains(byte)));
    let lines: Vec<usize> = head
        .split_inclusive(|&b| b == b'\n')
        .map(<[u8]>::len)
        .collect();
    assert!(head.len() <= limits.head && lines[0] <= limits.request_line);
    assert!(lines[1..].iter().all(|&line| line <= limits.field_line));
    assert!(lines.len() - 2 <= limits.fields);
    assert!(skipped.iter().filter(|&&b| b == b'\n').count() <= limits.empty_lines);
}

fn check_refusal((code, message): &(u16, String)) {
    assert!([400, 414, 417, 431, 501, 505].contains(code), "{code}");
    assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert!(!message.is_empty() && message.len() < 2100, "{message}");
}

fn check_head(head: &Head, bytes: &[u8], limits: &Limits) {
    check_request_line(head, bytes);
    for (name, value) in &head.fields {
        assert!(is_token(name) && is_value(value), "{name:?}: {value:?}");
    }
    check_meta(head);

    // Written again, it is the same request.
    let target = head.requestline.split(' ').nth(1).unwrap();
    let parse = |text: &[u8]| parse_head(text, &Limits::default());
    assert_eq!(parse(&render(head, target)).as_ref(), Ok(head));
    // And so is what a handler is told, if it is sent in origin-form.
    let told = parse(&render(head, &head.path)).unwrap();
    assert_eq!((&told.path, &told.fields), (&head.path, &head.fields));
    // The end of it is where the fields end, whatever follows.
    let followed = [bytes, b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"].concat();
    let end = find_head(&followed, &[followed.len()], limits).map(|extent| extent.map(|e| e.1));
    assert!(end == Ok(Some(bytes.len())) || end.is_err(), "{end:?}");
}

fn check_request_line(head: &Head, bytes: &[u8]) {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    assert_eq!(head.requestline.as_bytes(), line);
    assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
    let words: Vec<&str> = head.requestline.split(' ').collect();
    let [command, target, version] = words[..] else {
        panic!("{words:?}")
    };
    assert_eq!((command, version), (&*head.command, &*head.request_version));
    assert!(is_token(command));
    let minor = version.strip_prefix("HTTP/1.").unwrap();
    assert!(minor.len() == 1 && minor.as_bytes()[0].is_ascii_digit());
    assert_eq!(head.is_http11, minor != "0");

    let path = &*head.path;
    match (command, path) {
        ("CONNECT", _) => assert_eq!((path, head.authority.as_deref()), (target, Some(target))),
        (_, "*") => assert_eq!((command, target, &head.authority), ("OPTIONS", "*", &None)),
        _ => assert!(path.starts_with('/') && !path.starts_with("//"), "{path}"),
    }
    assert!(target.ends_with(path.trim_start_matches('/')), "{path}");
    match &head.authority {
        Some(authority) => {
            assert!(!authority.is_empty() && target.contains(&**authority));
            assert!(!authority.contains(['/', '@', '?', '#', ',', '\\', ' ']));
        }
        None => assert!(target.starts_with('/') || target == "*"),
    }
}

/// The meaning of the fields, found in another way.
fn check_meta(head: &Head) {
    let fields = &head.fields;
    let hosts: Vec<&str> = values(fields, "Host").collect();
    assert!(hosts.len() == 1 || (hosts.is_empty() && !head.is_http11));
    let lengths: Vec<&str> = values(fields, "Content-Length").collect();
    let codings: Vec<&str> = values(fields, "Transfer-Encoding").collect();
    match (&lengths[..], &codings[..]) {
        ([], []) => assert_eq!(head.length, Some(0)),
        ([length], []) => {
            assert!(length.bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(head.length, Some(length.parse().unwrap()));
        }
        ([], [coding]) => {
            assert!(head.is_http11 && coding.eq_ignore_ascii_case("chunked"));
            assert_eq!(head.length, None);
        }
        _ => panic!("{lengths:?} and {codings:?}"),
    }
    let close = has_option(fields, "Connection", "close");
    let keep = head.is_http11 || has_option(fields, "Connection", "keep-alive");
    assert_eq!(head.keep_alive, keep && !close);
    let expects = has_option(fields, "Expect", "100-continue");
    let waits = head.is_http11 && expects && head.length != Some(0);
    assert_eq!(head.expects_continue, waits);
}

fn render(head: &Head, target: &str) -> Vec<u8> {
    let mut text = format!("{} {target} {}\r\n", head.command, head.request_version);
    for (name, value) in &head.fields {
        text.push_str(&format!("{name}:{value}\r\n"));
    }
    text.push_str("\r\n");
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}
