//! Request lines, fields and connections.

use super::{Difference, Row, differs, row};

/// Where a request is refused that Python takes, or the other way round.
type Refused = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
);

const BARE: &[&str] = &["no status line", "400"];
const STATUS_LINE: &str = "every refusal has a status line, as in Python 3.15";
const STRICT: &str = "the request line has one reading: single spaces, HTTP/DIGIT.DIGIT";
const FRAMING: &str = "what frames a message has one reading, or the message is refused";
const GRAMMAR: &str = "field lines keep to the grammar of RFC 9112";
const HOST: &str = "RFC 9112, 3.2: exactly one valid Host";

/// The whole answer differs.
fn refused(protocol: &'static str, rows: &[Refused]) -> impl Iterator<Item = Row> {
    rows.iter().map(move |&(request, python, ours, why)| {
        row(protocol, request, &[differs("status", python, ours, why)])
    })
}

/// Other methods, and request lines that are none.
pub(super) fn methods_and_lines() -> impl Iterator<Item = Row> {
    let alike = [
        "HEAD /a.txt HTTP/1.0\r\n\r\n",
        "HEAD /big HTTP/1.0\r\n\r\n",
        "HEAD /none HTTP/1.0\r\n\r\n",
        "HEAD /dir HTTP/1.0\r\n\r\n",
        "HEAD /site/ HTTP/1.0\r\n\r\n",
        "POST /a.txt HTTP/1.0\r\n\r\n",
        "get /a.txt HTTP/1.0\r\n\r\n",
        "SPAM /a.txt HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\n\r\n",
        "CONNECT h:1 HTTP/1.0\r\n\r\n",
        "GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a.txt HTTP/1.2\r\nHost: h\r\n\r\n",
        "GET /a.txt HTTP/1.1\nHost: h\n\n",
    ];
    let others = refused(
        "HTTP/1.0",
        &[
            ("GET\r\n\r\n", BARE, "400", STATUS_LINE),
            ("GET /a.txt SPAM/1.0\r\n\r\n", BARE, "400", STATUS_LINE),
            ("GET /a.txt HTTP/1\r\n\r\n", BARE, "400", STATUS_LINE),
            (
                "GET /a.txt HTTP/+1.0\r\n\r\n",
                &["no status line", "400", "200"],
                "400",
                STATUS_LINE,
            ),
            ("GET /a b HTTP/1.0\r\n\r\n", BARE, "400", STATUS_LINE),
            ("POST /a.txt\r\n\r\n", BARE, "400", STATUS_LINE),
            (
                "GET /a.txt HTTP/2.0\r\n\r\n",
                &["no status line", "505"],
                "505",
                STATUS_LINE,
            ),
            (
                "GET /a.txt HTTP/9.9\r\n\r\n",
                &["no status line", "505"],
                "505",
                STATUS_LINE,
            ),
            (
                "GET /a.txt\r\n\r\n",
                &["no status line"],
                "400",
                "no HTTP/0.9",
            ),
            (
                "GET /a.txt HTTP/0.9\r\n\r\n",
                &["no status line"],
                "400",
                "no HTTP/0.9",
            ),
            (
                "GET /a.txt HTTP/1.10\r\nHost: h\r\n\r\n",
                &["200"],
                "400",
                STRICT,
            ),
            ("GET /a.txt HTTP/01.0\r\n\r\n", &["200"], "400", STRICT),
            ("GET  /a.txt HTTP/1.0\r\n\r\n", &["200"], "400", STRICT),
            ("GET\t/a.txt HTTP/1.0\r\n\r\n", &["200"], "400", STRICT),
            (" GET /a.txt HTTP/1.0\r\n\r\n", &["200"], "400", STRICT),
            ("GET /a.txt HTTP/1.0 \r\n\r\n", &["200"], "400", STRICT),
            (
                "GET a.txt HTTP/1.0\r\n\r\n",
                &["200"],
                "400",
                "a path starts with a slash",
            ),
            (
                "GET /ü.txt HTTP/1.0\r\n\r\n",
                &["404"],
                "400",
                "a target is visible ASCII",
            ),
            (
                "GET http://h/a.txt HTTP/1.0\r\n\r\n",
                &["404"],
                "200",
                "RFC 9112, 3.2.2",
            ),
            (
                "\r\nGET /a.txt HTTP/1.0\r\n\r\n",
                &["nothing"],
                "200",
                "RFC 9112, 2.2",
            ),
            (
                "GET /%00 HTTP/1.0\r\n\r\n",
                &["nothing", "404"],
                "404",
                "no exception, but an answer",
            ),
            (
                "GET /bytes/%FF.bin HTTP/1.0\r\n\r\n",
                &["404"],
                "200",
                "names are bytes",
            ),
        ],
    );
    let redirect = [row(
        "HTTP/1.0",
        "GET /\\host/.. HTTP/1.0\r\n\r\n",
        &[differs(
            "location",
            &["/\\host/../"],
            "/host/../",
            "browsers take it for a host",
        )],
    )];
    let alike = alike.map(|request| row("HTTP/1.0", request, &[]));
    alike
        .into_iter()
        .chain(others.collect::<Vec<_>>())
        .chain(redirect)
}

/// Fields and their limits.
pub(super) fn heads() -> Vec<Row> {
    let fields = |count| "X: y\r\n".repeat(count);
    let line = |length: usize| {
        let around = "GET / HTTP/1.0\r\n".len();
        format!("GET /{} HTTP/1.0\r\n", "x".repeat(length - around))
    };
    let field = |length: usize| format!("X: {}\r\n", "y".repeat(length - 5));
    let names = &["Request-URI Too Long", "URI Too Long"];
    let get = |fields: String| format!("GET /a.txt HTTP/1.0\r\n{fields}\r\n");
    let hundred = differs(
        "status",
        &["431", "200"],
        "200",
        "the blank line is no field, as in 3.15",
    );
    let mut rows = vec![
        row("HTTP/1.0", get(fields(99)), &[]),
        row("HTTP/1.0", get(fields(100)), &[hundred]),
        row("HTTP/1.0", get(fields(101)), &[]),
        row("HTTP/1.0", get(field(65_536)), &[]),
        row(
            "HTTP/1.0",
            format!("GET /a.txt HTTP/1.0\r\n{}", field(65_537)),
            &[],
        ),
        row("HTTP/1.0", line(65_536) + "\r\n", &[]),
        row(
            "HTTP/1.0",
            line(65_537),
            &[differs(
                "reason",
                names,
                "URI Too Long",
                "the name in RFC 9110 and Python 3.13",
            )],
        ),
        row("HTTP/1.0", get("X: caf\u{e9}\r\nA:\r\n".into()), &[]),
        row(
            "HTTP/1.1",
            "GET /a.txt HTTP/1.1\r\nhost:\r\nUpgrade: h2c\r\n\r\n",
            &[],
        ),
    ];
    rows.extend(refused("HTTP/1.1", &[
        ("GET /a.txt HTTP/1.1\r\n\r\n", &["200"], "400", HOST),
        ("GET /a.txt HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", &["200"], "400", HOST),
        ("GET /a.txt HTTP/1.1\r\nHost: a b\r\n\r\n", &["200"], "400", HOST),
        ("GET /a.txt HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", &["200"], "400", GRAMMAR),
        ("GET /a.txt HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", &["200"], "400", GRAMMAR),
        ("GET /a.txt HTTP/1.1\r\nHost: h\r\nX: y\r\n z\r\n\r\n", &["200"], "400", GRAMMAR),
        ("GET /a.txt HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n", &["200"], "400", GRAMMAR),
        ("GET /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", &["200"], "400", FRAMING),
        ("GET /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 0\r\n\r\n", &["200"], "400", FRAMING),
        (
            "GET /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            &["200"],
            "400",
            FRAMING,
        ),
        (
            "GET /a.txt HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
            &["100"],
            "200",
            "without a body there is nothing to continue with",
        ),
        (
            "GET /a.txt HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n",
            &["200"],
            "417",
            "RFC 9110, 10.1.1",
        ),
    ]));
    // what is refused ends the connection, which Python kept
    for row in &mut rows {
        let closes = |difference: &Difference| {
            difference.python == ["200"] && matches!(difference.ours, "400" | "417")
        };
        if row.differences.iter().any(closes) {
            row.differences
                .push(differs("fate", &["kept"], "closed", "after a refusal"));
        }
    }
    rows
}

/// Whether the connection lives on.
pub(super) fn connections() -> Vec<Row> {
    const KEPT: &str = "an ordinary error is a complete answer, and keeps the connection";
    const BODY: &str = "a body that nobody reads is not taken for a request";
    let kept = differs("fate", &["closed"], "kept", KEPT);
    let unread = |python| differs("fate", python, "kept", BODY);
    let host = |request: &str, more: &str| format!("{request} HTTP/1.1\r\nHost: h\r\n{more}");
    let chunks = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let rows: Vec<(String, Vec<Difference>)> = vec![
        (host("GET /a.txt", "\r\n"), vec![]),
        (host("HEAD /big", "\r\n"), vec![]),
        (host("GET /big", "Connection: keep-alive\r\n\r\n"), vec![]),
        (host("GET /list/", "\r\n"), vec![]),
        (host("GET /dir", "\r\n"), vec![]),
        (host("GET /a.txt", "Connection: close\r\n\r\n"), vec![]),
        (host("GET /a.txt", "CONNECTION: Close\r\n\r\n"), vec![]),
        (
            host("GET /a.txt", "Connection: close, TE\r\n\r\n"),
            vec![differs(
                "fate",
                &["kept"],
                "closed",
                "Connection is a list, RFC 9110, 7.6.1",
            )],
        ),
        ("GET /a.txt HTTP/1.0\r\n\r\n".into(), vec![]),
        (
            "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".into(),
            vec![],
        ),
        (host("GET /none", "\r\n"), vec![kept]),
        (host("HEAD /none", "\r\n"), vec![kept]),
        (host("GET /a.txt/", "\r\n"), vec![kept]),
        (host("SPAM /a.txt", "\r\n"), vec![kept]),
        (
            host("POST /a.txt", "Content-Length: 2\r\n\r\nhi"),
            vec![kept],
        ),
        (
            host("GET /a.txt", "Content-Length: 5\r\n\r\nhello"),
            vec![unread(&["kept, then 501"])],
        ),
        (
            host("GET /a.txt", chunks),
            vec![unread(&["kept, then no status line", "kept, then 400"])],
        ),
    ];
    let rows = rows.into_iter().map(|(request, differences)| {
        let mut row = row("HTTP/1.1", request, &differences);
        row.is_listing = row.request.starts_with("GET /list/");
        row
    });
    let old = [
        host("GET /a.txt", "Connection: keep-alive\r\n\r\n"),
        "GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".into(),
    ];
    rows.chain(old.map(|request| row("HTTP/1.0", request, &[])))
        .collect()
}
