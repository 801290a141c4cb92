#![allow(clippy::unwrap_used)]

use super::*;
use crate::http1::head::{self, Places};
use BodyLength::{Chunked, Exact};
use Version::{Http10, Http11};

/// Reads fields written as lines. A Host field is added if there is none.
fn read_lines(version: Version, lines: &str) -> Result<Meta, u16> {
    let host = if lines.to_ascii_lowercase().contains("host:") {
        ""
    } else {
        "Host: h\n"
    };
    read_exactly(version, &format!("{host}{lines}"))
}

fn read_exactly(version: Version, lines: &str) -> Result<Meta, u16> {
    let lines = lines.trim_matches('\n').lines();
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let head = format!("GET / HTTP/1.1\n{text}\n");
    let mut places = Places::default();
    let fields = head::lines_of(&head, &mut places).unwrap();
    read(version, fields).map_err(|refusal| refusal.code)
}

#[test]
fn host() {
    for (version, lines, expected) in [
        // RFC 9112, 3.2
        (Http11, "", Err(400)),
        (Http11, "Host: h", Ok(())),
        (Http11, "hOST: h:80", Ok(())),
        (Http11, "Host:", Ok(())),
        (Http11, "Host: h\nHost: h", Err(400)),
        (Http11, "Host: h\nA: b\nhost: i", Err(400)),
        (Http11, "Host:\nHost:", Err(400)),
        (Http11, "Host: h, i", Err(400)),
        (Http11, "Host: u@h", Err(400)),
        (Http11, "Host: h/", Err(400)),
        (Http11, "Host: caf\u{e9}", Err(400)),
        (Http11, "Hosts: h", Err(400)),
        (Http11, "X-Forwarded-Host: h", Err(400)),
        (Http10, "", Ok(())),
        (Http10, "Host: h", Ok(())),
        (Http10, "Host: h\nHost: h", Err(400)),
        (Http10, "Host: h\\", Err(400)),
    ] {
        assert_eq!(read_exactly(version, lines).map(drop), expected, "{lines}");
    }
}

#[test]
fn content_length() {
    for (lines, expected) in [
        ("", Ok(Exact(0))),
        // RFC 9110, 8.6
        ("Content-Length: 0", Ok(Exact(0))),
        ("CONTENT-length: 42", Ok(Exact(42))),
        ("Content-Length: \t 0042 \t", Ok(Exact(42))),
        ("Content-Length: 18446744073709551615", Ok(Exact(u64::MAX))),
        // Another name.
        ("Content_Length: 42", Ok(Exact(0))),
        ("Content-Lengths: 42", Ok(Exact(0))),
        // RFC 9112, 6.3 (5)
        ("Content-Length: 18446744073709551616", Err(400)),
        ("Content-Length: 99999999999999999999999", Err(400)),
        ("Content-Length:", Err(400)),
        ("Content-Length: +5", Err(400)),
        ("Content-Length: -5", Err(400)),
        ("Content-Length: -0", Err(400)),
        ("Content-Length: 0x5", Err(400)),
        ("Content-Length: 5_0", Err(400)),
        ("Content-Length: 5.0", Err(400)),
        ("Content-Length: 5 0", Err(400)),
        ("Content-Length: 5;", Err(400)),
        ("Content-Length: \"5\"", Err(400)),
        ("Content-Length: \u{665}", Err(400)),
        ("Content-Length: \u{a0}5", Err(400)),
        ("Content-Length: five", Err(400)),
        // Every list and every repeat
        ("Content-Length: 5, 5", Err(400)),
        ("Content-Length: 5,", Err(400)),
        ("Content-Length: 5\nContent-Length: 5", Err(400)),
        ("Content-Length: 5\ncontent-length: 6", Err(400)),
        ("Content-Length: 0\nContent-Length: 0", Err(400)),
    ] {
        for version in [Http10, Http11] {
            assert_eq!(
                read_lines(version, lines).map(|meta| meta.body),
                expected,
                "{lines}"
            );
        }
    }
}

#[test]
fn transfer_encoding() {
    for (lines, expected) in [
        // RFC 9112, 6.1 and 7
        ("Transfer-Encoding: chunked", Ok(Chunked)),
        ("transfer-ENCODING:\t cHuNkEd \t", Ok(Chunked)),
        ("Transfer_Encoding: chunked", Ok(Exact(0))),
        // 6.3 (4): chunked is not the last coding
        ("Transfer-Encoding: gzip", Err(400)),
        ("Transfer-Encoding: chunked, gzip", Err(400)),
        (
            "Transfer-Encoding: chunked\nTransfer-Encoding: gzip",
            Err(400),
        ),
        ("Transfer-Encoding: xchunked", Err(400)),
        ("Transfer-Encoding: chunkedx", Err(400)),
        ("Transfer-Encoding: chun ked", Err(400)),
        // 7: chunked only once
        ("Transfer-Encoding: chunked, chunked", Err(400)),
        (
            "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
            Err(400),
        ),
        ("Transfer-Encoding: gzip, chunked, chunked", Err(400)),
        // A known framing, but a coding that is not
        ("Transfer-Encoding: gzip, chunked", Err(501)),
        ("Transfer-Encoding: gzip ,\t Chunked", Err(501)),
        ("Transfer-Encoding: gzip, br, chunked", Err(501)),
        (
            "Transfer-Encoding: gzip\nTransfer-Encoding: chunked",
            Err(501),
        ),
        // Obsolete, empty, decorated
        ("Transfer-Encoding: identity", Err(400)),
        ("Transfer-Encoding: identity, chunked", Err(400)),
        ("Transfer-Encoding: chunked, identity", Err(400)),
        ("Transfer-Encoding:", Err(400)),
        ("Transfer-Encoding: chunked\nTransfer-Encoding:", Err(400)),
        ("Transfer-Encoding: ,", Err(400)),
        ("Transfer-Encoding: , chunked", Err(400)),
        ("Transfer-Encoding: chunked,", Err(400)),
        ("Transfer-Encoding: chunked;", Err(400)),
        ("Transfer-Encoding: chunked;q=1", Err(400)),
        ("Transfer-Encoding: gzip;q=1, chunked", Err(400)),
        ("Transfer-Encoding: \"chunked\"", Err(400)),
        ("Transfer-Encoding: 'chunked'", Err(400)),
        ("Transfer-Encoding: \u{a0}chunked", Err(400)),
        ("Transfer-Encoding: chunked\u{85}", Err(400)),
        // 6.1: together with a length
        ("Transfer-Encoding: chunked\nContent-Length: 5", Err(400)),
        ("Content-Length: 0\nTransfer-Encoding: chunked", Err(400)),
        (
            "Content-Length: 5\nTransfer-Encoding: gzip, chunked",
            Err(400),
        ),
    ] {
        assert_eq!(
            read_lines(Http11, lines).map(|meta| meta.body),
            expected,
            "{lines}"
        );
    }
    // 6.1: not in 1.0
    assert_eq!(read_lines(Http10, "Transfer-Encoding: chunked"), Err(400));
    assert_eq!(
        read_lines(Http10, "Transfer-Encoding: gzip, chunked"),
        Err(400)
    );
}

#[test]
fn connection() {
    for (lines, in_http10, in_http11) in [
        // RFC 9112, 9.3
        ("", false, true),
        ("Connection: close", false, false),
        ("connection: CLOSE", false, false),
        ("Connection: keep-alive", true, true),
        ("Connection: Keep-Alive", true, true),
        ("Connection: keep-alive, close", false, false),
        ("Connection: close, keep-alive", false, false),
        ("Connection: TE,\tclose \t", false, false),
        ("Connection: TE, keep-alive", true, true),
        ("Connection: TE\nConnection: close", false, false),
        ("Connection: close\nConnection: TE", false, false),
        ("Connection: keep-alive\nConnection: close", false, false),
        ("Connection: ,,close", false, false),
        // Whole tokens
        ("Connection: closed", false, true),
        ("Connection: not-close", false, true),
        ("Connection: close;x", false, true),
        ("Connection: \"close\"", false, true),
        ("Connection: close keep-alive", false, true),
        ("Connection: keepalive", false, true),
        ("Connection: close\u{a0}", false, true),
        ("Connection:", false, true),
        // Other fields say nothing
        ("Proxy-Connection: keep-alive", false, true),
        ("Keep-Alive: timeout=5", false, true),
        ("Connections: close", false, true),
    ] {
        let keep_alive = |version| read_lines(version, lines).map(|meta| meta.keep_alive);
        assert_eq!(keep_alive(Http10), Ok(in_http10), "{lines}");
        assert_eq!(keep_alive(Http11), Ok(in_http11), "{lines}");
    }
}

#[test]
fn expect() {
    for (lines, expected) in [
        // RFC 9110, 10.1.1
        ("Expect: 100-continue\nContent-Length: 5", Ok(true)),
        ("eXPECT: 100-Continue\nTransfer-Encoding: chunked", Ok(true)),
        (
            "Expect: 100-continue, 100-continue\nContent-Length: 5",
            Ok(true),
        ),
        ("Content-Length: 5", Ok(false)),
        // An expectation without a body counts too.
        ("Expect: 100-continue", Ok(true)),
        ("Expect: 100-continue\nContent-Length: 0", Ok(true)),
        ("Expect:\nContent-Length: 5", Ok(false)),
        // Other expectations
        ("Expect: 200-ok", Err(417)),
        ("Expect: 100-continued\nContent-Length: 5", Err(417)),
        ("Expect: 100-continue;x\nContent-Length: 5", Err(417)),
        ("Expect: 100-continue, x\nContent-Length: 5", Err(417)),
        (
            "Expect: x\nExpect: 100-continue\nContent-Length: 5",
            Err(417),
        ),
        // Bad framing is reported first.
        ("Expect: x\nContent-Length: five", Err(400)),
        (
            "Expect: x\nContent-Length: 5\nTransfer-Encoding: chunked",
            Err(400),
        ),
    ] {
        let expects = read_lines(Http11, lines).map(|meta| meta.expects_continue);
        assert_eq!(expects, expected, "{lines}");
    }
    for lines in [
        "Expect: 100-continue\nContent-Length: 5",
        "Expect: x\nContent-Length: 5",
    ] {
        let expected = Meta {
            body: Exact(5),
            keep_alive: false,
            expects_continue: false,
        };
        assert_eq!(read_lines(Http10, lines), Ok(expected), "{lines}");
    }
}

#[test]
fn upgrade_changes_nothing() {
    // RFC 9110, 7.8
    let lines = "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nContent-Length: 5";
    let expected = Meta {
        body: Exact(5),
        keep_alive: true,
        expects_continue: false,
    };
    assert_eq!(read_lines(Http11, lines), Ok(expected));
}
