//! Layers: subclasses and wrappers, whose overrides are seen inside; and handlers that hand an exchange on.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

#[cfg(unix)]
use servette::CgiHandler;
use servette::base::Outcome;
use servette::testing::TestServer;
use servette::{
    Exchange, Layer, RequestHandler, Result, ServeFiles, SimpleHandler, Status, base, handler_fn,
    respond,
};

#[cfg(unix)]
use crate::cgi_site::Site;
use crate::client::get;
use crate::support::{Ask, Log};
use crate::webroot::WebRoot;

fn answer<H: RequestHandler + ?Sized>(handler: &H, request: &str) -> String {
    String::from_utf8(respond(handler, request)).unwrap()
}

fn ask<H: RequestHandler + ?Sized>(handler: &H, path: &str) -> String {
    answer(handler, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

/// Writes down what is logged.
struct Logged<H>(H, Log);

impl<H: RequestHandler> Layer for Logged<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.1.push(message);
    }
}

struct Cors<H>(H);

impl<H: RequestHandler> Layer for Cors<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.send_header("Access-Control-Allow-Origin", "*");
        self.0.end_headers(x)
    }
}

struct Guard<H>(H);

impl<H: RequestHandler> Layer for Guard<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.headers.get("X-Key") {
            Some("sesame") => self.0.do_method(x),
            _ => x.send_error(Status::FORBIDDEN),
        }
    }
}

struct AccessLog<H>(H, Log);

impl<H: RequestHandler> Layer for AccessLog<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn log_request(&self, _: &Exchange<'_>, _: u16, _: Option<u64>) {}
    fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
        let Outcome { code, bytes, .. } = outcome;
        self.1
            .push(format!("{} {code} {bytes} {}", x.path, outcome.is_cut));
    }
}

/// A pipelined `HEAD /none` was answered with `HTTP/1.0` and without `Connection` on a connection that was kept.
#[test]
fn the_version_is_decided_once_for_an_exchange() {
    struct Site(SimpleHandler);
    impl RequestHandler for Site {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.0.do_method(x)
        }
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let site = Site(SimpleHandler::new("/no/such/directory").quiet(true));
    let head = "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = answer(&site, &head.repeat(2));
    assert_eq!(both.matches("HTTP/1.1 404 ").count(), 2, "{both}");
    assert!(
        !both.contains("HTTP/1.0") && !both.contains("Connection"),
        "{both}"
    );
    // And the other way round.
    let inner = SimpleHandler::new("/no/such/directory").with_protocol_version("HTTP/1.1");
    let outer = handler_fn(|_, x| inner.do_method(x)).quiet();
    let one = answer(&outer, &head.repeat(2));
    assert_eq!(one.matches("HTTP/1.0 404 ").count(), 1, "{one}");
    assert!(
        one.contains("\r\nConnection: close\r\n") || !one.contains("Connection"),
        "{one}"
    );
}

#[test]
fn a_subclass_of_files_is_seen_by_all_of_them() {
    struct Site(SimpleHandler);
    impl Layer for Site {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn guess_type(&self, path: &Path) -> Cow<'_, str> {
            match path.extension() {
                Some(suffix) if suffix == "lock" => "text/x-lock".into(),
                _ => self.0.guess_type(path),
            }
        }
        fn server_version(&self) -> &str {
            "Site/1"
        }
    }
    let root = WebRoot::new();
    root.file("a.lock", "a").file("b.txt", "b").dir("dir");
    let log = Log::default();
    let site = Logged(Cors(Site(SimpleHandler::new(root.path()))), log.clone());
    for (path, code, media_type) in [
        ("/a.lock", 200, Some("text/x-lock")),
        ("/b.txt", 200, Some("text/plain")),
        ("/dir", 301, None),
        ("/dir/", 200, Some("text/html")),
        ("/none", 404, Some("text/html")),
    ] {
        let got = ask(&site, path);
        assert!(got.starts_with(&format!("HTTP/1.0 {code} ")), "{got}");
        assert_eq!(
            got.matches("Access-Control-Allow-Origin: *\r\n").count(),
            1,
            "{got}"
        );
        assert!(got.contains("\r\nServer: Site/1 servette\r\n"), "{got}");
        let lower = got.to_lowercase();
        if let Some(media_type) = media_type {
            assert!(
                lower.contains(&format!("\r\ncontent-type: {media_type}")),
                "{got}"
            );
        }
    }
    let refused = answer(&site, "GET\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.0 400 ") && refused.contains("Allow-Origin: *"));
    let lines = log.lines();
    assert_eq!(lines.len(), 8, "{lines:?}");
    assert_eq!(lines[3], "\"GET /dir/ HTTP/1.0\" 200 -");
}

#[test]
fn a_wrapper_responds_as_the_handler_inside() {
    let inner = SimpleHandler::new("/no/such/directory").with_protocol_version("HTTP/1.1");
    let inner: Box<dyn RequestHandler + Send + Sync> = Box::new(Logged(inner, Log::default()));
    let log = Log::default();
    let three = Arc::new(AccessLog(Cors(Guard(inner)), log.clone()));
    for (request, code) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Key: sesame\r\n\r\n", 404),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 403),
        ("GET / HTTP/1.1\r\n\r\n", 400),
    ] {
        let got = answer(&&three, request);
        assert!(got.starts_with(&format!("HTTP/1.1 {code} ")), "{got}");
        assert!(got.contains("\r\nServer: SimpleHTTP/"), "{got}");
        assert_eq!(
            got.matches("Access-Control-Allow-Origin").count(),
            1,
            "{got}"
        );
        let line = log.lines().pop().unwrap();
        let path = if code == 400 { "" } else { "/" };
        assert_eq!(line, format!("{path} {code} {} false", got.len()));
    }
    assert_eq!(log.lines().len(), 3);
}

#[test]
fn handlers_inside_that_ask_the_exchange_see_overrides() {
    struct Inner;
    impl RequestHandler for Inner {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.path {
                "/content" => x.send_content(Status::OK, "text/plain", "content"),
                "/steps" => {
                    x.send_response(Status::OK);
                    x.send_header("X-Own", "1");
                    x.end_headers()?;
                    Ok(x.wfile.write_all(b"steps")?)
                }
                "/self" => self.send_content(x, Status::OK, "text/plain", b"self"),
                "/err" => Err(Status::GONE.into()),
                _ => base::do_method(self, x),
            }
        }
        fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
            x.send_header("X-Inner", "1");
            base::end_headers(self, x)
        }
    }
    let log = Log::default();
    let layered = Logged(Cors(Inner), log.clone());
    for path in ["/content", "/steps", "/self", "/err", "/501"] {
        let got = ask(&layered, path);
        for name in ["X-Inner: 1", "Access-Control-Allow-Origin: *"] {
            assert_eq!(got.matches(name).count(), 1, "{path}: {got}");
        }
        // The outer field comes first, as with Python's super().
        assert!(got.find("Access-Control") < got.find("X-Inner"), "{got}");
    }
    assert_eq!(log.lines().len(), 7);
}

#[test]
fn a_closure_gets_the_outermost_handler() {
    struct Loud<H>(H);
    impl<H: RequestHandler> Layer for Loud<H> {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn send_content(
            &self,
            x: &mut Exchange<'_>,
            status: Status<'_>,
            content_type: &str,
            body: &[u8],
        ) -> Result<()> {
            self.0
                .send_content(x, status, content_type, &body.to_ascii_uppercase())
        }
    }
    let content = handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", b"hi"));
    let got = ask(&Logged(Cors(Loud(content)), Log::default()), "/");
    assert!(
        got.contains("\r\nAccess-Control-Allow-Origin: *\r\n"),
        "{got}"
    );
    assert!(got.ends_with("\r\n\r\nHI"), "{got}");
}

#[test]
fn a_router_hands_on_and_each_branch_answers_by_its_own_hooks() {
    struct Router {
        files: Cors<SimpleHandler>,
        api: Guard<Box<dyn RequestHandler>>,
    }
    impl RequestHandler for Router {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            if let Some(mut x) = x.strip_prefix("/files") {
                return x.delegate_to(&self.files);
            }
            if let Some(mut x) = x.strip_prefix("/api/") {
                x.send_header("X-Api", "2");
                return x.delegate_to(&self.api);
            }
            base::do_method(self, x)
        }
        fn error_message_format(&self) -> &str {
            "router %(code)d"
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    fn api(_: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
        let text = format!("{} {}", x.mount(), x.path);
        x.send_content(Status::OK, "text/plain", text)
    }
    let root = WebRoot::new();
    root.file("a.txt", "a").dir("dir").file("dir/b.txt", "b");
    #[cfg(unix)]
    root.link("out", "/etc");
    let site = Router {
        files: Cors(SimpleHandler::new(root.path())),
        api: Guard(Box::new(handler_fn(api))),
    };
    let log = Log::default();
    let site = AccessLog(site, log.clone());
    let got = ask(&site, "/files/a.txt");
    assert!(
        got.ends_with("\r\n\r\na") && got.contains("Allow-Origin: *"),
        "{got}"
    );
    for (path, location) in [
        ("/files", "/files/"),
        ("/files?q", "/files/?q"),
        ("/files/dir?q", "/files/dir/?q"),
    ] {
        let got = ask(&site, path);
        assert!(
            got.contains(&format!("\r\nLocation: {location}\r\n")),
            "{got}"
        );
    }
    assert!(ask(&site, "/files/dir/").contains("Directory listing for /files/dir/"));
    assert!(ask(&site, "/files/").contains("href=\"a.txt\""));
    for path in ["/files/out/passwd", "/files/a/../../files/%2e/x"] {
        let got = ask(&site, path);
        assert!(got.starts_with("HTTP/1.0 404 File not found"), "{got}");
        assert!(
            got.contains("Error code: 404") && got.contains("Allow-Origin: *"),
            "{got}"
        );
    }
    for path in ["/filesystem", "/", "/Files/a.txt", "/files/../a.txt"] {
        assert!(ask(&site, path).ends_with("router 501"), "{path}");
    }
    let got = ask(&site, "/api");
    assert!(
        got.starts_with("HTTP/1.0 403 ") && got.contains("X-Api: 2"),
        "{got}"
    );
    let got = answer(&site, "GET /api/x?y HTTP/1.0\r\nX-Key: sesame\r\n\r\n");
    assert!(
        got.contains("X-Api: 2") && got.ends_with("/api /x?y"),
        "{got}"
    );
    assert_eq!(log.lines().len(), 14);
}

/// As the handler of files that stands behind the guard understands them.
#[test]
fn no_spelling_of_a_path_leads_past_a_guard() {
    let root = WebRoot::new();
    root.file("private/a", "secret").file("b", "public");
    let files = SimpleHandler::new(root.path()).quiet(true);
    let guard = handler_fn(|_, x| match x.strip_prefix("/private") {
        Some(mut x) => x.send_content(Status::FORBIDDEN, "text/plain", x.path),
        None => x.delegate_to(&files),
    })
    .quiet();
    for (path, inside) in [
        ("/private/a", "/a"),
        ("/private%2Fa", "/a"),
        ("/private%2f/a", "/a"),
        ("/private//a", "/a"),
        ("/private/%2F/a?q", "/a?q"),
        ("/%70riv%61te/a", "/a"),
        ("/./private/a", "/a"),
        ("/%2e/private/a", "/a"),
        ("/%2E%2fprivate/a", "/a"),
        ("/../private/a", "/a"),
        ("/x/../private/a", "/a"),
        ("/x/%2e%2e/private/a", "/a"),
        ("/x%2f..%2fprivate%2fa", "/a"),
        ("/private/../private/a", "/a"),
        ("/private/x/../a", "/x/../a"),
        ("/private", ""),
        ("/private/.", "/."),
        ("//private/a", "/a"),
    ] {
        let got = ask(&guard, path);
        assert!(got.starts_with("HTTP/1.0 403 "), "{path} {got}");
        assert!(got.ends_with(&format!("\r\n\r\n{inside}")), "{path} {got}");
    }
    for path in [
        "/b",
        "/private/../b",
        "/private%2f%2e%2e%2fb",
        "/privateer/../b",
    ] {
        assert!(ask(&guard, path).ends_with("\r\n\r\npublic"), "{path}");
    }
}

/// A client's spelling of the prefix is in no location.
#[test]
fn a_mount_has_the_name_that_the_program_gave_it() {
    let handler = handler_fn(|_, x| {
        let mut x = x.strip_prefix("m n/").unwrap();
        let mut x = x.strip_prefix("/o").unwrap();
        let location = format!("{}{}", x.mount(), x.path);
        x.send_redirect(Status::FOUND, &location)
    })
    .quiet();
    for path in [
        "/m%20n/o/x",
        "/%6d%20n/./o//x",
        "/\\host/../m%20n/o/x",
        "/m%20n%2Fo%2Fx",
    ] {
        let got = ask(&handler, path);
        assert!(got.contains("\r\nLocation: /m%20n/o/x\r\n"), "{path} {got}");
    }
}

#[test]
fn what_fails_in_a_branch_has_the_error_page_of_the_branch() {
    struct Page<H>(H, &'static str);
    impl<H: RequestHandler> Layer for Page<H> {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn error_message_format(&self) -> &str {
            self.1
        }
    }
    struct Filed<H>(H, Log);
    impl<H: RequestHandler> Layer for Filed<H> {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn log_line(&self, _: &Exchange<'_>, line: &str) {
            self.1.push(line.trim_end());
        }
    }
    let leaf = |_: &dyn RequestHandler, x: &mut Exchange<'_>| match x.path {
        "/status" => Err(Status::CONFLICT.into()),
        "/other" => Err(servette::Error::other("no database")),
        "/panic" => panic!("on purpose"),
        "/none" => Ok(()),
        "/interim" => {
            x.send_response_only(Status::PROCESSING);
            x.end_headers()
        }
        "/half" => {
            x.send_response(Status::OK);
            x.send_header("X-Half", "1");
            Err(servette::Error::other("behind the first field"))
        }
        "/body" => x.rfile.read_up_to(1).map(drop),
        "/begun" => {
            x.send_response(Status::OK);
            x.end_headers()?;
            x.wfile.write_all(b"begun")?;
            x.wfile.flush()?;
            Err(servette::Error::other("too late"))
        }
        _ => x.send_content(Status::OK, "text/plain", "leaf"),
    };
    let log = Log::default();
    let branch = Page(handler_fn(leaf), "branch %(code)d");
    let nested = Page(handler_fn(|_, x| x.delegate_to(&branch)), "nested %(code)d");
    let router = handler_fn(|_, x| match x.strip_prefix("/nested") {
        Some(mut x) => x.delegate_to(&nested),
        None => match x.path {
            "/own" => Err(Status::GONE.into()),
            _ => x.delegate_to(&branch),
        },
    });
    let router = Filed(Page(router, "router %(code)d"), log.clone());
    for mount in ["", "/nested"] {
        for (path, code) in [
            ("/status", 409),
            ("/other", 500),
            ("/panic", 500),
            ("/none", 500),
            ("/interim", 500),
            ("/half", 500),
        ] {
            let got = ask(&router, &format!("{mount}{path}"));
            assert!(
                got.ends_with(&format!("\r\n\r\nbranch {code}")),
                "{mount}{path} {got}"
            );
            assert!(!got.contains("X-Half"), "{got}");
        }
        let post = "POST /body HTTP/1.0\r\nContent-Length: 2\r\n\r\nab";
        let got = answer(
            &router,
            &post.replacen("/body", &format!("{mount}/body"), 1),
        );
        assert!(got.ends_with("branch 413"), "{got}");
        assert!(ask(&router, &format!("{mount}/begun")).ends_with("\r\n\r\nbegun"));
        assert!(ask(&router, &format!("{mount}/leaf")).ends_with("leaf"));
    }
    assert!(ask(&router, "/own").ends_with("router 410"));
    let logged = |text: &str| {
        log.lines()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    };
    assert_eq!(logged("no database"), 2, "{:?}", log.lines());
    assert_eq!(logged("panic: on purpose"), 2, "{:?}", log.lines());
    assert_eq!(logged("too late"), 2, "{:?}", log.lines());
}

#[test]
fn a_request_may_be_handed_on_many_times() {
    struct Countdown;
    impl RequestHandler for Countdown {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.path.strip_prefix("/a") {
                Some(rest) => x.with_path(rest).delegate_to(self),
                None => x.send_content(Status::OK, "text/plain", "end"),
            }
        }
    }
    assert!(ask(&Countdown, &"/a".repeat(50)).ends_with("\r\n\r\nend"));
}

#[test]
fn handlers_that_hand_on_in_a_circle_fail() {
    struct Circle;
    impl RequestHandler for Circle {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            x.delegate_to(self)
        }
    }
    assert!(ask(&Circle, "/").starts_with("HTTP/1.0 500 "));
}

/// The error page of the branch fails: the router has one.
#[test]
fn a_branch_whose_error_page_fails_is_answered_by_the_router() {
    struct Broken;
    impl RequestHandler for Broken {
        fn do_method(&self, _: &mut Exchange<'_>) -> Result<()> {
            Err(servette::Error::other("first"))
        }
        fn send_error(&self, _: &mut Exchange<'_>, _: Status<'_>) -> Result<()> {
            panic!("second")
        }
    }
    let router = handler_fn(|_, x| x.delegate_to(&Broken)).quiet();
    assert!(ask(&router, "/").starts_with("HTTP/1.0 500 "));
}

#[test]
fn the_log_of_a_branch_is_that_of_the_outermost_handler() {
    struct Filed<H>(H, Log);
    impl<H: RequestHandler> Layer for Filed<H> {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn log_line(&self, _: &Exchange<'_>, line: &str) {
            self.1.push(line.split("] ").nth(1).unwrap().trim_end());
        }
    }
    let files = SimpleHandler::new("/no/such/directory");
    let own = Log::default();
    let with_own_log = Filed(&files, own.clone());
    let router = handler_fn(|_, x| match x.path {
        "/own" => x.delegate_to(&with_own_log),
        _ => x.delegate_to(&files),
    });
    let log = Log::default();
    let filed = Filed(router, log.clone());
    ask(&filed, "/own");
    assert_eq!(own.lines().len(), 2);
    assert!(log.lines().is_empty());
    ask(&filed, "/none");
    let wanted = [
        "code 404, message File not found",
        "\"GET /none HTTP/1.0\" 404 -",
    ];
    assert_eq!(log.lines(), wanted);
}

#[test]
fn an_access_log_around_a_router_is_the_only_line_of_a_request() {
    struct Access<H>(H, Log);
    impl<H: RequestHandler> Layer for Access<H> {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn log_request(&self, _: &Exchange<'_>, _: u16, _: Option<u64>) {}
        fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
            x.log_message(format_args!("{} {}", x.path, outcome.code));
        }
        fn log_line(&self, _: &Exchange<'_>, line: &str) {
            self.1.push(line.split("] ").nth(1).unwrap().trim_end());
        }
    }
    let leaf = handler_fn(|_, x| x.send_content(Status::OK, "text/plain", "leaf"));
    let branch = handler_fn(|_, x| x.delegate_to(&leaf));
    let router = handler_fn(|_, x| match x.path {
        "/branch" => x.delegate_to(&branch),
        _ => x.delegate_to(&leaf),
    });
    let log = Log::default();
    let site = Access(router, log.clone());
    ask(&site, "/branch");
    ask(&site, "/leaf");
    assert_eq!(log.lines(), ["/branch 200", "/leaf 200"]);
}

#[test]
fn mounts_nest() {
    let handler = handler_fn(|h, x| {
        let Some(mut one) = x.strip_prefix("/one") else {
            return h.send_error(x, Status::NOT_FOUND);
        };
        let Some(two) = one.strip_prefix("/two") else {
            return h.send_error(&mut one, Status::GONE);
        };
        let text = format!("{} | {}", two.mount(), two.path);
        h.send_content(x, Status::OK, "text/plain", text.as_bytes())
    })
    .quiet();
    assert!(ask(&handler, "/one/two/three").ends_with("\r\n\r\n/one/two | /three"));
    assert!(ask(&handler, "/one/twofold").starts_with("HTTP/1.0 410 "));
}

#[cfg(unix)]
#[test]
fn a_subclass_of_scripts_is_seen() {
    struct Members(CgiHandler);
    impl Layer for Members {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn remote_user(&self, x: &Exchange<'_>) -> Option<servette::cgi::RemoteUser> {
            let name = x.headers.get("X-User")?;
            Some(servette::cgi::RemoteUser::new("Test", name))
        }
        fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
    }
    let root = Site::new();
    root.file("a.txt", "a", 0o644);
    root.script(
        "cgi-bin/who",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s %s' \"$REMOTE_USER\" \"$SCRIPT_NAME\"\n",
    );
    let members = Members(CgiHandler::new(root.path("")));
    let request = |path| format!("GET {path} HTTP/1.0\r\nX-User: anna\r\n\r\n");
    let got = answer(&members, &request("/cgi-bin/who"));
    assert!(got.ends_with("\r\n\r\nanna /cgi-bin/who"), "{got}");
    assert!(ask(&members, "/a.txt").ends_with("\r\n\r\na"));
    let mounted = handler_fn(|_, x| match x.strip_prefix("/m%20n") {
        Some(mut x) => x.delegate_to(&members),
        None => Err(Status::NOT_FOUND.into()),
    })
    .quiet();
    let got = answer(&mounted, &request("/m%20n/cgi-bin/who"));
    assert!(got.ends_with("\r\n\r\nanna /m n/cgi-bin/who"), "{got}");
}

#[test]
fn a_hook_that_calls_itself_through_the_exchange_fails() {
    struct Circle;
    impl RequestHandler for Circle {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            x.send_content(Status::OK, "text/plain", "x")
        }
        fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.path {
                "/self" => x.end_headers(),
                _ => base::end_headers(self, x),
            }
        }
        fn send_header(&self, x: &mut Exchange<'_>, name: &str, value: &str) {
            match x.path {
                "/header" => x.send_header(name, value),
                _ => base::send_header(self, x, name, value),
            }
        }
        fn log_message(&self, x: &Exchange<'_>, message: fmt::Arguments<'_>) {
            if x.path == "/log" {
                x.log_error(message);
            }
        }
    }
    for handler in [&Circle as &dyn RequestHandler, &Cors(Circle)] {
        assert!(ask(handler, "/").starts_with("HTTP/1.0 200 "));
        assert!(ask(handler, "/log").starts_with("HTTP/1.0 200 "));
        // Its error page fails, too.
        assert_eq!(ask(handler, "/self"), "");
        assert_eq!(ask(handler, "/header"), "");
    }
}

#[test]
fn data_of_a_request_is_that_of_its_type_and_of_this_request() {
    let handler = handler_fn(|h, x| {
        assert!(x.data::<u32>().is_none());
        x.set_data(7_u32);
        x.set_data(String::from("one"));
        x.set_data(8_u32);
        let text = format!(
            "{:?} {:?} {:?}",
            x.data::<u32>(),
            x.data::<String>(),
            x.data::<u8>()
        );
        h.send_content(x, Status::OK, "text/plain", text.as_bytes())
    });
    let server = TestServer::start(handler);
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(get("/"));
        assert_eq!(client.response().text(), "Some(8) Some(\"one\") None");
    }
}

#[test]
fn the_end_of_a_request_tells_what_came_of_it() {
    let log = Log::default();
    let handler = handler_fn(|h, x| match x.path {
        "/cut" => {
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            x.wfile.write_all(b"some")?;
            x.wfile.flush()?;
            Err(Status::INTERNAL_SERVER_ERROR.into())
        }
        "/large" => h.send_content(x, Status::OK, "text/plain", &[b'x'; 100_000]),
        "/panic" => panic!("on purpose"),
        "/none" => Ok(()),
        _ => Err(Status::GONE.into()),
    })
    .protocol_version("HTTP/1.1")
    .quiet();
    let handler = AccessLog(handler, log.clone());
    for (path, code, is_cut) in [
        ("/cut", 200, true),
        ("/large", 200, false),
        ("/panic", 500, false),
        ("/none", 500, false),
        ("/", 410, false),
    ] {
        let got = answer(&handler, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let line = log.lines().pop().unwrap();
        assert_eq!(line, format!("{path} {code} {} {is_cut}", got.len()));
    }
    assert_eq!(log.lines().len(), 5);
}

#[test]
fn what_is_answered_later_has_the_kept_fields_and_one_end() {
    let handler = handler_fn(|_, x| {
        x.send_header("X-Kept", "1");
        let deferred = x.defer()?;
        std::thread::spawn(move || {
            deferred.answer(|_, x| x.send_content(Status::OK, "text/plain", "late"));
        });
        Ok(())
    });
    let log = Log::default();
    let layered = AccessLog(Cors(handler.quiet()), log.clone());
    let got = ask(&layered, "/");
    for part in ["\r\nX-Kept: 1\r\n", "Allow-Origin: *", "\r\n\r\nlate"] {
        assert_eq!(got.matches(part).count(), 1, "{got}");
    }
    assert_eq!(log.lines(), [format!("/ 200 {} false", got.len())]);
}
