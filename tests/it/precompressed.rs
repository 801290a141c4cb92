//! Files that were compressed when a site was built, in the place of the plain ones (RFC 9110, 8.4 and 12.5.3).

use std::fmt;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use servette::testing::TestServer;
use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, simple};

use crate::client::Client;
#[cfg(unix)]
use crate::support::make_fifo;
use crate::webroot::{Answer, Silent, WebRoot, ask, at, get};

const NOVEMBER: u64 = 784_111_777;
/// What Chromium sends.
const BROWSER: &str = "gzip, deflate, br, zstd";

fn precompressed(root: &WebRoot) -> Silent {
    root.handler_with(|files| files.precompressed(true))
}

fn with(handler: &impl RequestHandler, target: &str, fields: &str) -> Answer {
    ask(
        handler,
        format!("GET {target} HTTP/1.0\r\n{fields}\r\n\r\n"),
    )
}

fn taking(handler: &impl RequestHandler, target: &str, codings: &str) -> Answer {
    with(handler, target, &format!("Accept-Encoding: {codings}"))
}

/// `app.js` and all its precompressed files, of the same time; not compressed, for nobody here looks.
fn site() -> WebRoot {
    let root = WebRoot::new();
    for (name, content) in [
        ("app.js", "the plain file"),
        ("app.js.br", "brotli"),
        ("app.js.zst", "zstandard"),
        ("app.js.gz", "a gzip"),
    ] {
        root.file(name, content).modified(name, at(NOVEMBER));
    }
    root.settle("app.js.gz");
    root
}

/// RFC 9110, 12.5.3.
#[test]
fn the_client_says_which_coding_it_takes() {
    let root = site();
    let handler = precompressed(&root);
    for (codings, coding, body) in [
        (BROWSER, Some("br"), "brotli"),
        ("gzip", Some("gzip"), "a gzip"),
        ("X-GZIP", Some("gzip"), "a gzip"),
        ("gzip, zstd", Some("zstd"), "zstandard"),
        ("br;q=0.5, gzip", Some("gzip"), "a gzip"),
        ("br;q=0, *", Some("gzip"), "a gzip"),
        ("*", Some("br"), "brotli"),
        ("deflate", None, "the plain file"),
        ("", None, "the plain file"),
        ("identity", None, "the plain file"),
        ("identity, gzip;q=0.5", None, "the plain file"),
        ("gzip;q=0", None, "the plain file"),
        ("gzip;q=1.1", None, "the plain file"),
        // Nothing that it takes is there: the plain file is better than a 406.
        ("identity;q=0", None, "the plain file"),
        ("*;q=0", None, "the plain file"),
    ] {
        let answer = taking(&handler, "/app.js", codings);
        assert_eq!(answer.status(), 200, "{codings}");
        assert_eq!(answer.field("Content-Encoding"), coding, "{codings}");
        assert_eq!(answer.text(), body, "{codings}");
        assert_eq!(
            answer.field("Content-Length"),
            Some(&*body.len().to_string()),
            "{codings}"
        );
        assert_eq!(answer.field("Vary"), Some("Accept-Encoding"), "{codings}");
        let media_type = answer.field("Content-Type");
        assert_eq!(media_type, Some("text/javascript; charset=utf-8"));
    }
    let several = with(
        &handler,
        "/app.js",
        "Accept-Encoding: gzip;q=0.1\r\naccept-encoding: zstd",
    );
    assert_eq!(several.field("Content-Encoding"), Some("zstd"));
    let head = ask(
        &handler,
        "HEAD /app.js HTTP/1.0\r\nAccept-Encoding: br\r\n\r\n",
    );
    assert_eq!(head.field("Content-Encoding"), Some("br"));
    assert_eq!(head.field("Content-Length"), Some("6"));
    assert!(head.body.is_empty());
}

/// RFC 9110, 8.8.3.3.
#[test]
fn each_representation_has_validators_of_its_own() {
    let root = site();
    root.modified("app.js.br", at(NOVEMBER + 60))
        .settle("app.js.br");
    let handler = precompressed(&root);
    let plain = get(&handler, "/app.js");
    let brotli = taking(&handler, "/app.js", "br");
    assert_eq!(
        plain.field("Last-Modified"),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
    assert_eq!(
        brotli.field("Last-Modified"),
        Some("Sun, 06 Nov 1994 08:50:37 GMT")
    );
    let [plain, brotli] = [plain, brotli].map(|answer| answer.field("ETag").unwrap().to_owned());
    assert_ne!(plain, brotli);
    for (codings, tag, status) in [
        ("br", &brotli, 304),
        ("br", &plain, 200),
        ("identity", &plain, 304),
        ("identity", &brotli, 200),
    ] {
        let fields = format!("Accept-Encoding: {codings}\r\nIf-None-Match: {tag}");
        let answer = with(&handler, "/app.js", &fields);
        assert_eq!(answer.status(), status, "{fields}");
        assert_eq!(answer.field("Vary"), Some("Accept-Encoding"));
        if status == 304 {
            assert_eq!(answer.field("ETag"), Some(&**tag));
            assert_eq!(answer.field("Content-Encoding"), None);
        }
    }
}

/// RFC 9110, 14.2: a range counts the bytes of the representation.
#[test]
fn parts_are_those_of_the_plain_file_unless_the_client_wants_none() {
    let root = site();
    let handler = precompressed(&root);
    let part = |codings: &str, range: &str| {
        let fields = format!("Accept-Encoding: {codings}\r\nRange: bytes={range}");
        with(&handler, "/app.js", &fields)
    };
    let plain = part(BROWSER, "4-8");
    assert_eq!((plain.status(), &*plain.text()), (206, "plain"));
    assert_eq!(plain.field("Content-Encoding"), None);
    assert_eq!(plain.field("Vary"), Some("Accept-Encoding"));
    let coded = part("br, identity;q=0", "1-2");
    assert_eq!((coded.status(), &*coded.text()), (206, "ro"));
    assert_eq!(coded.field("Content-Encoding"), Some("br"));
    assert_eq!(coded.field("Content-Range"), Some("bytes 1-2/6"));
    // Frames are not in the coding.
    root.file("app.js.br", vec![b'x'; 1000]);
    let several = part("br, identity;q=0", "0-0,999-999");
    assert_eq!((several.status(), several.body.len()), (200, 1000));
    assert_eq!(part(BROWSER, "0-0,13-13").status(), 206);
    // Of another representation.
    let tag = taking(&handler, "/app.js", "br");
    let tag = tag.field("ETag").unwrap();
    let fields = format!("Accept-Encoding: br\r\nRange: bytes=1-\r\nIf-Range: {tag}");
    let whole = with(&handler, "/app.js", &fields);
    assert_eq!((whole.status(), &*whole.text()), (200, "the plain file"));
}

/// Its log goes into a list.
struct Logged(SimpleHandler, Mutex<Vec<String>>);

impl Layer for Logged {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn log_request(&self, _: &Exchange<'_>, _: u16, _: Option<u64>) {}

    fn log_error(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.1.lock().unwrap().push(message.to_string());
    }
}

#[test]
fn a_precompressed_file_that_is_older_or_empty_is_ignored_and_logged_once() {
    let root = site();
    root.file("app.js.br", "");
    // Windows counts in no smaller ones.
    let tick = std::time::Duration::from_nanos(100);
    root.modified("app.js.zst", at(NOVEMBER) - tick);
    let files = SimpleHandler::new(root.path()).precompressed(true);
    let handler = Logged(files, Mutex::default());
    for _ in 0..3 {
        let answer = taking(&handler, "/app.js", BROWSER);
        assert_eq!(answer.field("Content-Encoding"), Some("gzip"));
        assert_eq!(answer.text(), "a gzip");
    }
    let log = handler.1.lock().unwrap();
    let [brotli, zstandard] = &log[..] else {
        panic!("{log:?}")
    };
    assert!(
        brotli.ends_with("app.js.br is empty, and is not sent"),
        "{brotli}"
    );
    assert!(
        zstandard.ends_with("app.js.zst is older than the plain file, and is not sent"),
        "{zstandard}"
    );
    drop(log);
    // A new build.
    root.file("app.js", "another")
        .file("app.js.gz", "another gzip");
    root.modified("app.js", at(NOVEMBER + 1));
    root.modified("app.js.gz", at(NOVEMBER + 1));
    assert_eq!(taking(&handler, "/app.js", "gzip").text(), "another gzip");
    root.modified("app.js", at(NOVEMBER + 2));
    assert_eq!(taking(&handler, "/app.js", "gzip").text(), "another");
}

#[cfg(unix)]
#[test]
fn a_precompressed_file_outside_the_directory_is_not_sent() {
    let root = site();
    for name in ["app.js.br", "app.js.zst", "app.js.gz"] {
        fs::remove_file(root.join(name)).unwrap();
    }
    root.dir("app.js.br")
        .link("app.js.zst", "../secret.txt")
        .link("app.js.gz", "nowhere");
    let handler = precompressed(&root);
    for _ in 0..2 {
        let answer = taking(&handler, "/app.js", BROWSER);
        assert_eq!(answer.text(), "the plain file");
        assert_eq!(answer.field("Content-Encoding"), None);
        assert_eq!(answer.field("Vary"), Some("Accept-Encoding"));
    }
    // Neither a device nor a FIFO holds anybody up.
    fs::remove_dir(root.join("app.js.br")).unwrap();
    fs::remove_file(root.join("app.js.gz")).unwrap();
    root.link("app.js.gz", "/dev/zero");
    make_fifo(&root.join("app.js.br"));
    assert_eq!(
        taking(&handler, "/app.js", BROWSER).text(),
        "the plain file"
    );
    // A link inside of the site is as good as a file.
    fs::remove_file(root.join("app.js.gz")).unwrap();
    root.file("store/gz", "from the store")
        .link("app.js.gz", "store/gz");
    let answer = taking(&handler, "/app.js", BROWSER);
    assert_eq!(answer.text(), "from the store");
    let none = root.handler_with(|files| {
        files
            .precompressed(true)
            .symlinks(servette::simple::Symlinks::Deny)
    });
    assert_eq!(taking(&none, "/app.js", BROWSER).text(), "the plain file");
}

#[test]
fn only_types_that_are_worth_it_are_precompressed_and_only_beside_the_plain_file() {
    let root = site();
    for name in ["a.png", "a.woff2", "a.zip", "unknown", "a.svg", "a.wasm"] {
        root.file(name, "plain").modified(name, at(NOVEMBER));
        root.file(format!("{name}.gz"), "gzip");
    }
    root.file("only.js.gz", "no plain file");
    let handler = precompressed(&root);
    for (name, is_worth_it) in [
        ("a.png", false),
        ("a.woff2", false),
        ("a.zip", false),
        ("unknown", false),
        ("a.svg", true),
        ("a.wasm", true),
    ] {
        let answer = taking(&handler, &format!("/{name}"), BROWSER);
        let coding = is_worth_it.then_some("gzip");
        assert_eq!(answer.field("Content-Encoding"), coding, "{name}");
        assert_eq!(answer.field("Vary").is_some(), is_worth_it, "{name}");
    }
    assert_eq!(taking(&handler, "/only.js", BROWSER).status(), 404);
    // As itself, as in Python.
    root.file("app.js.gz.gz", "twice");
    let itself = taking(&handler, "/app.js.gz", BROWSER);
    assert_eq!(itself.text(), "a gzip");
    assert_eq!(itself.field("Content-Type"), Some("application/gzip"));
    assert_eq!(itself.field("Content-Encoding"), None);
    assert_eq!(itself.field("Vary"), None);
    // An index page is a file like others.
    root.file("index.html", "plain")
        .file("index.html.br", "brotli");
    root.modified("index.html", at(NOVEMBER));
    assert_eq!(taking(&handler, "/", BROWSER).text(), "brotli");
}

#[test]
fn there_is_one_coding_whatever_fields_are_added() {
    let root = site();
    let handler = root.handler_with(|files| {
        files
            .precompressed(true)
            .extra_response_header("content-encoding", "own")
    });
    for (codings, expected) in [("br", "br"), ("identity", "own")] {
        let answer = taking(&handler, "/app.js", codings);
        let is_coding =
            |(name, _): &&(String, String)| name.eq_ignore_ascii_case("Content-Encoding");
        let found: Vec<_> = answer.fields.iter().filter(is_coding).collect();
        assert_eq!(found.len(), 1, "{codings}");
        assert_eq!(found[0].1, expected);
    }
}

#[test]
fn nothing_is_sent_for_another_file_unless_asked() {
    let root = site();
    let answer = taking(&root.handler(), "/app.js", BROWSER);
    assert_eq!(answer.text(), "the plain file");
    assert_eq!(answer.field("Vary"), None);
    assert_eq!(answer.field("Content-Encoding"), None);
}

#[test]
fn the_hook_of_tags_is_asked_for_the_file_that_is_sent() {
    struct Named(SimpleHandler);
    impl Layer for Named {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }

        fn entity_tag<'a>(
            &'a self,
            path: &std::path::Path,
            _: &'a simple::FileMetadata,
        ) -> Option<std::borrow::Cow<'a, str>> {
            let name = path.file_name()?.to_str()?;
            Some(format!("\"{name}\"").into())
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }

    let root = site();
    let handler = Named(SimpleHandler::new(root.path()).precompressed(true));
    let tag = |codings| {
        let answer = taking(&handler, "/app.js", codings);
        answer.field("ETag").unwrap().to_owned()
    };
    assert_eq!([tag("br"), tag("")], ["\"app.js.br\"", "\"app.js\""]);
}

/// While files and precompressed files are replaced, rewritten, and vanish.
#[test]
fn a_response_is_one_version_complete_or_visibly_incomplete() {
    for size in [1000, 100 << 10] {
        let root = WebRoot::new();
        root.file("app.js", vec![b'a'; size]);
        let handler =
            root.handler_with(|files| files.precompressed(true).with_protocol_version("HTTP/1.1"));
        let server = TestServer::start(handler);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for step in 0_usize.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    // Plain files are of small letters, precompressed ones of capitals.
                    let letter = (step % 26) as u8;
                    let name = ["app.js", "app.js.gz", "app.js.br"][step % 3];
                    let first = if name == "app.js" { b'a' } else { b'A' };
                    root.file("new", vec![first + letter; size - step % 7]);
                    root.replace(name, "new");
                    if step % 5 == 0 {
                        let _ = fs::remove_file(root.join("app.js.br"));
                    }
                }
            });
            let mut client = Client::new(server.addr());
            let (mut plain, mut coded) = (0, 0);
            for round in 0..500 {
                let codings = ["gzip", "br", "gzip, br", "identity"][round % 4];
                client.send(format!(
                    "GET /app.js HTTP/1.1\r\nHost: h\r\nAccept-Encoding: {codings}\r\n\r\n"
                ));
                let response = client.response();
                assert_eq!(response.status, 200);
                let first = response.body[0];
                assert!(response.body.iter().all(|byte| *byte == first), "{round}");
                let is_coded = response.get("Content-Encoding").is_some();
                assert_eq!(first.is_ascii_uppercase(), is_coded, "{round}");
                assert!(!is_coded || codings != "identity", "{round}");
                match is_coded {
                    true => coded += 1,
                    false => plain += 1,
                }
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(plain > 100 && coded > 0, "{plain} {coded}");
        });
    }
}

/// Does something to the files in one of its steps.
struct Meddler<'a> {
    files: SimpleHandler,
    step: &'static str,
    meddle: &'a (dyn Fn() + Sync),
}

impl Meddler<'_> {
    fn at(&self, step: &str) {
        if step == self.step {
            (self.meddle)();
        }
    }
}

impl Layer for Meddler<'_> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.files
    }

    fn visibility(&self, name: &std::ffi::OsStr) -> simple::Visibility {
        self.at("visibility");
        simple::visibility(self, name)
    }
    fn guess_type(&self, path: &std::path::Path) -> std::borrow::Cow<'_, str> {
        self.at("guess_type");
        simple::guess_type(self, path)
    }
    fn entity_tag<'a>(
        &'a self,
        path: &std::path::Path,
        file: &'a simple::FileMetadata,
    ) -> Option<std::borrow::Cow<'a, str>> {
        self.at("entity_tag");
        simple::entity_tag(self, path, file)
    }
    fn copyfile(&self, x: &mut Exchange<'_>, source: simple::Content) -> Result<()> {
        self.at("copyfile");
        simple::copyfile(self, x, source)
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn whatever_happens_to_the_files_between_two_steps_a_response_is_one_version_or_incomplete() {
    type Meddle = fn(&WebRoot, &str, usize);
    let meddles: [(&str, Meddle); 4] = [
        ("removed", |root, name, _| {
            let _ = fs::remove_file(root.join(name));
        }),
        ("replaced", |root, name, size| {
            let letter = if name == "app.js" { b'q' } else { b'y' };
            root.file("new", vec![letter; size]);
            let replaced = fs::rename(root.join("new"), root.join(name));
            // Under wine it can't be, while it is open.
            assert!(cfg!(windows) || replaced.is_ok());
        }),
        ("replaced by a directory", |root, name, _| {
            let _ = fs::remove_file(root.join(name));
            let made = fs::create_dir(root.join(name));
            assert!(cfg!(windows) || made.is_ok());
        }),
        ("cut", |root, name, _| {
            let file = fs::File::options().write(true).open(root.join(name));
            file.unwrap().set_len(2).unwrap();
        }),
    ];
    for size in [1000, 100 << 10] {
        for step in ["visibility", "guess_type", "entity_tag", "copyfile"] {
            for name in ["app.js", "app.js.gz"] {
                for (what, meddle) in meddles {
                    for is_kept in [false, true] {
                        let root = WebRoot::new();
                        root.file("app.js", vec![b'p'; size]);
                        root.file("app.js.gz", vec![b'z'; size / 2]);
                        for name in ["app.js", "app.js.gz"] {
                            root.modified(name, at(NOVEMBER));
                        }
                        let once = AtomicBool::new(false);
                        let handler = Meddler {
                            files: SimpleHandler::new(root.path()).precompressed(true),
                            step: if is_kept { "" } else { step },
                            meddle: &|| {
                                if !once.swap(true, Ordering::Relaxed) {
                                    meddle(&root, name, size);
                                }
                            },
                        };
                        if is_kept {
                            taking(&handler, "/app.js", "gzip");
                        }
                        let handler = Meddler { step, ..handler };
                        let answer = taking(&handler, "/app.js", "gzip");
                        let case = format!("{size} {name} {what} at {step}, kept: {is_kept}");
                        match answer.status() {
                            200 => {
                                let length = answer.field("Content-Length").unwrap();
                                let length: usize = length.parse().unwrap();
                                assert!(answer.body.len() <= length, "{case}");
                                let first = answer.body.first();
                                let is_one = answer.body.iter().all(|byte| Some(byte) == first);
                                assert!(is_one, "{case}");
                                let is_coded = answer.field("Content-Encoding").is_some();
                                let letters = if is_coded { b"zy" } else { b"pq" };
                                assert!(first.is_none_or(|byte| letters.contains(byte)), "{case}");
                            }
                            301 => {
                                assert_eq!((what, step), ("replaced by a directory", "visibility"))
                            }
                            404 => assert_eq!((name, step), ("app.js", "visibility"), "{case}"),
                            500 => assert_eq!(what, "cut", "{case}"),
                            other => panic!("{other} {case}"),
                        }
                    }
                }
            }
        }
    }
}

/// RFC 9110, 5.6.1: empty members, and a great many.
#[test]
fn long_lists_of_codings_are_read_to_their_end() {
    let root = site();
    let handler = precompressed(&root);
    let commas = ",".repeat(60_000);
    let unknown = "x;q=0.5, ".repeat(6_000);
    let quotes = "a;b=\"\\\",".repeat(6_000);
    for (before, is_list) in [(commas, true), (unknown, true), (quotes, false)] {
        let codings = format!("{before}gzip");
        let answer = taking(&handler, "/app.js", &codings);
        assert_eq!(answer.status(), 200);
        if is_list {
            assert_eq!(answer.field("Content-Encoding"), Some("gzip"));
        }
    }
}
