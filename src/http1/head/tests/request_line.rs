//! Accepted request lines, and the errors of rejected ones.

use super::*;

#[test]
fn valid_request_lines() {
    for (line, version) in [
        ("GET / HTTP/1.0", Version::Http10),
        ("GET / HTTP/1.1", Version::Http11),
        // RFC 9110, 2.5: a later minor version is compatible
        ("GET / HTTP/1.2", Version::Http11),
        ("GET / HTTP/1.9", Version::Http11),
        // RFC 9110, 9.1: any token is a method, case matters
        ("get / HTTP/1.1", Version::Http11),
        ("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", Version::Http11),
        ("OPTIONS * HTTP/1.1", Version::Http11),
        ("CONNECT h:443 HTTP/1.1", Version::Http11),
        ("GET http://h/ HTTP/1.1", Version::Http11),
    ] {
        let parsed = with_head(&request(line), |head| {
            (head.requestline.to_owned(), head.version)
        });
        assert_eq!(parsed, Ok((line.to_owned(), version)));
    }
    // RFC 9112, 2.2: lone line feeds
    assert_eq!(
        with_head("GET / HTTP/1.1\nHost: h\n\n", |head| head.fields.len()),
        Ok(1)
    );
}

#[test]
fn a_wrong_version_is_refused_in_pythons_words() {
    for word in [
        "HTTP",
        "HTTP/",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/1.1.1",
        "HTTP/9.9.9",
        "http/1.1",
        "HTTP/+1.1",
        "HTTP/1.-1",
        "HTTP/1_1.1",
        "HTTP/1.x",
        "HTTP/ 1.1",
        "HTTP/0.9",
        "HTTP/01.1",
        "HTTP/1.10",
        "HTTP/1.01",
        "HTTP/00.9",
        "HTTP/12345678901.1",
        "HTTP/2.12345678901",
        "FOO",
        "HTTPS/1.1",
        "HTTP/1,1",
        "HTTP/\u{b2}.0",
    ] {
        let (code, message) = refused(&request(&format!("GET / {word}")));
        let last = word
            .split(' ')
            .next_back()
            .unwrap()
            .replace('\u{b2}', "\\xb2");
        assert_eq!(
            (code, message),
            (400, format!("Bad request version ('{last}')"))
        );
    }
    for number in [
        "2.0", "2.1", "3.0", "9.9", "20.0", "99.9", "02.0", "2.00", "0.0", "0.5",
    ] {
        let (code, message) = refused(&request(&format!("GET / HTTP/{number}")));
        assert_eq!(
            (code, message),
            (505, format!("Invalid HTTP version ({number})"))
        );
    }
}

#[test]
fn a_wrong_request_line_is_refused_in_pythons_words() {
    for (line, expected) in [
        // RFC 9112, 3: three parts, single spaces
        ("GET", "Bad request syntax ('GET')"),
        (" ", "Bad request syntax (' ')"),
        (
            "GET / x HTTP/1.1",
            "Bad request syntax ('GET / x HTTP/1.1')",
        ),
        (" GET / HTTP/1.1", "Bad request syntax (' GET / HTTP/1.1')"),
        ("GET  / HTTP/1.1", "Bad request syntax ('GET  / HTTP/1.1')"),
        ("GET /  HTTP/1.1", "Bad request syntax ('GET /  HTTP/1.1')"),
        ("GET / HTTP/1.1 ", "Bad request syntax ('GET / HTTP/1.1 ')"),
        ("GET\t/ HTTP/1.1", "Bad request syntax ('GET\\t/ HTTP/1.1')"),
        ("GET /\tHTTP/1.1", "Bad request syntax ('GET /\\tHTTP/1.1')"),
        (
            "GET\x0b/\x0cHTTP/1.1",
            "Bad request syntax ('GET\\x0b/\\x0cHTTP/1.1')",
        ),
        (
            "GET\u{a0}/ HTTP/1.1",
            "Bad request syntax ('GET\\xa0/ HTTP/1.1')",
        ),
        (
            "GET / HTTP/1.1\r",
            "Bad request syntax ('GET / HTTP/1.1\\r')",
        ),
        (
            "\rGET / HTTP/1.1",
            "Bad request syntax ('\\rGET / HTTP/1.1')",
        ),
        // RFC 9110, 9.1: a method is a token
        ("G(T / HTTP/1.1", "Bad request syntax ('G(T / HTTP/1.1')"),
        ("GET: / HTTP/1.1", "Bad request syntax ('GET: / HTTP/1.1')"),
        (
            "G\u{c9}T / HTTP/1.1",
            "Bad request syntax ('G\\xc9T / HTTP/1.1')",
        ),
        (
            "\"GET\" / HTTP/1.1",
            "Bad request syntax ('\"GET\" / HTTP/1.1')",
        ),
        // HTTP/0.9, which is not served
        ("GET /", "Bad request syntax ('GET /')"),
        ("GET /'", "Bad request syntax (\"GET /'\")"),
        ("POST /", "Bad HTTP/0.9 request type ('POST')"),
        ("get /", "Bad HTTP/0.9 request type ('get')"),
        // The version is checked before the number of words.
        ("a b c d", "Bad request version ('d')"),
        // The target is checked last.
        ("GET a HTTP/1.1", "Bad request target ('a')"),
        ("GET /\0 HTTP/1.1", "Bad request target ('/\\x00')"),
        ("GET /\u{a0} HTTP/1.1", "Bad request target ('/\\xa0')"),
        ("GET * HTTP/1.1", "Bad request target ('*')"),
    ] {
        assert_eq!(refused(&request(line)), (400, expected.to_owned()));
    }
    let long = "x".repeat(60_000);
    assert_eq!(
        refused(&request(&long)).1.len(),
        "Bad request syntax ('...')".len() + 200
    );
}
