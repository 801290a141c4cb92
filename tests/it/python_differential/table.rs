//! The requests, each with the places where the two answers are meant to differ.

mod messages;

/// One request to both servers.
pub(super) struct Row {
    pub(super) name: String,
    /// What both servers speak.
    pub(super) protocol: &'static str,
    pub(super) request: String,
    pub(super) is_listing: bool,
    pub(super) differences: Vec<Difference>,
}

/// A deliberate difference: what each side answers, and why ours is another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) what: &'static str,
    /// One for each kind of Python that there is.
    pub(super) python: &'static [&'static str],
    pub(super) ours: &'static str,
    #[allow(dead_code, reason = "shown when the test fails")]
    pub(super) why: &'static str,
}

const fn differs(
    what: &'static str,
    python: &'static [&'static str],
    ours: &'static str,
    why: &'static str,
) -> Difference {
    Difference {
        what,
        python,
        ours,
        why,
    }
}

fn row(protocol: &'static str, request: impl Into<String>, differences: &[Difference]) -> Row {
    let request = request.into();
    let start: String = request.chars().take(90).collect();
    Row {
        name: format!("{protocol} {start:?}"),
        protocol,
        request,
        is_listing: false,
        differences: differences.to_vec(),
    }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(files());
    rows.extend(listings());
    rows.extend(conditions());
    rows.extend(messages::methods_and_lines());
    rows.extend(messages::heads());
    rows.extend(messages::connections());
    rows
}

/// Plain requests for a path.
fn files() -> impl Iterator<Item = Row> {
    let plain = [
        "/a.txt",
        "/index.txt",
        "/page.html",
        "/PAGE.HTML",
        "/style.css",
        "/data.json",
        "/pic.png",
        "/pic.jpg",
        "/x.tar.gz",
        "/x.tgz",
        "/x.bz2",
        "/x.Z",
        "/Makefile",
        "/.hidden",
        "/a%20b.txt",
        "/q%3F.txt",
        "/h%23.txt",
        "/p%2541.txt",
        "/%C3%BC.txt",
        "/a+b.txt",
        "/a&b.txt",
        "/a%26b.txt",
        "/doc.pdf",
        "/app.wasm",
        "/a.svg",
        "/song.mp3",
        "/film.mp4",
        "/a.zip",
        "/<b>",
        "/\"x\"",
        "/empty.csv",
        "/empty",
        "/big",
        "/a.txt?q=1",
        "/a.txt?",
        "/a.txt#top",
        "/a.txt?a#b?c",
        "/a.txt?x=/",
        "/%61.txt",
        "//a.txt",
        "///a.txt",
        "/./a.txt",
        "/dir/../a.txt",
        "/../a.txt",
        "/%2e%2e/a.txt",
        "/..%2fa.txt",
        "/dir%2fb.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2f..%2fsecret.txt",
        "/none",
        "/none/",
        "/a.txt/",
        "/a.txt/x",
        "/gone",
        "/loop",
        "/link",
        "/link-dir/b.txt",
        "/outside",
        "/dir",
        "/dir?",
        "/dir?q=1",
        "/dir#top",
        "/dir?q#top",
        "/d%69r",
        "/dir/sub",
        "/dir/.",
        "/dir/..",
        "/link-dir",
        "//dir",
        "//host/..",
        "/site/",
        "/old/",
        "/odd/",
        "/both/",
        "/site",
        "/site/index.html/",
        "/%",
        "/%zz.txt",
        "/dir;x",
        "/dir/b.txt;x",
        "/a.txt%20",
        "/*",
        "/A.TXT",
        "/Dir/",
        "/%5chost/..",
    ];
    let plain = plain.map(|target| get(target, &[]));
    const SLASH: &str = "an encoded slash at the end counts, as in Python 3.14";
    const TYPES: &str = "the registered type, as in newer Pythons, on every machine";
    const PAST: &str = "an HTTP date before 1970 is not sent";
    const FUTURE: &str = "Last-Modified is never later than Date, RFC 9110, 8.8.2.1";
    const UNKNOWN: &str = "application/octet-stream";
    const OLD_SCRIPT: &str = "application/javascript";
    let others = [
        get(
            "/dir/sub%2f",
            &[differs("status", &["301", "200"], "200", SLASH)],
        ),
        get(
            "/a.txt%2f",
            &[differs("status", &["200", "404"], "404", SLASH)],
        ),
        get(
            "/mod.js",
            &[differs(
                "type",
                &[OLD_SCRIPT, "text/javascript"],
                "text/javascript; charset=utf-8",
                TYPES,
            )],
        ),
        get(
            "/a.md",
            &[differs(
                "type",
                &[UNKNOWN, "text/markdown"],
                "text/markdown; charset=utf-8",
                TYPES,
            )],
        ),
        get(
            "/a.woff2",
            &[differs(
                "type",
                &[UNKNOWN, "font/woff2"],
                "font/woff2",
                TYPES,
            )],
        ),
        get(
            "/before-1970",
            &[differs(
                "modified",
                &[
                    "Fri, 02 Jan 1969 00:00:00 GMT",
                    "Thu, 02 Jan 1969 00:00:00 GMT",
                ],
                "-",
                PAST,
            )],
        ),
        get(
            "/future",
            &[differs(
                "modified",
                &["Fri, 01 Jan 2100 00:00:00 GMT"],
                "now",
                FUTURE,
            )],
        ),
    ];
    plain.into_iter().chain(others)
}

fn get(target: &str, differences: &[Difference]) -> Row {
    row(
        "HTTP/1.0",
        format!("GET {target} HTTP/1.0\r\n\r\n"),
        differences,
    )
}

fn listings() -> impl Iterator<Item = Row> {
    const NAMES: &str = "the link is the name's bytes; no scheme, no control characters";
    let plain = [
        "/",
        "/list/",
        "/dir/",
        "/empty-dir/",
        "/link-dir/",
        "/list/?q",
        "/list//",
        "/dir/sub/",
        "/list/../list/",
        "/%6cist/",
    ];
    let plain = plain.map(|target| get(target, &[]));
    let names = differs(
        "links",
        &["%01 \u{1}\na%3Ab a:b\n%ED%B3%BF \u{fffd}\n"],
        "%01 \u{fffd}\n./a%3Ab a:b\n%FF \u{fffd}\n",
        NAMES,
    );
    let rows = plain.into_iter().chain([get("/names/", &[names])]);
    rows.map(|mut row| {
        row.is_listing = true;
        row
    })
}

fn conditions() -> impl Iterator<Item = Row> {
    const TAGS: &str = "Python has no tags; the order of RFC 9110, 13.2.2, and 14.2 for ranges";
    let plain = [
        "X: y",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT",
        "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT",
        "If-Modified-Since: Sun Nov  6 08:49:37 1994",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 +0000",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 -0000",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 +0100",
        "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT",
        "If-Modified-Since: yesterday",
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-None-Match: \"x\"",
        "If-None-Match: \"x\"",
        "If-Match: *",
        "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        "Range: bytes=1-0",
        "Range: bytes=0-1\r\nIf-Range: \"x\"",
    ];
    let others = [
        ("If-None-Match: *", "304"),
        (
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\nIf-None-Match: *",
            "304",
        ),
        ("If-Match: \"x\"", "412"),
        ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", "412"),
    ];
    let parts = [("bytes=0-1", "206"), ("bytes=99-", "416")].map(|(range, status)| {
        row(
            "HTTP/1.0",
            format!("GET /a.txt HTTP/1.0\r\nRange: {range}\r\n\r\n"),
            &[differs("status", &["200"], status, TAGS)],
        )
    });
    let plain = plain.map(|field| (field, Vec::new()));
    let others =
        others.map(|(field, status)| (field, vec![differs("status", &["200"], status, TAGS)]));
    let pairs = plain.into_iter().chain(others);
    let both = pairs.flat_map(|(field, differences)| {
        let get = row(
            "HTTP/1.0",
            format!("GET /a.txt HTTP/1.0\r\n{field}\r\n\r\n"),
            &differences,
        );
        let head = row(
            "HTTP/1.1",
            format!("HEAD /a.txt HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n"),
            &differences,
        );
        [get, head]
    });
    both.chain(parts)
}
