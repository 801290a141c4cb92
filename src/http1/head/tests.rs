#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

mod request_line;
mod usual;

const SMALL: HeadLimits = HeadLimits {
    request_line: 20,
    field_line: 10,
    fields: 2,
    head: 31,
    empty_lines: 1,
};

#[track_caller]
fn find(input: &[u8]) -> Result<Option<(usize, usize)>, u16> {
    find_within(input, &HeadLimits::default()).map_err(|refusal| refusal.code)
}

fn find_within(input: &[u8], limits: &HeadLimits) -> Result<Option<(usize, usize)>, Refusal> {
    let extent = Scan::default().find(input, limits)?;
    Ok(extent.map(|extent| (extent.start, extent.end)))
}

/// Parses a head and calls `read` with it, or returns the refusal.
fn with_head<T>(head: &str, read: impl FnOnce(&Head<'_>) -> T) -> Result<T, Refusal> {
    let (mut places, mut scratch) = (Places::default(), String::new());
    let limits = HeadLimits::default();
    let bytes: Vec<u8> = head.chars().map(|c| u8::try_from(c).unwrap()).collect();
    parse_whole(&bytes, &mut scratch, &mut places, &limits).map(|head| read(&head))
}

#[track_caller]
fn refused(head: &str) -> (u16, String) {
    let refusal = with_head(head, |_| ()).unwrap_err();
    (refusal.code, refusal.message.into_owned())
}

fn request(line: &str) -> String {
    format!("{line}\r\nHost: h\r\n\r\n")
}

#[test]
fn the_end_of_a_head_is_found() {
    for (input, expected) in [
        ("", None),
        ("GET", None),
        ("GET / HTTP/1.1\r\n", None),
        ("GET / HTTP/1.1\r\n\r", None),
        ("GET / HTTP/1.1\r\nA: b\r\n", None),
        ("GET / HTTP/1.1\r\n\r\n", Some((0, 18))),
        ("GET / HTTP/1.1\r\nA: b\r\n\r\nbody\r\n\r\n", Some((0, 24))),
        // RFC 9112, 2.2: a lone LF may end a line, and empty lines may come before a request
        ("GET / HTTP/1.1\n\n", Some((0, 16))),
        ("GET / HTTP/1.1\r\nA: b\n\r\n", Some((0, 23))),
        ("GET / HTTP/1.1\r\nA: b\r\n\n", Some((0, 23))),
        ("\r\nGET / HTTP/1.1\r\n\r\n", Some((2, 20))),
        ("\r\n\n\r\n\nGET / HTTP/1.1\r\n\r\n", Some((6, 24))),
        ("\r\n\r\n", None),
        // A lone CR ends no line.
        ("GET / HTTP/1.1\r\r\n\r\r\n", None),
        ("GET / HTTP/1.1\r\rA: b\r\r", None),
    ] {
        assert_eq!(find(input.as_bytes()), Ok(expected), "{input:?}");
    }
}

#[test]
fn each_pipelined_head_is_found_in_the_rest_of_the_buffer() {
    let input = b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\n\n\r\nGET /3 HTTP/1.1\r\n\r\n";
    let (mut rest, mut heads) = (&input[..], Vec::new());
    while let Some((start, end)) = find(rest).unwrap() {
        heads.push(str::from_utf8(&rest[start..end]).unwrap());
        rest = &rest[end..];
    }
    assert_eq!(
        heads,
        [
            "GET /1 HTTP/1.1\r\n\r\n",
            "GET /2 HTTP/1.1\n\n",
            "GET /3 HTTP/1.1\r\n\r\n"
        ]
    );
}

#[test]
fn what_was_seen_is_not_looked_at_again() {
    let mut scan = Scan::default();
    let limits = HeadLimits::default();
    let first_read = b"GET / HTTP/1.1\r\nA: b\r\nC";
    assert_eq!(scan.find(first_read, &limits), Ok(None));
    // Bytes that were searched before are not looked at again.
    let input = [&[b'\n'; 23][..], b"\r\n\r\n"].concat();
    let extent = scan.find(&input, &limits);
    assert_eq!(extent, Ok(Some(Extent { start: 0, end: 27 })));
}

#[test]
fn other_protocols_are_not_waited_for() {
    // A TLS handshake
    assert_eq!(
        find(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        Err(400)
    );
    assert_eq!(find(b"\r\n\x16"), Err(400));
    assert_eq!(find(b"\0"), Err(400));
    assert_eq!(find(b"\xff"), Err(400));
    // The preface of HTTP/2 (RFC 9113, 3.4) is a complete head.
    assert_eq!(find(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Ok(Some((0, 18))));
    assert_eq!(
        refused("PRI * HTTP/2.0\r\n\r\n"),
        (505, "Invalid HTTP version (2.0)".into())
    );
}

#[test]
fn limits_hold_to_the_byte() {
    let request_line = |length: usize| format!("GET /{} HTTP/1.1\r\n", "x".repeat(length - 16));
    let field_line = |length: usize| format!("GET / HTTP/1.1\r\nA:{}\r\n", "x".repeat(length - 4));
    let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(count));
    let head = |length: usize| {
        let field = format!("A:{}\r\n", "x".repeat(65_532));
        let rest = format!("A:{}\r\n", "x".repeat(length - 3 * 65_536 - 16 - 2 - 4));
        format!("GET / HTTP/1.1\r\n{}{rest}", field.repeat(3))
    };
    let empty_lines = |count: usize| format!("{}GET / HTTP/1.1\r\n", "\r\n".repeat(count));
    for (fits, does_not, code, message) in [
        (
            request_line(65_536),
            request_line(65_537),
            414,
            "URI Too Long",
        ),
        (field_line(65_536), field_line(65_537), 431, "Line too long"),
        (fields(100), fields(101), 431, "Too many headers"),
        (head(262_144), head(262_145), 431, "Head too long"),
        (empty_lines(4), empty_lines(5), 400, "Too many empty lines"),
    ] {
        let limits = HeadLimits::default();
        let whole = fits + "\r\n";
        let start = whole.find("GET").unwrap();
        assert_eq!(
            find(whole.as_bytes()),
            Ok(Some((start, whole.len()))),
            "{message}"
        );
        let refusal = find_within((does_not + "\r\n").as_bytes(), &limits).unwrap_err();
        assert_eq!((refusal.code, &*refusal.message), (code, message));
    }
}

#[test]
fn limits_hold_before_a_line_is_complete() {
    for (input, expected) in [
        (&b"GET /xxxxxxxxxxxxxxx"[..], Ok(None)),
        (b"GET /xxxxxxxxxxxxxxxx", Err(414)),
        (b"GET / HTTP/1.1\r\nA: bcdefgh", Ok(None)),
        (b"GET / HTTP/1.1\r\nA: bcdefghi", Err(431)),
        (b"GET / HTTP/1.1\r\nA: bcdef\r\nB: cd", Ok(None)),
        (b"GET / HTTP/1.1\r\nA: bcdef\r\nB: cde", Err(431)),
    ] {
        let found = find_within(input, &SMALL).map_err(|refusal| refusal.code);
        assert_eq!(found, expected, "{}", input.escape_ascii());
    }
}

#[test]
fn text_is_ascii_or_latin1() {
    let mut scratch = String::from("old");
    assert_eq!(text(b"GET / HTTP/1.1", &mut scratch), "GET / HTTP/1.1");
    assert_eq!(text(b"caf\xe9\x85", &mut scratch), "caf\u{e9}\u{85}");
    // Never UTF-8, or the length of a line would depend on its bytes being valid.
    assert_eq!(text("é".as_bytes(), &mut scratch), "\u{c3}\u{a9}");
}

#[test]
fn a_head_is_parsed() {
    let text =
        "POST //a?b#c HTTP/1.1\r\nHost: h:80\r\nX_y:\t z  \r\nEmpty:\r\nContent-Length: 5\r\n\r\n";
    with_head(text, |head| {
        assert_eq!(head.requestline, "POST //a?b#c HTTP/1.1");
        assert_eq!((head.command, head.request_version), ("POST", "HTTP/1.1"));
        assert_eq!(
            (&*head.target.path, head.target.authority),
            ("/a?b#c", None)
        );
        assert_eq!(head.version, Version::Http11);
        let fields: Vec<_> = head.fields.iter().collect();
        assert_eq!(fields[..2], [("Host", "h:80"), ("X_y", "z")]);
        assert_eq!(fields[2..], [("Empty", ""), ("Content-Length", "5")]);
        assert_eq!(head.meta.body, BodyLength::Exact(5));
        assert!(head.meta.keep_alive);
    })
    .unwrap();
}

#[test]
fn wrong_fields_are_refused() {
    for field in [
        // RFC 9112, 5.1: no white space before the colon
        "A : b",
        "A\t: b",
        // RFC 9112, 2.2 and 5.2: none before a field line, and no folding
        " A: b",
        "\tA: b",
        "A: b\r\n c",
        "A: b\r\n\tc",
        "A: b\n c",
        "A:\r\n b",
        // RFC 9110, 5.6.2: a name is a token
        "A",
        ": b",
        "A b: c",
        "A(: b",
        "A\0: b",
        "A\u{e9}: b",
        "\"A\": b",
        "A/b: c",
        "A\r: b",
        // RFC 9110, 5.5: no controls in a value
        "A: \0",
        "A: b\0c",
        "A: b\rc",
        "A: b\rB: c",
        "A: b\r",
        "A: \x0b",
        "A: b\x1fc",
        "A: b\x7f",
    ] {
        for before in ["", "B: c\r\n"] {
            let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{before}{field}\r\n\r\n");
            assert_eq!(
                with_head(&head, |_| ()).map_err(|r| r.code),
                Err(400),
                "{head:?}"
            );
        }
        let first = format!("GET / HTTP/1.0\r\n{field}\r\n\r\n");
        assert_eq!(
            with_head(&first, |_| ()).map_err(|r| r.code),
            Err(400),
            "{first:?}"
        );
    }
}

#[test]
fn obs_text_and_tabs_in_values_are_kept() {
    let head = "GET / HTTP/1.0\r\nA: \t b\tc \u{e9}\u{85} \t\r\n\r\n";
    let value = with_head(head, |head| head.fields.values("a").collect::<String>());
    assert_eq!(value.unwrap(), "b\tc \u{e9}\u{85}");
}

#[test]
fn as_many_fields_as_allowed_are_parsed() {
    let head = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "A: b\r\n".repeat(count));
    for (limit, count, expected) in [
        (100, 0, Ok(0)),
        (100, 32, Ok(32)),
        (100, 33, Ok(33)),
        (100, 100, Ok(100)),
        (100, 101, Err(431)),
        (32, 32, Ok(32)),
        (32, 33, Err(431)),
        (5, 5, Ok(5)),
        (5, 6, Err(431)),
        (0, 1, Err(431)),
        (usize::MAX, 1000, Ok(1000)),
    ] {
        let limits = HeadLimits {
            fields: limit,
            ..HeadLimits::default()
        };
        let (text, mut places, mut scratch) = (head(count), Places::default(), String::new());
        let parsed = parse_whole(text.as_bytes(), &mut scratch, &mut places, &limits);
        let parsed = parsed
            .map(|head| head.fields.len())
            .map_err(|refusal| refusal.code);
        assert_eq!(parsed, expected, "{count} of {limit}");
    }
}

#[test]
fn a_text_that_is_not_one_head_is_refused() {
    for text in [
        "",
        "GET / HTTP/1.0",
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.0\r\nA: b\r\n",
        "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        "\r\nGET / HTTP/1.0\r\n\r\n",
    ] {
        assert_eq!(refused(text).0, 400, "{text:?}");
    }
}

#[test]
fn the_first_line_is_known_of_every_text() {
    for (text, line) in [
        ("", ""),
        ("GET", "GET"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1"),
        ("GET /\nHost", "GET /"),
        ("\r\n", ""),
    ] {
        assert_eq!(first_line(text), line);
    }
}

#[test]
fn a_bad_request_line_is_refused_before_the_end_of_the_head() {
    for (input, refused_at, code) in [
        ("GET /\r\n", 7, 400),
        ("\r\nGET /\r\nHost: h\r\n\r\n", 9, 400),
        ("GET / HTTP/2.0\r\n\r\n", 16, 505),
        ("GET x HTTP/1.1\r\n", 16, 400),
        ("GET \u{e9} HTTP/1.1\n", 16, 400),
        ("GET / HTTP/1.1\r\nA: b\r\n", usize::MAX, 0),
    ] {
        let (input, mut scan) = (input.as_bytes(), Scan::default());
        for end in 0..input.len().min(refused_at) {
            assert_eq!(scan.find(&input[..end], &SMALL), Ok(None));
            assert_eq!(scan.check_request_line(&input[..end]), Ok(()), "{end}");
        }
        if let Some(input) = input.get(..refused_at) {
            assert_eq!(scan.find(input, &SMALL), Ok(None));
            assert_eq!(scan.check_request_line(input).unwrap_err().code, code);
        }
    }
}
