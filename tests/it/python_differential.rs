//! The real `python3 -m http.server` and `servette` over the same tree: the same answers, but for
//! the differences that stand beside their requests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use crate::child::Running;
use crate::listing::links;
use crate::python_clients::has;
use crate::webroot::{Answer, WebRoot, at, connect};

use self::table::{Difference, Row, rows};

mod table;

/// What is compared, by name; what an answer does not have is `-`.
type Seen = BTreeMap<&'static str, String>;

/// Sends a request, and notes the answer and whether the connection lives on.
fn observe(port: u16, row: &Row) -> Seen {
    let mut client = connect(("127.0.0.1", port));
    client.write_all(row.request.as_bytes()).unwrap();
    let is_head = row.request.starts_with("HEAD ");
    let (bytes, more) = read_answer(&mut client, is_head);
    let mut seen = Seen::new();
    let mut note = |name, value: Option<&str>| seen.insert(name, value.unwrap_or("-").to_owned());
    if !bytes.starts_with(b"HTTP/") {
        note(
            "status",
            if bytes.is_empty() {
                Some("nothing")
            } else {
                Some("no status line")
            },
        );
        note("fate", Some(&fate(client, &more)));
        return seen;
    }
    let answer = Answer::parse(&bytes);
    note("status", answer.line.split(' ').nth(1));
    note("reason", answer.line.splitn(3, ' ').nth(2));
    note("version", answer.line.split(' ').next());
    note("location", answer.field("Location"));
    let modified = answer.field("Last-Modified");
    let is_now = modified.is_some_and(|modified| Some(modified) == answer.field("Date"));
    note("modified", if is_now { Some("now") } else { modified });
    let is_listing = answer.text().contains("Directory listing for");
    let is_error = answer.status() >= 400;
    note("type", answer.field("Content-Type"));
    // pages of errors and listings have texts of our own
    if !is_error && !row.is_listing {
        note("length", answer.field("Content-Length"));
    }
    if is_listing {
        note("body", Some("listing"));
        let links = links(&answer.text())
            .into_iter()
            .map(|(href, text)| format!("{href} {text}\n"));
        note("links", Some(&links.collect::<String>()));
    } else if !is_error {
        note("body", Some(&answer.text()));
    } else {
        note(
            "body",
            Some(if answer.body.is_empty() {
                "none"
            } else {
                "page"
            }),
        );
    }
    note("fate", Some(&fate(client, &more)));
    seen
}

/// Reads one answer, and what came with it that is none of it. A message without a length ends with
/// the connection.
fn read_answer(client: &mut TcpStream, is_head: bool) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut block = [0; 65_536];
    loop {
        if bytes.starts_with(b"HTTP/") && bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            let answer = Answer::parse(&bytes);
            let bodiless = is_head || matches!(answer.status(), 100 | 304);
            let length = match answer.field("Content-Length") {
                _ if bodiless => Some(0),
                length => length.map(|length| length.parse().unwrap()),
            };
            let end = length.map(|length| bytes.len() - answer.body.len() + length);
            if let Some(end) = end.filter(|&end| end <= bytes.len()) {
                let more = bytes.split_off(end);
                return (bytes, more);
            }
        }
        match client.read(&mut block) {
            Ok(0) => return (bytes, Vec::new()),
            Ok(count) => bytes.extend(&block[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (bytes, Vec::new()),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
}

/// Whether the server answers once more; or what it has answered already, unasked.
fn fate(mut client: TcpStream, more: &[u8]) -> String {
    if more.is_empty() {
        let request = b"HEAD /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        // it fails where the server has closed
        let _ = client.write_all(request);
    }
    let mut start = Vec::new();
    let mut source = more.chain(client).take(12);
    // a reset is an end
    let _ = source.read_to_end(&mut start);
    match String::from_utf8_lossy(&start).split_once("HTTP/1.1 ") {
        _ if start.is_empty() => "closed".into(),
        Some(("", "200")) => "kept".into(),
        Some(("", status)) => format!("kept, then {status}"),
        _ => "kept, then no status line".into(),
    }
}

fn compare(row: &Row, python: &Seen, ours: &Seen, faults: &mut Vec<String>) {
    let names: std::collections::BTreeSet<_> = python.keys().chain(ours.keys()).collect();
    let differences: &[Difference] = &row.differences;
    for difference in differences {
        if !names.contains(&difference.what) {
            faults.push(format!("{}: no {} to compare", row.name, difference.what));
        }
    }
    for &&name in &names {
        let of = |seen: &Seen| seen.get(name).cloned().unwrap_or_else(|| "-".to_owned());
        let (python, ours) = (of(python), of(ours));
        let expected = differences
            .iter()
            .find(|difference| difference.what == name);
        let fits = match expected {
            Some(difference) => difference.python.contains(&&*python) && difference.ours == ours,
            None => {
                // a difference in the status explains all others of the row
                let status = differences
                    .iter()
                    .any(|difference| difference.what == "status");
                let is_same = match name {
                    "type" => with_charset(&python) == ours,
                    _ => python == ours,
                };
                is_same || (status && !matches!(name, "status" | "fate"))
            }
        };
        if !fits {
            faults.push(format!(
                "{}: {name}\n    Python {python:?}\n    ours   {ours:?}\n    expected {expected:?}",
                row.name
            ));
        }
    }
}

/// Texts have a charset besides.
fn with_charset(python: &str) -> String {
    let is_text = python.starts_with("text/") && python != "text/xml";
    match is_text && !python.contains("charset") {
        true => format!("{python}; charset=utf-8"),
        false => python.to_owned(),
    }
}

const DAY: Duration = Duration::from_secs(86_400);

fn tree() -> WebRoot {
    let root = WebRoot::new();
    let names = [
        "a.txt",
        "index.txt",
        "page.html",
        "PAGE.HTML",
        "style.css",
        "data.json",
        "pic.png",
        "pic.jpg",
        "x.tar.gz",
        "x.tgz",
        "x.bz2",
        "x.Z",
        "Makefile",
        ".hidden",
        "a b.txt",
        "q?.txt",
        "h#.txt",
        "p%41.txt",
        "ü.txt",
        "a+b.txt",
        "a&b.txt",
        "mod.js",
        "doc.pdf",
        "app.wasm",
        "a.md",
        "a.woff2",
        "empty.csv",
        "a.svg",
        "song.mp3",
        "film.mp4",
        "a.xml",
        "a.zip",
    ];
    for name in names {
        root.file(name, format!("content of {name}\n"));
    }
    root.file("empty", "")
        .file("dir/b.txt", "below")
        .dir("dir/sub")
        .dir("empty-dir");
    root.file("big", vec![b'x'; 200_000]);
    root.file("site/index.html", "start")
        .file("old/index.htm", "start");
    root.dir("odd/index.html").file("odd/index.htm", "second");
    root.file("both/index.html", "html")
        .file("both/index.htm", "htm");
    root.dir("list/Zed")
        .file("list/a <b>.txt", "")
        .file("list/B", "")
        .file("list/ü", "");
    root.link("list/to-file", "B")
        .link("list/to-dir", "Zed")
        .link("list/gone", "none");
    root.link("link", "a.txt")
        .link("link-dir", "dir")
        .link("gone", "none");
    root.link("outside", "../secret.txt").link("loop", "loop");
    root.file("names/a:b", "")
        .file("names/\x01", "")
        .file(bytes("names/%FF"), "");
    root.file(bytes("bytes/%FF.bin"), "bytes").dir("\\host");
    // A file of this very second would be as old as the answer, for one of the two servers.
    set_times(&root.path());
    root.file("before-1970", "old")
        .modified("before-1970", UNIX_EPOCH - 364 * DAY);
    root.file("future", "new")
        .modified("future", at(4_102_444_800));
    root
}

/// Lets all files of a tree have changed long ago.
fn set_times(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            set_times(&entry.path());
        } else if kind.is_file() {
            let file = fs::File::open(entry.path()).unwrap();
            file.set_modified(at(784_111_777)).unwrap();
        }
    }
}

/// A name from its percent-encoding.
fn bytes(name: &str) -> OsString {
    OsString::from_vec(percent_encoding::percent_decode_str(name).collect())
}

fn python_server(root: &WebRoot, protocol: &str) -> Option<(Running, u16)> {
    let mut command = Command::new("python3");
    command.args([
        "-u",
        "-m",
        "http.server",
        "0",
        "-b",
        "127.0.0.1",
        "-p",
        protocol,
    ]);
    command.env("PYTHONUTF8", "1").arg("-d").arg(root.path());
    let running = Running::start(&mut command);
    let port = running.banner_port();
    Some((running, port))
}

#[test]
fn python_and_servette_respond_alike() {
    if !has("python3", "python_and_servette_respond_alike") {
        return;
    }
    let version = "import sys; raise SystemExit(sys.version_info < (3, 11))";
    let status = Command::new("python3")
        .args(["-c", version])
        .status()
        .unwrap();
    if !status.success() {
        return eprintln!("skipped: python_and_servette_respond_alike needs Python 3.11");
    }
    let root = tree();
    let mut faults = Vec::new();
    let mut count = 0;
    for protocol in ["HTTP/1.0", "HTTP/1.1"] {
        let (_python, python) = python_server(&root, protocol).unwrap();
        let (_ours, ours) = Running::servette(&root, &["-p", protocol, "--follow-symlinks"]);
        for row in rows().iter().filter(|row| row.protocol == protocol) {
            compare(row, &observe(python, row), &observe(ours, row), &mut faults);
            count += 1;
        }
    }
    assert!(count >= 80, "{count} requests");
    assert!(
        faults.is_empty(),
        "{} of {count}\n{}",
        faults.len(),
        faults.join("\n")
    );
}
