//! What scripts say that were written for Apache and lighttpd, and what their authors are told.
//!
//! All of these failed in every try before the server did what they say.

use servette::{CgiHandler, testing};

use super::cgi_site::{Site, ask, get, post, serve};
use super::support::Ask;

/// Answers with what it reads, as `printf` prints it.
const PRINTS: &str = "#!/bin/sh\nprintf \"$(cat)\"\n";
const NAMES: &str = "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s|%s|%s' \
                     \"$SCRIPT_NAME\" \"$PATH_INFO\" \"$REQUEST_URI\"\n";
const SERVER: &str =
    "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s|%s' \"$SERVER_NAME\" \"$SERVER_PORT\"\n";

#[test]
fn a_local_location_with_a_cookie_sends_the_client_there() {
    let site = Site::with(PRINTS);
    site.file("file.txt", "text", 0o644);
    let server = site.serve();
    let login = b"Set-Cookie: a=b\\nLocation: /file.txt\\nCache-Control: no-store\\n\\n";
    let answer = post(&server, "/cgi-bin/script", login);
    assert_eq!(answer.status_line(), "HTTP/1.1 302 Found");
    for (name, value) in [
        ("Set-Cookie", "a=b"),
        ("Location", "/file.txt"),
        ("Cache-Control", "no-store"),
    ] {
        assert_eq!(answer.get(name), Some(value));
    }
}

#[test]
fn a_body_without_a_type_is_sent_and_logged() {
    let site = Site::with(PRINTS);
    let server = site.serve();
    for head in ["Status: 200 OK", "Location: http://example.org/"] {
        let output = format!("{head}\\n\\nbody");
        let answer = post(&server, "/cgi-bin/script", output.as_bytes());
        assert_eq!(answer.text(), "body");
        let content_type = answer.get("Content-Type");
        assert_eq!(content_type, Some("application/octet-stream"));
    }
    let line = "CGI script /cgi-bin/script: a body without a Content-Type, \
                sent as application/octet-stream";
    let logged = server.logged();
    assert_eq!(logged.iter().filter(|logged| *logged == line).count(), 2);
}

#[test]
fn a_malformed_line_of_a_script_is_in_the_log_and_not_in_the_response() {
    let site = Site::with(PRINTS);
    let server = site.serve();
    let long = "x".repeat(300);
    let cut = format!("a line of the head is not a field: \"{}...\"", &long[..200]);
    let long = format!("{long}\\n\\n");
    for (output, line) in [
        (
            "Status: 200\\nsecret \\033[31m\\r\\n\\n",
            r#"a line of the head is not a field: "secret \x1b[31m""#,
        ),
        (&*long, &*cut),
        ("secret\\n", r#"the head has no end: "secret""#),
        (
            "Status: secret\\n\\n",
            r#"invalid Status field: "Status: secret""#,
        ),
        (
            "X-A: secret\\nX-C: d\\n\\n",
            r#"no Content-Type, Location or Status field: "X-A: secret""#,
        ),
    ] {
        let answer = post(&server, "/cgi-bin/script", output.as_bytes());
        assert_eq!(answer.status, 502, "{output}");
        assert!(!answer.text().contains("secret") && !answer.reason.contains("secret"));
        server.wait_for_log(&format!("CGI script /cgi-bin/script: {line}"));
    }
    // Nor is there a line that names nothing.
    post(&server, "/cgi-bin/script", b"\\n");
    assert!(!server.logged().iter().any(|line| line.contains("\"\"")));
}

#[test]
fn a_wrong_interpreter_is_named() {
    let site = Site::new();
    site.script("cgi-bin/missing", "#! /no/such/perl -w\nprint 1\n");
    site.script("cgi-bin/windows", "#!/bin/sh\r\necho\r\n");
    site.file("cgi-bin/mapped.py", "print(1)\n", 0o644);
    let server = serve(site.handler().interpreter(".py", "no-such-python"));
    for (script, program) in [
        ("missing", r#""/no/such/perl" is missing or not executable"#),
        (
            "windows",
            r#""/bin/sh\x0d" is missing or not executable (its lines end in CR LF)"#,
        ),
        (
            "mapped.py",
            r#""no-such-python" is missing or not executable"#,
        ),
    ] {
        let status = get(&server, &format!("/cgi-bin/{script}")).status;
        // Where tests are started with descriptors that are to be closed, it is a shell that fails.
        let (expected, what) = match servette::cgi::inherited_descriptors()[..] {
            [] => (500, " can't be started"),
            _ => (502, ""),
        };
        assert_eq!(status, expected);
        let line = format!("CGI script /cgi-bin/{script}{what}: its interpreter {program}");
        server.wait_for_log(&line);
    }
}

#[test]
fn the_page_of_cgitb_reaches_the_developer() {
    // As Python's module begins it, here behind the half of a head.
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n<!--: spam\\nContent-Type: text/html\\n\\n\
         <body bgcolor=\"#f0f0f8\">-->'\n",
    );
    let answer = get(&site.serve(), "/cgi-bin/script");
    assert_eq!(
        (answer.status, answer.get("Content-Type")),
        (200, Some("text/html"))
    );
    assert!(answer.text().starts_with("<body"));
}

#[test]
fn a_whole_site_can_consist_of_scripts() {
    let site = Site::with(NAMES);
    site.script("script", NAMES);
    site.script("index.cgi", NAMES);
    site.file("file.txt", "secret", 0o644);
    let handler = site.handler().with_cgi_directories(["/"]);
    let server = serve(handler.clone());
    assert_eq!(get(&server, "/script/x?y").text(), "/script|/x|/script/x?y");
    assert_eq!(
        get(&server, "/cgi-bin/script").text(),
        "/cgi-bin/script||/cgi-bin/script"
    );
    for (path, status) in [
        ("/file.txt", 403),
        ("/", 403),
        ("/cgi-bin", 403),
        ("/nope", 404),
    ] {
        assert_eq!(get(&server, path).status, status, "{path}");
    }
    let server = serve(handler.every_method(true).with_index_scripts(["index.cgi"]));
    assert_eq!(get(&server, "/?q").text(), "/index.cgi||/?q");
    assert_eq!(ask(&server, "OPTIONS * HTTP/1.1", b"").status, 501);
}

#[test]
fn an_index_script_answers_for_its_directory() {
    let site = Site::with(NAMES);
    site.file("cgi-bin/index.py", "print()", 0o644);
    site.script("cgi-bin/sub/index.cgi", NAMES);
    site.script("cgi-bin/empty/x", NAMES);
    let names = ["none", "sub", "index.cgi", "script"];
    let server = serve(site.handler().with_index_scripts(names));
    assert_eq!(
        get(&server, "/cgi-bin/?q").text(),
        "/cgi-bin/script||/cgi-bin/?q"
    );
    assert_eq!(
        post(&server, "/cgi-bin/sub/", b"").text(),
        "/cgi-bin/sub/index.cgi||/cgi-bin/sub/"
    );
    let answer = get(&server, "/cgi-bin/sub?q");
    assert_eq!(
        (answer.status, answer.get("Location")),
        (301, Some("/cgi-bin/sub/?q"))
    );
    for path in ["/cgi-bin/empty", "/cgi-bin/empty/"] {
        assert_eq!(get(&server, path).status, 403, "{path}");
    }
    assert_eq!(post(&server, "/cgi-bin/sub", b"").status, 403);
    // Only if it is asked for.
    assert_eq!(get(&site.serve(), "/cgi-bin/").status, 403);
}

#[test]
fn server_name_comes_from_the_host_field_only_on_request() {
    let site = Site::with(SERVER);
    let name = |handler: &CgiHandler, request: &str| {
        let answered = testing::respond(handler, format!("{request}\r\n\r\n"));
        answered.response().text()
    };
    let get = "GET /cgi-bin/script HTTP/1.1\r\nConnection: close\r\nHost:";
    let bound = name(&site.handler(), &format!("{get} example.org:81"));
    assert!(!bound.contains("example.org"), "{bound}");
    let handler = site.handler().server_name_from_host(true);
    for (request, found) in [
        (format!("{get} example.org:81"), "example.org|81"),
        (format!("{get} example.org"), "example.org|80"),
        (format!("{get} [::1]:8000"), "[::1]|8000"),
        (format!("{get} example.org:99999"), &*bound),
        (format!("{get} "), &*bound),
        (
            get.replace("/cgi-bin", "http://h:82/cgi-bin") + " i",
            "h|82",
        ),
        ("GET /cgi-bin/script HTTP/1.0".into(), &*bound),
    ] {
        assert_eq!(name(&handler, &request), found, "{request}");
    }
    let handler = handler.env("HTTPS", "on");
    assert_eq!(
        name(&handler, &format!("{get} example.org")),
        "example.org|443"
    );
}
