//! A site as a build tool leaves it: what caches may keep, the page of an application, hidden names, a prefix.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use servette::simple::{Content, Visibility};
#[cfg(unix)]
use servette::{CgiHandler, RunScripts};
use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, Status, simple};

use crate::webroot::{Answer, SECRET, WebRoot, ask, get};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// What Chromium sends for documents and frames, for scripts, and for styles.
const DOCUMENT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8";
const SCRIPT: &str = "*/*";
const STYLE: &str = "text/css,*/*;q=0.1";

fn with(handler: &impl RequestHandler, target: &str, fields: &str) -> Answer {
    ask(
        handler,
        format!("GET {target} HTTP/1.0\r\n{fields}\r\n\r\n"),
    )
}

fn accepting(handler: &impl RequestHandler, target: &str, accept: &str) -> Answer {
    with(handler, target, &format!("Accept: {accept}"))
}

fn built() -> WebRoot {
    let root = WebRoot::new();
    root.file("index.html", "the application")
        .file("assets/app-1a2b.js", "script")
        .file("assets/deep/x-3c.css", "style")
        .file("assetsx/y.js", "other")
        .file("404.html", "<p>not here</p>")
        .file("robots.txt", "hello")
        .dir("assets/list")
        .settle("robots.txt");
    root
}

/// RFC 9111, 5.2; RFC 8246; RFC 9110, 15.4.5.
#[test]
fn files_with_a_hash_in_their_name_are_kept_for_a_year_and_nothing_else_there_is() {
    let root = built();
    let handler = root.handler_with(|files| files.immutable("/assets/"));
    for (target, status, expected) in [
        ("/assets/app-1a2b.js", 200, Some(IMMUTABLE)),
        ("/assets/deep/x-3c.css?v", 200, Some(IMMUTABLE)),
        ("/%61ssets/app-1a2b.js", 200, Some(IMMUTABLE)),
        ("/assetsx/y.js", 200, None),
        ("/x/../assetsx/y.js", 200, None),
        ("/assets/../robots.txt", 200, None),
        ("/", 200, None),
        ("/assets/none.js", 404, Some("no-cache")),
        ("/assets/list", 301, Some("no-cache")),
        ("/assets/list/", 200, Some("no-cache")),
        ("/assets/", 200, Some("no-cache")),
        ("/assets", 301, Some("no-cache")),
        ("/none", 404, None),
    ] {
        let answer = get(&handler, target);
        let found = (answer.status(), answer.field("Cache-Control"));
        assert_eq!(found, (status, expected), "{target}");
    }
    let tag = get(&handler, "/assets/app-1a2b.js");
    let tag = tag.field("ETag").unwrap();
    for (fields, status) in [
        (format!("If-None-Match: {tag}"), 304),
        ("Range: bytes=0-1".into(), 206),
    ] {
        let answer = with(&handler, "/assets/app-1a2b.js", &fields);
        let found = (answer.status(), answer.field("Cache-Control"));
        assert_eq!(found, (status, Some(IMMUTABLE)));
    }
    let fields = "Range: bytes=99-";
    let none = with(&handler, "/assets/app-1a2b.js", fields);
    assert_eq!((none.status(), none.field("Cache-Control")), (416, None));
}

#[test]
fn other_files_have_the_cache_control_that_was_set_and_by_default_none() {
    let root = built();
    let all = |handler: &_| {
        ["/robots.txt", "/assets/app-1a2b.js"].map(|target| {
            let answer = get(handler, target);
            let values: Vec<_> = answer
                .fields
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("Cache-Control"))
                .map(|(_, value)| value.clone())
                .collect();
            values.join(" + ")
        })
    };
    assert_eq!(all(&root.handler()), ["", ""]);
    let handler = root.handler_with(|files| files.with_cache_control("no-cache"));
    assert_eq!(all(&handler), ["no-cache", "no-cache"]);
    let handler = root.handler_with(|files| {
        files
            .with_cache_control("max-age=60")
            .immutable("assets")
            .extra_response_header("cache-control", "no-store")
    });
    assert_eq!(all(&handler), ["max-age=60", IMMUTABLE]);
    let handler = root.handler_with(|files| {
        files
            .immutable("/assets")
            .extra_response_header("Cache-Control", "no-store")
    });
    assert_eq!(all(&handler), ["no-store", IMMUTABLE]);
}

#[test]
fn a_document_that_is_not_there_is_the_page_of_the_application() {
    let root = built();
    let handler = root.handler_with(|files| {
        files
            .with_fallback("index.html")
            .immutable("/assets/")
            .with_cache_control("max-age=60")
    });
    for target in [
        "/user/john.doe",
        "/a/b/c/",
        "/user?x=1",
        "/assets/none",
        "/robots.txt/",
    ] {
        let page = accepting(&handler, target, DOCUMENT);
        assert_eq!((page.status(), &*page.text()), (200, "the application"));
        assert_eq!(page.field("Cache-Control"), Some("no-cache"), "{target}");
        assert_eq!(page.field("Vary"), Some("Accept"), "{target}");
        assert_eq!(page.field("Content-Type"), Some("text/html; charset=utf-8"));
        let tag = page.field("ETag").unwrap();
        let fields = format!("Accept: {DOCUMENT}\r\nIf-None-Match: {tag}");
        let again = with(&handler, target, &fields);
        assert_eq!(again.status(), 304, "{target}");
        assert_eq!(again.field("Vary"), Some("Accept"));
        assert_eq!(again.field("Cache-Control"), Some("no-cache"));
        for accept in [
            SCRIPT,
            STYLE,
            "image/avif,image/webp,*/*;q=0.8",
            "text/html;q=0",
        ] {
            let answer = accepting(&handler, target, accept);
            assert_eq!(answer.status(), 404, "{target} {accept}");
            assert_eq!(answer.field("Vary"), Some("Accept"), "{target} {accept}");
        }
        assert_eq!(get(&handler, target).status(), 404, "{target}");
    }
    let request = format!("HEAD /user HTTP/1.0\r\nAccept: {DOCUMENT}\r\n\r\n");
    let head = ask(&handler, request);
    assert_eq!((head.status(), head.body.len()), (200, 0));
    assert_eq!(head.field("Content-Length"), Some("15"));
    // What is there is sent to everybody.
    let found = accepting(&handler, "/robots.txt", SCRIPT);
    assert_eq!((found.status(), found.field("Vary")), (200, None));
    let post = format!("POST /user HTTP/1.0\r\nAccept: {DOCUMENT}\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(ask(&handler, post).status(), 501);
    // With precompressed files.
    root.file("index.html.br", "brotli");
    let handler = root.handler_with(|files| files.with_fallback("/index.html").precompressed(true));
    let fields = format!("Accept: {DOCUMENT}\r\nAccept-Encoding: br");
    let page = with(&handler, "/user", &fields);
    assert_eq!(page.text(), "brotli");
    assert_eq!(page.field("Vary"), Some("Accept, Accept-Encoding"));
}

#[test]
fn a_fallback_that_is_missing_or_outside_the_root_is_not_sent() {
    let root = built();
    root.dir("dir");
    #[cfg(unix)]
    root.link("out.html", "../secret.txt");
    for page in ["none.html", "out.html", "dir", "dir/none.html"] {
        let handler =
            root.handler_with(|files| files.with_fallback(page).with_not_found_page(page));
        let answer = accepting(&handler, "/user", DOCUMENT);
        assert_eq!(answer.status(), 404, "{page}");
        assert!(!answer.text().contains(SECRET), "{page}");
        assert!(answer.text().contains("Error code: "), "{page}");
    }
}

/// It is served as 200 and as 304 elsewhere.
#[test]
fn a_404_page_of_the_site_is_a_404_without_validators() {
    let root = built();
    let handler = root.handler_with(|files| {
        files
            .with_not_found_page("/404.html")
            .immutable("/assets/")
            .precompressed(true)
            .with_cache_control("max-age=60")
    });
    let plain = get(&handler, "/404.html");
    let tag = plain.field("ETag").unwrap();
    for fields in [
        "X: y".to_owned(),
        format!("If-None-Match: {tag}"),
        "If-None-Match: *".into(),
        "If-Match: \"x\"".into(),
        "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT".into(),
        "Range: bytes=0-1".into(),
        "Range: bytes=99-".into(),
    ] {
        let answer = with(&handler, "/none", &fields);
        assert_eq!(answer.line, "HTTP/1.0 404 File not found", "{fields}");
        assert_eq!(answer.text(), "<p>not here</p>", "{fields}");
        for name in [
            "ETag",
            "Last-Modified",
            "Accept-Ranges",
            "Content-Range",
            "Cache-Control",
        ] {
            assert_eq!(answer.field(name), None, "{fields}");
        }
        assert_eq!(answer.field("Content-Length"), Some("15"));
        let media_type = answer.field("Content-Type");
        assert_eq!(media_type, Some("text/html; charset=utf-8"));
    }
    let head = ask(&handler, "HEAD /none HTTP/1.0\r\n\r\n");
    assert_eq!((head.status(), head.body.len()), (404, 0));
    assert_eq!(head.field("Content-Length"), Some("15"));
    let below = get(&handler, "/assets/none.js");
    assert_eq!(below.field("Cache-Control"), Some("no-cache"));
    // Other errors have the usual page.
    let method = ask(&handler, "BREW /none HTTP/1.0\r\n\r\n");
    assert!(method.text().contains("Error code: "));
    // Asked for by its name it is a file like others.
    assert_eq!(plain.status(), 200);
    // The application goes first where both are set.
    let handler = root.handler_with(|files| {
        files
            .with_not_found_page("404.html")
            .with_fallback("index.html")
    });
    assert_eq!(accepting(&handler, "/none", DOCUMENT).status(), 200);
    let answer = accepting(&handler, "/none", SCRIPT);
    assert_eq!((answer.status(), &*answer.text()), (404, "<p>not here</p>"));
    assert_eq!(answer.field("Vary"), Some("Accept"));
}

/// RFC 8615.
#[test]
fn dot_files_are_shown_unlisted_or_hidden() {
    let root = WebRoot::new();
    root.file(".env", "secret")
        .file(".git/config", "secret")
        .file("a/.hidden/b", "secret")
        .file("a/.well-known/c", "secret")
        .file(".well-known/security.txt", "contact")
        .file("..x", "secret")
        .file("a.b/c.d", "shown");
    let hidden = [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.git/",
        "/.git",
        "/a/.hidden/b",
        "/a/.well-known/c",
        "/..x",
        "/a/../.env",
        "/.git%2fconfig",
        "//.env",
        "/./.env",
        "/.env/",
        "/.git/../.env",
    ];
    for (visibility, status, is_listed) in [
        (Visibility::Shown, 200, true),
        (Visibility::Unlisted, 200, false),
        (Visibility::Hidden, 404, false),
    ] {
        let handler = root.handler_with(|files| files.dot_files(visibility));
        // What is kept is not shown for that.
        for _ in 0..2 {
            for target in hidden {
                let answer = get(&handler, target);
                let expected = match (status, target) {
                    (200, "/.git") => 301,
                    (200, "/.env/") => 404,
                    _ => status,
                };
                assert_eq!(answer.status(), expected, "{target} {visibility:?}");
                assert_eq!(answer.line.contains("File not found"), expected == 404);
            }
            for target in ["/.well-known/security.txt", "/a.b/c.d", "/a.b/"] {
                assert_eq!(get(&handler, target).status(), 200, "{target}");
            }
        }
        let listing = get(&handler, "/").text();
        assert_eq!(listing.contains(".env"), is_listed);
        assert_eq!(listing.contains(".git"), is_listed);
        assert!(listing.contains(".well-known") && listing.contains("a.b"));
        let below = get(&handler, "/a/").text();
        assert_eq!(below.contains(".well-known"), is_listed);
    }
    let handler = root.handler_with(|files| files.dot_files(Visibility::Hidden).cache_files(false));
    assert_eq!(get(&handler, "/.env").status(), 404);
}

/// Hides by name, and takes some files from elsewhere.
struct Picky(SimpleHandler, PathBuf);

impl Layer for Picky {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn visibility(&self, name: &OsStr) -> Visibility {
        match name.to_str() {
            Some("private") => Visibility::Hidden,
            Some("draft.txt") => Visibility::Unlisted,
            _ => simple::visibility(self, name),
        }
    }

    fn translate_path(&self, path: &str) -> PathBuf {
        match path.strip_prefix("/elsewhere/") {
            Some(rest) => self.1.join(rest),
            None => simple::translate_path(self, path),
        }
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn a_handler_decides_by_name_what_is_seen() {
    let root = WebRoot::new();
    root.file("private/a", "secret")
        .file("draft.txt", "draft")
        .file(".private/store/a", "store")
        .file(".private/store/.env", "secret");
    let elsewhere = WebRoot::new();
    elsewhere.file(".env", "secret").file("a", "there");
    let files = SimpleHandler::new(root.path()).dot_files(Visibility::Hidden);
    let handler = Picky(files, elsewhere.path());
    for (target, status) in [
        ("/private/a", 404),
        ("/draft.txt", 200),
        ("/.private/store/a", 404),
        // Elsewhere the names of the request count.
        ("/elsewhere/a", 200),
        ("/elsewhere/.env", 404),
    ] {
        assert_eq!(get(&handler, target).status(), status, "{target}");
    }
    let listing = get(&handler, "/").text();
    assert!(
        !listing.contains("private") && !listing.contains("draft"),
        "{listing}"
    );
}

/// A missing file is answered by a program.
struct Asks(SimpleHandler);

impl Layer for Asks {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn send_not_found(&self, x: &mut Exchange<'_>, path: &Path) -> Result<Option<Content>> {
        match path.extension() {
            Some(suffix) if suffix == "gone" => x.send_error(Status::GONE).map(|()| None),
            _ => simple::send_not_found(self, x, path),
        }
    }

    fn cache_control(&self, path: &Path) -> Option<std::borrow::Cow<'_, str>> {
        match path.ends_with("robots.txt") {
            true => Some("max-age=1".into()),
            false => simple::cache_control(self, path),
        }
    }
    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

#[test]
fn a_handler_decides_what_is_sent_where_nothing_is_and_what_caches_keep() {
    let root = built();
    let handler = Asks(SimpleHandler::new(root.path()).immutable("/assets"));
    assert_eq!(get(&handler, "/x.gone").status(), 410);
    assert_eq!(get(&handler, "/x.other").status(), 404);
    let said = |target| {
        let answer = get(&handler, target);
        answer.field("Cache-Control").map(str::to_owned)
    };
    assert_eq!(said("/robots.txt").as_deref(), Some("max-age=1"));
    assert_eq!(said("/assets/app-1a2b.js").as_deref(), Some(IMMUTABLE));
}

#[test]
fn below_a_prefix_is_the_directory_and_elsewhere_nothing() {
    let root = WebRoot::new();
    root.file("a.txt", "hello")
        .file("dir/b.txt", "hi")
        .file("files/c.txt", "inner")
        .file("index.html", "start");
    let handler =
        root.handler_with(|files| files.with_prefix("/files").with_fallback("index.html"));
    for (target, status) in [
        ("/files/a.txt", 200),
        ("/files/a.txt?q", 200),
        ("/f%69les/a.txt", 200),
        ("/files/", 200),
        ("/files/files/c.txt", 200),
        ("/files/../../../secret.txt", 404),
        ("/files/..%2f..%2fsecret.txt", 404),
        ("/files/../a.txt", 404),
        ("/files%2fa.txt", 200),
        ("/x/%2e%2e/files/a.txt", 200),
        ("/files/none", 404),
        ("/filesystem", 404),
        ("/a.txt", 404),
        ("/", 404),
        ("/file", 404),
    ] {
        assert_eq!(get(&handler, target).status(), status, "{target}");
    }
    // Outside there is no application.
    assert_eq!(accepting(&handler, "/user", DOCUMENT).status(), 404);
    assert_eq!(accepting(&handler, "/files/user", DOCUMENT).status(), 200);
    for (target, location) in [
        ("/files", "/files/"),
        ("/files?a=b", "/files/?a=b"),
        ("/files/dir", "/files/dir/"),
        ("/f%69les/dir?x", "/f%69les/dir/?x"),
    ] {
        let answer = get(&handler, target);
        let found = (answer.status(), answer.field("Location"));
        assert_eq!(found, (301, Some(location)), "{target}");
    }
    let listing = get(&handler, "/files/dir/").text();
    assert!(listing.contains("Directory listing for /files/dir/"));
    let root_of_url = root.handler_with(|files| files.with_prefix("/"));
    assert_eq!(get(&root_of_url, "/a.txt").status(), 200);
}

#[test]
fn each_of_it_is_off_unless_asked() {
    let root = built();
    root.file(".env", "shown, as in Python");
    let handler = root.handler();
    let answer = get(&handler, "/robots.txt");
    let names: Vec<_> = answer.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        [
            "Server",
            "Date",
            "Content-type",
            "Content-Length",
            "Last-Modified",
            "ETag",
            "Accept-Ranges"
        ]
    );
    assert_eq!(get(&handler, "/.env").status(), 200);
    assert_eq!(accepting(&handler, "/user", DOCUMENT).status(), 404);
    let options = ask(&handler, "OPTIONS / HTTP/1.0\r\nOrigin: http://o\r\n\r\n");
    assert_eq!(options.status(), 501);
    let rebound = ask(
        &handler,
        "GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(rebound.status(), 200);
}

/// [`CgiHandler`] without its log.
#[cfg(unix)]
struct Scripts(CgiHandler);

#[cfg(unix)]
impl Layer for Scripts {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

/// The Fetch standard: the CORS protocol.
#[test]
fn pages_of_other_origins_read_all_responses_and_send_preflights() {
    let root = built();
    let files = root.handler_with(|files| files.cors(true));
    #[cfg(unix)]
    let scripts = Scripts(CgiHandler::from(files.0.clone()));
    let handlers: &[&dyn RequestHandler] = &[
        &files,
        #[cfg(unix)]
        &scripts,
    ];
    for &handler in handlers {
        for (request, status) in [
            ("GET /robots.txt", 200),
            ("HEAD /robots.txt", 200),
            ("GET /none", 404),
            ("GET /assets", 301),
            ("GET /assets/", 200),
            ("BREW /", 501),
            ("OPTIONS /robots.txt", 204),
            ("OPTIONS *", 204),
            ("OPTIONS /none", 204),
        ] {
            let answer = ask(handler, format!("{request} HTTP/1.0\r\n\r\n"));
            assert_eq!(answer.status(), status, "{request}");
            let origin = answer.field("Access-Control-Allow-Origin");
            assert_eq!(origin, Some("*"), "{request}");
            let exposed = answer.field("Access-Control-Expose-Headers").unwrap();
            assert!(exposed.contains("Content-Range"), "{request}");
            let methods = answer.field("Access-Control-Allow-Methods");
            assert_eq!(methods, None, "{request}");
        }
        // It asks for nothing.
        let no_preflight = "OPTIONS / HTTP/1.0\r\nOrigin: http://o\r\n\r\n";
        let answer = ask(handler, no_preflight);
        assert_eq!(answer.field("Access-Control-Allow-Methods"), None);
        let refused = ask(handler, "GET\r\n\r\n");
        let origin = refused.field("Access-Control-Allow-Origin");
        assert_eq!((refused.status(), origin), (400, Some("*")));
        let preflight = ask(
            handler,
            "OPTIONS /robots.txt HTTP/1.0\r\nOrigin: http://o\r\nAccess-Control-Request-Method: GET\r\n\
             Access-Control-Request-Headers: range\r\n\r\n",
        );
        assert_eq!((preflight.status(), preflight.body.len()), (204, 0));
        for (name, value) in [
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Methods", "GET, HEAD"),
            ("Access-Control-Max-Age", "86400"),
            ("Allow", "GET, HEAD, OPTIONS"),
        ] {
            assert_eq!(preflight.field(name), Some(value));
        }
        let allowed = preflight.field("Access-Control-Allow-Headers").unwrap();
        for name in ["Range", "If-Range", "If-None-Match", "Content-Type"] {
            assert!(allowed.split(", ").any(|known| known == name), "{name}");
        }
        for name in ["Access-Control-Allow-Credentials", "Content-Length"] {
            assert_eq!(preflight.field(name), None);
        }
    }
    let ready_made: &[&dyn RequestHandler] = &[
        &files.0,
        #[cfg(unix)]
        scripts.cgi(),
    ];
    for &handler in ready_made {
        let answer = ask(handler, "HEAD /robots.txt HTTP/1.0\r\n\r\n");
        assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("*"));
    }
}

/// RFC 9110, 7.4: against DNS rebinding.
#[test]
fn requests_for_unknown_hosts_are_a_421() {
    let root = built();
    let files = root.handler_with(|files| files.with_allowed_hosts(["box.lan", ".example.org"]));
    #[cfg(unix)]
    let scripts = Scripts(CgiHandler::from(files.0.clone()));
    let handlers: &[&dyn RequestHandler] = &[
        &files,
        #[cfg(unix)]
        &scripts,
    ];
    for &handler in handlers {
        for (host, is_allowed) in [
            ("127.0.0.1:8000", true),
            ("[::1]:8000", true),
            ("localhost:8000", true),
            ("app.localhost", true),
            ("BOX.lan:8000", true),
            ("a.example.org", true),
            ("evil.test", false),
            ("box.lan.evil.test", false),
        ] {
            for method in ["GET", "HEAD", "POST", "OPTIONS"] {
                let answer = ask(
                    handler,
                    format!(
                        "{method} /robots.txt HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                    ),
                );
                assert_eq!(answer.status() != 421, is_allowed, "{method} {host}");
                assert!(is_allowed || !answer.text().contains("hello"), "{host}");
            }
        }
        let refused = ask(handler, "GET / HTTP/1.0\r\nHost: evil.test\r\n\r\n");
        assert_eq!(refused.line, "HTTP/1.0 421 Misdirected Request");
        assert!(refused.text().contains("--allow-host"));
        // By the target, which goes before the field.
        let absolute = ask(
            handler,
            "GET http://evil.test/robots.txt HTTP/1.0\r\nHost: localhost\r\n\r\n",
        );
        assert_eq!(absolute.status(), 421);
        assert_eq!(
            ask(handler, "GET /robots.txt HTTP/1.0\r\n\r\n").status(),
            200
        );
    }
}

/// What no request can match is a mistake of the program.
#[test]
fn values_that_never_match_are_refused_where_they_are_given() {
    use crate::support::message;
    type Set = fn(SimpleHandler) -> SimpleHandler;
    let wrong: [(Set, &str); 9] = [
        (
            |files| files.with_allowed_hosts(["http://x"]),
            "'http://x': expected a host name",
        ),
        (
            |files| files.with_allowed_hosts(["a", ""]),
            "'': the name is missing",
        ),
        (|files| files.immutable(""), "'': the directory is missing"),
        (
            |files| files.immutable("assets/../x"),
            "'assets/../x': a path with `.` or `..` never matches",
        ),
        (
            |files| files.with_prefix("http://x/y"),
            "'http://x/y': expected only the path",
        ),
        (
            |files| files.with_prefix("/a/%2e%2e"),
            "'/a/%2e%2e': a path with `.` or `..` never matches",
        ),
        (
            |files| files.with_fallback("../index.html"),
            "'../index.html': a path with",
        ),
        (
            |files| files.with_not_found_page("404/"),
            "'404/': it is a directory, not a file",
        ),
        (
            |files| files.extension(".tar.gz", "a/b"),
            "'.tar.gz': a suffix has one dot",
        ),
    ];
    for (set, expected) in wrong {
        let told = message(|| set(SimpleHandler::new(".")));
        assert!(told.starts_with(expected), "{told}");
    }
    #[cfg(unix)]
    for (told, expected) in [
        (
            message(|| CgiHandler::new(".").with_cgi_directory("")),
            "'': the directory",
        ),
        (
            message(|| CgiHandler::new(".").interpreter("", "perl")),
            "'': the suffix",
        ),
    ] {
        assert!(told.starts_with(expected), "{told}");
    }
    let root = built();
    let all = root.handler_with(|files| files.immutable("/"));
    assert_eq!(
        get(&all, "/robots.txt").field("Cache-Control"),
        Some(IMMUTABLE)
    );
}
