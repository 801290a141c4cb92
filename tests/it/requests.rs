//! Which requests are taken, and what is said to the others: a row for each rule.

use std::io::Read;

use crate::client::{get, method_of};
use crate::support::{Ask, Numbers, serve, text};
use servette::testing::TestServer;
use servette::{Status, base};

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Kept,
    Closed,
}
use After::{Closed, Kept};

/// The rule, the request, the status of its response, what becomes of the connection, and a part
/// of the response's body.
type Row = (&'static str, Vec<u8>, u16, After, &'static str);

fn row(
    rule: &'static str,
    request: impl Into<Vec<u8>>,
    status: u16,
    after: After,
    part: &'static str,
) -> Row {
    (rule, request.into(), status, after, part)
}

/// A request that is refused: one answer, and the end.
fn refused(rule: &'static str, request: impl Into<Vec<u8>>, status: u16) -> Row {
    row(rule, request, status, Closed, "")
}

fn taken(rule: &'static str, request: impl Into<Vec<u8>>, part: &'static str) -> Row {
    row(rule, request, 200, Kept, part)
}

/// A GET with these lines after its request line.
fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n")
}

fn line(line: &str) -> String {
    format!("{line}\r\nHost: h\r\n\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked", body)
}

fn request_lines() -> Vec<Row> {
    const SYNTAX: &str = "1, RFC 9112 3";
    const METHOD: &str = "2, RFC 9110 9.1";
    const TARGET: &str = "3, RFC 9112 3.2.1";
    const ABSOLUTE: &str = "4, RFC 9112 3.2.2";
    const OTHER_FORMS: &str = "5, RFC 9112 3.2.3 and 3.2.4";
    const VERSION: &str = "6, RFC 9112 2.3";
    const EMPTY: &str = "7, RFC 9112 2.2";
    let padded = |n: usize| line(&format!("GET /{} HTTP/1.1", "a".repeat(n - 16)));
    vec![
        taken(SYNTAX, line("GET / HTTP/1.1"), "GET / h []"),
        refused(SYNTAX, line("GET  / HTTP/1.1"), 400),
        refused(SYNTAX, line("GET /  HTTP/1.1"), 400),
        refused(SYNTAX, line(" GET / HTTP/1.1"), 400),
        refused(SYNTAX, line("GET / HTTP/1.1 "), 400),
        refused(SYNTAX, line("GET\t/\tHTTP/1.1"), 400),
        refused(SYNTAX, line("GET / HTTP/1.1\r"), 400),
        refused(SYNTAX, line("GET / x HTTP/1.1"), 400),
        refused(SYNTAX, line("GET / HTTP/1.1 x"), 400),
        refused(SYNTAX, line("GET"), 400),
        refused(SYNTAX, line("GET /"), 400),
        refused(SYNTAX, line("POST /"), 400),
        refused(SYNTAX, line("/ HTTP/1.1"), 400),
        refused(METHOD, line("G@T / HTTP/1.1"), 400),
        refused(METHOD, line("G\u{e9}T / HTTP/1.1"), 400),
        refused(METHOD, line("\"GET\" / HTTP/1.1"), 400),
        row(
            METHOD,
            line("get / HTTP/1.1"),
            501,
            Kept,
            "Unsupported method ('get')",
        ),
        row(METHOD, line("M-S!1 / HTTP/1.1"), 501, Kept, "('M-S!1')"),
        row(METHOD, line("HEAD /none HTTP/1.1"), 404, Kept, ""),
        row(METHOD, line("GET /none HTTP/1.1"), 404, Kept, "404"),
        taken(TARGET, line("GET /a?b=c?d HTTP/1.1"), "GET /a?b=c?d h []"),
        taken(TARGET, line("GET /a#b HTTP/1.1"), "GET /a#b h"),
        taken(TARGET, line("GET /%zz% HTTP/1.1"), "GET /%zz% h"),
        taken(TARGET, line("GET /\"<>{}|\\^` HTTP/1.1"), "GET /\"<>{}"),
        taken("Python 7", line("GET //a/..//b HTTP/1.1"), "GET /a/..//b h"),
        taken("Python 7", line("GET ///// HTTP/1.1"), "GET / h"),
        refused(TARGET, line("GET /\t HTTP/1.1"), 400),
        refused(TARGET, line("GET /\0 HTTP/1.1"), 400),
        refused(TARGET, line("GET /\x7f HTTP/1.1"), 400),
        refused(TARGET, b"GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        refused(TARGET, line("GET index.html HTTP/1.1"), 400),
        refused(TARGET, line("GET ?a HTTP/1.1"), 400),
        taken(
            ABSOLUTE,
            line("GET http://other:8/x?y HTTP/1.1"),
            "GET /x?y other:8 []",
        ),
        taken(ABSOLUTE, line("GET HTTPS://O HTTP/1.1"), "GET / O []"),
        taken(ABSOLUTE, line("GET http://o//x HTTP/1.1"), "GET /x o []"),
        refused(ABSOLUTE, "GET http://o/ HTTP/1.1\r\n\r\n", 400),
        refused(ABSOLUTE, line("GET http://u@o/ HTTP/1.1"), 400),
        refused(ABSOLUTE, line("GET http:///x HTTP/1.1"), 400),
        refused(ABSOLUTE, line("GET ftp://o/ HTTP/1.1"), 400),
        taken(OTHER_FORMS, line("OPTIONS * HTTP/1.1"), "OPTIONS * h []"),
        refused(OTHER_FORMS, line("GET * HTTP/1.1"), 400),
        row(
            OTHER_FORMS,
            line("CONNECT o:443 HTTP/1.1"),
            501,
            Closed,
            "('CONNECT')",
        ),
        refused(OTHER_FORMS, line("CONNECT o HTTP/1.1"), 400),
        refused(OTHER_FORMS, line("CONNECT /x HTTP/1.1"), 400),
        refused(OTHER_FORMS, line("GET o:443 HTTP/1.1"), 400),
        row(VERSION, "GET / HTTP/1.0\r\n\r\n", 200, Closed, "GET / - []"),
        taken(VERSION, line("GET / HTTP/1.2"), "GET / h []"),
        refused(VERSION, line("GET / HTTP/2.0"), 505),
        refused(VERSION, line("GET / HTTP/9.9"), 505),
        refused(VERSION, line("GET / HTTP/0.9"), 400),
        refused(VERSION, line("GET / HTTP/1"), 400),
        refused(VERSION, line("GET / HTTP/1.10"), 400),
        refused(VERSION, line("GET / HTTP/01.1"), 400),
        refused(VERSION, line("GET / HTTP/1.+1"), 400),
        refused(VERSION, line("GET / http/1.1"), 400),
        refused(VERSION, line("GET / FUBAR"), 400),
        refused(VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        refused("6, HTTP/0.9, no blank line", "GET /\r\n", 400),
        refused(
            "6, TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            400,
        ),
        taken(EMPTY, format!("\r\n\n\r\n\n{}", get("/")), "GET / h"),
        refused(EMPTY, format!("\r\n\n\r\n\n\n{}", get("/")), 400),
        taken("8, RFC 9112 3", padded(8_000), "aaaa h []"),
        taken("8, Python 1", padded(65_536), "aaaa h []"),
        refused("8, Python 1", padded(65_537), 414),
    ]
}

fn hosts() -> Vec<Row> {
    const RULE: &str = "9, RFC 9112 3.2";
    let mut rows = vec![
        refused(RULE, "GET / HTTP/1.1\r\n\r\n", 400),
        refused(RULE, "HEAD / HTTP/1.1\r\n\r\n", 400),
        refused(RULE, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        refused(RULE, "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400),
        row(RULE, "GET / HTTP/1.0\r\n\r\n", 200, Closed, "GET / - []"),
    ];
    for host in [
        "",
        "h",
        "h_h.",
        "h:",
        "h:80",
        "1.2.3.4:8",
        "[::1]",
        "[::1]:8",
        // Zones, which some clients leave in.
        "[fe80::1%eth0]:8",
        "[fe80::1%25eth0]:8",
    ] {
        rows.push(taken(RULE, with(&format!("Host: {host}")), "GET / "));
    }
    for host in [
        "u@h",
        "h/",
        "h,i",
        "h i",
        "\"h\"",
        "<h",
        "h\\",
        "h\x01",
        "h:x",
        "[::1",
        "::1",
        "[::1%]",
        "[::1%a/b]",
    ] {
        rows.push(refused(RULE, with(&format!("Host: {host}")), 400));
    }
    rows.push(refused(RULE, b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", 400));
    rows
}

fn fields() -> Vec<Row> {
    const NAME: &str = "10, RFC 9112 5.1";
    const FOLD: &str = "11, RFC 9112 5.2 and 2.2";
    const VALUE: &str = "12, RFC 9110 5.5";
    const LF: &str = "13, RFC 9112 2.2";
    const LIMIT: &str = "14, Python 8";
    let of_length = |n: usize| with(&format!("Host: h\r\nA: {}", "a".repeat(n - 5)));
    let many = |n: usize| with(&format!("Host: h{}", "\r\nA: b".repeat(n - 1)));
    let large = format!("\r\nA: {}", "a".repeat(60_000)).repeat(5);
    vec![
        refused(NAME, with("Host: h\r\nA : b"), 400),
        refused(NAME, with("Host : h"), 400),
        refused(NAME, with("Host: h\r\nA\t: b"), 400),
        refused(NAME, with("Host: h\r\n: b"), 400),
        refused(NAME, with("Host: h\r\nA"), 400),
        refused(NAME, with("Host: h\r\nA b: c"), 400),
        refused(NAME, with("Host: h\r\nA\u{e9}: c"), 400),
        refused(NAME, with("Host: h\r\nA\0: c"), 400),
        refused(NAME, with("Host: h\r\n(A): c"), 400),
        taken(NAME, with("hOST: h\r\nA!#$%&'*+.^_`|~-1: c"), "GET / h []"),
        refused(FOLD, with("Host: h\r\nA: b\r\n c"), 400),
        refused(FOLD, with("Host: h\r\nA: b\r\n\tc"), 400),
        refused(FOLD, with(" Host: h"), 400),
        refused(FOLD, with(" A: b\r\nHost: h"), 400),
        refused(VALUE, with("Host: h\r\nA: b\0c"), 400),
        refused(VALUE, with("Host: h\r\nA: b\rc"), 400),
        refused(VALUE, with("Host: h\r\nA: b\rHost: c"), 400),
        refused(VALUE, with("Host: h\r\nA: b\x0bc"), 400),
        refused(VALUE, with("Host: h\r\nA: b\x7f"), 400),
        taken(VALUE, with("Host: \t h \t"), "GET / h []"),
        taken(VALUE, with("Host: h\r\nA:b\tc\r\nB:"), "GET / h []"),
        taken(
            VALUE,
            b"GET / HTTP/1.1\r\nHost: h\r\nA: \xe9\xff\x80\r\n\r\n",
            "GET / h []",
        ),
        taken(LF, "GET / HTTP/1.1\nHost: h\n\n", "GET / h []"),
        taken(
            LF,
            "POST / HTTP/1.1\nHost: h\nContent-Length: 2\n\nab",
            "POST / h [ab]",
        ),
        taken(LIMIT, of_length(65_536), "GET / h"),
        refused(LIMIT, of_length(65_537), 431),
        taken(LIMIT, many(100), "GET / h"),
        refused(LIMIT, many(101), 431),
        refused(
            "14, our limit",
            format!("GET / HTTP/1.1\r\nHost: h{large}\r\n\r\n"),
            431,
        ),
    ]
}

fn body_lengths() -> Vec<Row> {
    const LENGTH: &str = "15, RFC 9112 6.3 (5)";
    const BOTH: &str = "16, RFC 9112 6.1";
    const CODING: &str = "18, RFC 9112 6.3 (4)";
    const BODY: &str = "19, RFC 9112 6.3";
    let mut rows = vec![
        taken(LENGTH, post("Content-Length: 3", "abc"), "POST / h [abc]"),
        taken(LENGTH, post("content-length:\t0003 ", "abc"), "[abc]"),
        taken(LENGTH, post("Content-Length: 0", ""), "[]"),
        refused(
            LENGTH,
            post("Content-Length: 1\r\nContent-Length: 1", "a"),
            400,
        ),
        refused(
            LENGTH,
            post("Content-Length: 1\r\nContent-Length: 2", "ab"),
            400,
        ),
        refused(
            BOTH,
            post(
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "0\r\n\r\n",
            ),
            400,
        ),
        refused(
            BOTH,
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 0",
                "0\r\n\r\n",
            ),
            400,
        ),
        refused(
            "17, RFC 9112 6.1",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        taken(
            CODING,
            post("Transfer-Encoding: cHuNkEd", "1\r\na\r\n0\r\n\r\n"),
            "[a]",
        ),
        refused(CODING, post("Transfer-Encoding: gzip, chunked", ""), 501),
        refused(
            CODING,
            post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", ""),
            501,
        ),
        refused(
            CODING,
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "",
            ),
            400,
        ),
        taken(
            BODY,
            "GET /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: smuggled\r\n",
            "unread",
        ),
        taken(
            BODY,
            "DELETE /unread HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "unread",
        ),
        row(
            BODY,
            "FOO / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
            501,
            Kept,
            "FOO",
        ),
        row(
            BODY,
            "HEAD /none HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
            404,
            Kept,
            "",
        ),
        taken(
            BODY,
            "OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\na",
            "OPTIONS * h [a]",
        ),
    ];
    for length in [
        "",
        "+1",
        "-1",
        "0x1",
        "1_0",
        "1 1",
        "1, 1",
        "1,1",
        "1.0",
        "a",
        "\u{b9}",
        "18446744073709551616",
        "99999999999999999999",
    ] {
        rows.push(refused(
            LENGTH,
            post(&format!("Content-Length: {length}"), "a"),
            400,
        ));
    }
    for coding in [
        "",
        "identity",
        "chunked, identity",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        "chunked;q=1",
        "\"chunked\"",
        "xchunked",
        "chunked chunked",
        "\u{b}chunked",
        "gzip",
    ] {
        let body = "0\r\n\r\n";
        rows.push(refused(
            CODING,
            post(&format!("Transfer-Encoding: {coding}"), body),
            400,
        ));
    }
    rows
}

fn chunks() -> Vec<Row> {
    const SIZE: &str = "21, RFC 9112 7.1";
    const LINE: &str = "22, RFC 9112 7.1";
    const REST: &str = "23, RFC 9112 7.1.1 and 7.1.2";
    let extension = |n: usize| chunked(&format!("1;{}\r\na\r\n0\r\n\r\n", "e".repeat(n)));
    let extensions = format!("1;{}\r\na\r\n", "e".repeat(1_000)).repeat(17);
    vec![
        taken(SIZE, chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "[abcde]"),
        taken(
            SIZE,
            chunked("00a\r\n0123456789\r\n000\r\n\r\n"),
            "[0123456789]",
        ),
        taken(
            SIZE,
            chunked("A\r\n0123456789\r\n0\r\n\r\n"),
            "[0123456789]",
        ),
        refused(SIZE, chunked("\r\n\r\n"), 400),
        refused(SIZE, chunked("+1\r\na\r\n0\r\n\r\n"), 400),
        refused(SIZE, chunked("-1\r\na\r\n0\r\n\r\n"), 400),
        refused(SIZE, chunked("0x1\r\na\r\n0\r\n\r\n"), 400),
        refused(SIZE, chunked(" 1\r\na\r\n0\r\n\r\n"), 400),
        refused(SIZE, chunked("1 \r\na\r\n0\r\n\r\n"), 400),
        refused(SIZE, chunked("1_0\r\na\r\n0\r\n\r\n"), 400),
        refused(SIZE, chunked("g\r\n"), 400),
        refused(SIZE, chunked(";e\r\na\r\n"), 400),
        refused(SIZE, chunked("00000000000000001\r\na\r\n0\r\n\r\n"), 400),
        refused(SIZE, chunked("10000000000000000\r\n"), 400),
        refused(LINE, chunked("1\na\r\n0\r\n\r\n"), 400),
        refused(LINE, chunked("1\ra\r\n0\r\n\r\n"), 400),
        refused(LINE, chunked("1\r\na\n0\r\n\r\n"), 400),
        refused(LINE, chunked("1\r\na\r0\r\n\r\n"), 400),
        refused(LINE, chunked("1\r\nab\r\n0\r\n\r\n"), 400),
        refused(LINE, chunked("2\r\na\r\n0\r\n\r\n"), 400),
        refused(LINE, chunked("0\n\r\n"), 400),
        refused(LINE, chunked("0\r\n\n"), 400),
        taken(REST, chunked("1;a=\"b;c\"; d\r\na\r\n0;e\r\n\r\n"), "[a]"),
        taken(REST, extension(1_000), "[a]"),
        refused(REST, extension(1_024), 400),
        refused(REST, chunked(&format!("{extensions}0\r\n\r\n")), 400),
        refused(REST, chunked("1;\x01\r\na\r\n0\r\n\r\n"), 400),
        refused(REST, chunked("1;a\n\r\na\r\n0\r\n\r\n"), 400),
        taken(
            REST,
            chunked("1\r\na\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n"),
            "POST / h [a]",
        ),
        refused(REST, chunked("0\r\nA : b\r\n\r\n"), 400),
        refused(REST, chunked("0\r\nA\r\n\r\n"), 400),
        refused(
            REST,
            chunked(&format!("0\r\nA: {}\r\n\r\n", "a".repeat(16_384))),
            400,
        ),
        refused(
            REST,
            chunked(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(101))),
            400,
        ),
    ]
}

fn expectations_and_connections() -> Vec<Row> {
    const EXPECT: &str = "26, RFC 9110 10.1.1";
    const UPGRADE: &str = "26, RFC 9110 7.8";
    const CLOSE: &str = "27, RFC 9112 9.3";
    let closes = |fields: &str| {
        row(
            CLOSE,
            with(&format!("Host: h\r\n{fields}")),
            200,
            Closed,
            "GET / h []",
        )
    };
    vec![
        refused(EXPECT, with("Host: h\r\nExpect: 200-maybe"), 417),
        refused(
            EXPECT,
            with("Host: h\r\nExpect: 100-continue, 200-maybe"),
            417,
        ),
        taken(
            EXPECT,
            with("Host: h\r\nExpect: 100-Continue"),
            "GET / h []",
        ),
        row(
            EXPECT,
            "GET / HTTP/1.0\r\nExpect: 200-maybe\r\n\r\n",
            200,
            Closed,
            "GET / - []",
        ),
        taken(
            UPGRADE,
            with(
                "Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: a",
            ),
            "GET / h []",
        ),
        taken(
            UPGRADE,
            post(
                "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1",
                "a",
            ),
            "POST / h [a]",
        ),
        closes("Connection: close"),
        closes("Connection: CLOSE"),
        closes("Connection: TE ,\tClose"),
        closes("Connection: keep-alive, close"),
        closes("Connection: te\r\nConnection: close"),
        taken(CLOSE, with("Host: h\r\nConnection: closed, x-close"), "GET"),
        taken(CLOSE, with("Host: h\r\nConnection: \"close\""), "GET"),
        taken(CLOSE, with("Host: h\r\nConnection: keep-alive"), "GET"),
        taken(CLOSE, with("Host: h\r\nProxy-Connection: close"), "GET"),
        row(
            CLOSE,
            "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n",
            200,
            Kept,
            "GET / - []",
        ),
        row(
            CLOSE,
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            200,
            Closed,
            "GET / - []",
        ),
    ]
}

/// How the bytes arrive.
#[derive(Clone, Copy, Debug)]
enum Delivery {
    Whole,
    Bytes,
    Pieces(u64),
}

/// A server that answers what it understood.
struct Checker(TestServer);

impl Checker {
    fn new() -> Self {
        Checker(serve(|h, x| match (x.command, x.path) {
            (_, "/none") => h.send_error(x, Status::NOT_FOUND),
            (_, "/unread") => text(h, x, "unread"),
            ("GET" | "HEAD" | "POST" | "OPTIONS", path) => {
                let mut body = String::new();
                x.rfile.read_to_string(&mut body)?;
                let host = x.host().unwrap_or("-");
                text(h, x, &format!("{} {path} {host} [{body}]", x.command))
            }
            _ => base::do_method(h, x),
        }))
    }

    /// The paths of the requests that were not refused, since the last call.
    fn paths(&self) -> Vec<String> {
        let requests = self.0.take().into_iter();
        let handled = requests.filter(|request| request.refusal.is_none());
        handled.map(|request| request.path).collect()
    }

    fn check(&self, row: &Row, delivery: Delivery) {
        let (rule, request, status, after, part) = row;
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]);
        let about = format!("rule {rule}, {delivery:?}: {shown:?}");
        self.paths();
        let mut client = self.0.connect();
        let follower = match after {
            Closed => get("/smuggled"),
            Kept => get("/next"),
        };
        let bytes = [request, follower.as_bytes()].concat();
        // What follows comes with the last byte: a client that says `close` may send nothing later.
        let (mut start, end) = (0, request.len() - 1);
        let mut numbers = match delivery {
            Delivery::Pieces(seed) => Numbers(seed),
            _ => Numbers(0),
        };
        while start < end {
            let length = match delivery {
                Delivery::Whole => break,
                Delivery::Bytes => 1,
                Delivery::Pieces(_) => 1 + numbers.below((end - start).min(30)),
            };
            client.send(&bytes[start..start + length]);
            start += length;
        }
        client.send(&bytes[start..]);
        let response = client
            .try_response(method_of(request))
            .unwrap_or_else(|error| panic!("{about}: {error}"));
        assert_eq!(response.status, *status, "{about}: {response:?}");
        assert!(response.text().contains(part), "{about}: {response:?}");
        assert!(response.get("Date").is_some(), "{about}: {response:?}");
        if *after == Closed {
            assert!(response.says_close(), "{about}: {response:?}");
            let rest = client.rest();
            assert!(
                rest.as_ref().is_ok_and(Vec::is_empty),
                "{about}: then {rest:?}"
            );
            assert!(!self.paths().contains(&"/smuggled".into()), "{about}");
        } else {
            assert!(!response.says_close(), "{about}: {response:?}");
            let next = client
                .try_response("GET")
                .unwrap_or_else(|error| panic!("{about}: {error}"));
            assert_eq!(next.text(), "GET /next h []", "{about}");
            assert!(self.paths().contains(&"/next".into()), "{about}");
        }
    }

    /// The rows as they are, and the short ones also in pieces.
    fn check_all(&self, rows: &[Row]) {
        for (number, row) in rows.iter().enumerate() {
            self.check(row, Delivery::Whole);
            if row.1.len() < 2_000 {
                self.check(row, Delivery::Pieces(number as u64));
                if number % 3 == 0 {
                    self.check(row, Delivery::Bytes);
                }
            }
        }
    }
}

#[test]
fn request_lines_and_targets() {
    Checker::new().check_all(&request_lines());
}

#[test]
fn host_fields() {
    Checker::new().check_all(&hosts());
}

#[test]
fn field_lines() {
    Checker::new().check_all(&fields());
}

#[test]
fn lengths_and_codings_of_bodies() {
    Checker::new().check_all(&body_lengths());
}

#[test]
fn chunked_bodies() {
    Checker::new().check_all(&chunks());
}

#[test]
fn expectations_upgrades_and_connections() {
    Checker::new().check_all(&expectations_and_connections());
}

/// Rule 14, RFC 9112, 8.
#[test]
fn a_head_without_an_end_is_never_handled() {
    let checker = Checker::new();
    for head in [
        "G",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n",
    ] {
        let mut client = checker.0.connect();
        client.send(head).finish();
        client.assert_end();
    }
    assert_eq!(checker.paths(), [""; 0]);
}

/// A refusal does not wait for more of the head than it needs.
#[test]
fn a_bad_request_line_is_rejected_before_the_head_is_complete() {
    let checker = Checker::new();
    for (head, status) in [
        ("GET /\r\n", 400),
        ("\r\nGET /\n", 400),
        ("GET / HTTP/1.1 \r\nHost: h", 400),
        ("GET nowhere HTTP/1.1\r\n", 400),
        ("GET / HTTP/3.0\r\n", 505),
    ] {
        let mut client = checker.0.connect();
        let response = client.send(head).response();
        assert_eq!(response.status, status, "{head:?}");
        client.finish().assert_end();
    }
    assert_eq!(checker.paths(), [""; 0]);
}
