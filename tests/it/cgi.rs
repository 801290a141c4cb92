//! Which requests go to scripts, and what becomes of their answers.

use std::os::unix::fs::symlink;

use servette::{CgiHandler, respond};

use super::cgi_site::{Site, ask, get, has, post, serve};
use super::client::Client;
use super::support::Ask;

const HELLO: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello'\n";
const NAMES: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s|%s|%s' \
                     \"$SCRIPT_NAME\" \"$PATH_INFO\" \"$QUERY_STRING\"\n";

#[test]
fn scripts_are_run_and_files_are_sent() {
    let site = Site::with(HELLO);
    site.file("file.txt", "text", 0o644);
    let server = site.serve();
    assert_eq!(get(&server, "/cgi-bin/script").text(), "hello");
    assert_eq!(post(&server, "/cgi-bin/script", b"unread").text(), "hello");
    assert_eq!(get(&server, "/file.txt").text(), "text");
    assert_eq!(get(&server, "/cgi-bin").get("Location"), Some("/cgi-bin/"));
}

#[test]
fn refusals_have_the_texts_of_python_and_keep_the_connection() {
    let site = Site::with(HELLO);
    site.file("cgi-bin/data.txt", "secret", 0o644);
    site.file("file.txt", "text", 0o644);
    let server = site.serve();
    let mut client = Client::new(server.addr());
    for (request, status) in [
        (
            "GET /cgi-bin/nope/x",
            "404 No such CGI script ('/cgi-bin/nope')",
        ),
        (
            "GET /cgi-bin/",
            "403 CGI script is not a plain file ('/cgi-bin/')",
        ),
        (
            "GET /cgi-bin/data.txt",
            "403 CGI script is not executable ('/cgi-bin/data.txt')",
        ),
        ("POST /file.txt", "501 Can only POST to CGI scripts"),
        ("PUT /cgi-bin/script", "501 Unsupported method ('PUT')"),
        ("GET /cgi-bin/%00", "404 File not found"),
    ] {
        client.send(format!(
            "{request} HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n"
        ));
        assert_eq!(
            client.response().status_line(),
            format!("HTTP/1.1 {status}")
        );
    }
    client.send("GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn the_source_of_a_script_is_never_sent() {
    let site = Site::with(HELLO);
    site.file("cgi-bin/lib.sh", HELLO, 0o644);
    site.file("cgi-bin/sub/index.html", HELLO, 0o644);
    let server = site.serve();
    for path in [
        "script",
        "lib.sh",
        "lib.sh/",
        "sub/",
        "sub",
        "sub/index.html",
        "./lib.sh",
    ] {
        for directory in [
            "/cgi-bin/",
            "//cgi-bin/",
            "/%63gi-bin%2f",
            "/x/../cgi-bin//",
            "/cgi-bin%2F%2e/",
        ] {
            let answer = get(&server, &format!("{directory}{path}"));
            assert!(!answer.text().contains("printf"), "{directory}{path}");
        }
    }
    // Not even by a subclass that serves files as if there were no scripts.
    struct Careless(CgiHandler);
    impl servette::Layer for Careless {
        fn inner(&self) -> &dyn servette::RequestHandler {
            &self.0
        }

        fn do_method(&self, x: &mut servette::Exchange<'_>) -> servette::Result<()> {
            servette::simple::do_method(self, x)
        }
        fn send_head(
            &self,
            x: &mut servette::Exchange<'_>,
        ) -> servette::Result<Option<servette::simple::Content>> {
            servette::simple::send_head(self, x)
        }
    }
    let answer = respond(
        &Careless(site.handler()),
        "GET /cgi-bin/script HTTP/1.0\r\n\r\n",
    );
    assert_eq!(answer.get(9..12), Some(&b"404"[..]));
}

#[test]
fn links_to_scripts_follow_the_rule_for_files() {
    let site = Site::with(HELLO);
    let outside = Site::with(HELLO);
    site.script("lib/inside", HELLO);
    symlink(site.path("lib/inside"), site.path("cgi-bin/in")).unwrap();
    symlink(outside.path("cgi-bin/script"), site.path("cgi-bin/out")).unwrap();
    symlink(outside.path("cgi-bin"), site.path("cgi-bin/dir")).unwrap();
    let server = site.serve();
    assert_eq!(get(&server, "/cgi-bin/in").text(), "hello");
    assert_eq!(get(&server, "/cgi-bin/out").status, 404);
    assert_eq!(get(&server, "/cgi-bin/dir/script").status, 404);
    let files = servette::SimpleHandler::new(site.path("")).follow_symlinks(true);
    let server = serve(CgiHandler::from(files));
    assert_eq!(get(&server, "/cgi-bin/out").text(), "hello");
}

#[test]
fn a_path_is_split_where_the_script_ends() {
    let site = Site::with(NAMES);
    site.script("cgi-bin/deep/er/script", NAMES);
    site.script("sub/dir/cgi-bin/script", NAMES);
    site.script("cgi-bin/a?b%c", NAMES);
    let directories = ["/cgi-bin", "sub//dir/cgi-bin/"];
    let server = serve(site.handler().with_cgi_directories(directories));
    for (path, names) in [
        ("/cgi-bin/script", "/cgi-bin/script||"),
        ("/cgi-bin/script/", "/cgi-bin/script|/|"),
        (
            "/cgi-bin/script/a%2520b//c/../d/?x=%41&y#z",
            "/cgi-bin/script|/a%20b/d/|x=%41&y",
        ),
        ("/cgi-bin/script?a?b//c", "/cgi-bin/script||a?b//c"),
        ("/cgi-bin/script?", "/cgi-bin/script||"),
        (
            "/cgi-bin/deep/er/script/x?y",
            "/cgi-bin/deep/er/script|/x|y",
        ),
        ("/cgi-bin/deep%2fer/script", "/cgi-bin/deep/er/script||"),
        ("/sub/dir/cgi-bin/script/x", "/sub/dir/cgi-bin/script|/x|"),
        ("/cgi-bin/a%3fb%25c/x%3fy", "/cgi-bin/a?b%c|/x?y|"),
        ("//cgi-bin///script", "/cgi-bin/script||"),
    ] {
        assert_eq!(get(&server, path).text(), names, "{path}");
    }
}

#[test]
fn a_local_location_is_answered_within_the_server() {
    let site = Site::with(NAMES);
    site.script(
        "cgi-bin/go",
        "#!/bin/sh\nprintf 'Content-Type: x/y\\nLocation: %s\\n\\nunseen' \"$QUERY_STRING\"\n",
    );
    site.script(
        "cgi-bin/loop",
        "#!/bin/sh\nprintf 'Location: /cgi-bin/loop\\n\\n'\n",
    );
    site.script(
        "cgi-bin/method",
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s%s' $REQUEST_METHOD \"${CONTENT_LENGTH-none}\"; cat\n",
    );
    site.file("file.txt", "text", 0o644);
    let server = site.serve();
    let answer = get(&server, "/cgi-bin/go?/cgi-bin/script/info?query");
    assert_eq!(
        (answer.status, answer.text()),
        (200, "/cgi-bin/script|/info|query")
    );
    assert_eq!(get(&server, "/cgi-bin/go?/file.txt").text(), "text");
    assert_eq!(get(&server, "/cgi-bin/go?/nope").status, 404);
    assert_eq!(
        get(&server, "/cgi-bin/loop").status_line(),
        "HTTP/1.1 502 Too many CGI redirects"
    );
    let answer = post(&server, "/cgi-bin/go?/cgi-bin/method", b"body");
    assert_eq!(answer.text(), "GETnone", "it is a GET without a body");
    // With a status it is the client that goes there.
    site.script(
        "cgi-bin/see",
        "#!/bin/sh\nprintf 'Status: 303\\nLocation: /x\\n\\n'\n",
    );
    let answer = get(&server, "/cgi-bin/see");
    assert_eq!((answer.status, answer.get("Location")), (303, Some("/x")));
}

#[test]
fn a_script_that_speaks_http_is_passed_on_as_it_is() {
    let site = Site::new();
    let answer = "HTTP/1.1 299 Mine\\r\\nX-A: b\\r\\nContent-Length: 2\\r\\n\\r\\nhi";
    site.script(
        "cgi-bin/nph-it",
        &format!("#!/bin/sh\nprintf '{answer}'; cat\n"),
    );
    site.script("cgi-bin/nph-none", "#!/bin/sh\n");
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/nph-it HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(
        String::from_utf8(client.rest().unwrap()).unwrap(),
        "HTTP/1.1 299 Mine\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhibody"
    );
    server.wait_for_log("\" 299 -");
    assert_eq!(get(&server, "/cgi-bin/nph-none").status, 502);
}

#[test]
fn responses_are_framed_for_both_versions() {
    let site = Site::with(HELLO);
    site.script(
        "cgi-bin/fields",
        "#!/bin/sh\nprintf 'Content-Type: a/b\\r\\nSet-Cookie: a\\r\\nSet-Cookie: b\\r\\n\
         Transfer-Encoding: chunked\\r\\nConnection: keep-alive\\r\\nContent-Length: 2\\r\\n\\r\\nok'\n",
    );
    let server = site.serve();
    let answer = ask(&server, "GET /cgi-bin/script HTTP/1.0", b"");
    assert_eq!(
        (answer.text(), answer.get("Transfer-Encoding")),
        ("hello", None)
    );
    let mut client = Client::new(server.addr());
    for _ in 0..2 {
        client.send("GET /cgi-bin/fields HTTP/1.1\r\nHost: t\r\n\r\n");
        let answer = client.response();
        assert_eq!(
            (answer.text(), answer.get("Transfer-Encoding")),
            ("ok", None)
        );
        let cookies = answer
            .fields
            .iter()
            .filter(|(name, _)| name == "Set-Cookie");
        assert_eq!(
            cookies.map(|(_, value)| &**value).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
    // Pipelined, with a body that the script does not read.
    client.send(
        "POST /cgi-bin/fields HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc\
                 GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n",
    );
    assert_eq!(client.response().text(), "ok");
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn responses_without_a_body_need_no_type() {
    let site = Site::with("#!/bin/sh\nprintf 'Status: %s\\n\\n' \"$QUERY_STRING\"\n");
    let server = site.serve();
    for code in [204, 304, 404] {
        let mut client = Client::new(server.addr());
        client.send(format!(
            "GET /cgi-bin/script?{code} HTTP/1.1\r\nHost: t\r\n\r\n"
        ));
        let head = client.head();
        assert_eq!(head.status, code);
        let length = if code == 404 { Some("0") } else { None };
        assert_eq!(head.get("Content-Length"), length);
    }
}

#[test]
fn every_method_goes_to_scripts_if_the_handler_says_so() {
    let site =
        Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s ' \"$REQUEST_METHOD\"; cat\n");
    let server = serve(site.handler().every_method(true));
    for method in ["PUT", "DELETE", "OPTIONS", "SPAM"] {
        let head = format!("{method} /cgi-bin/script HTTP/1.1\r\nContent-Length: 1");
        assert_eq!(ask(&server, &head, b"x").text(), format!("{method} x"));
    }
    assert_eq!(ask(&server, "PUT /x HTTP/1.1", b"").status, 501);
}

#[test]
fn files_that_are_not_executable_go_to_their_interpreter() {
    if !has("perl") {
        return;
    }
    let site = Site::new();
    site.file(
        "cgi-bin/a.pl",
        "print \"Content-Type: t/p\\n\\nperl @ARGV\"",
        0o644,
    );
    site.file(
        "cgi-bin/a.PYW",
        "print \"Content-Type: t/p\\n\\nas python\"",
        0o644,
    );
    site.script("cgi-bin/b.pl", HELLO);
    site.file("cgi-bin/a.txt", "", 0o644);
    let handler = site.handler().interpreter(".pl", "/usr/bin/perl");
    let server = serve(handler.interpreter("py", "perl"));
    assert_eq!(get(&server, "/cgi-bin/a.pl?x+y").text(), "perl ");
    assert_eq!(get(&server, "/cgi-bin/a.PYW").text(), "as python");
    assert_eq!(
        get(&server, "/cgi-bin/b.pl").text(),
        "hello",
        "an executable one runs itself"
    );
    assert_eq!(get(&server, "/cgi-bin/a.txt").status, 403);
}

#[test]
fn words_of_a_query_are_arguments_only_if_asked_for() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; printf '%s:' $# \"$@\"\n");
    let server = site.serve();
    assert_eq!(get(&server, "/cgi-bin/script?a+b").text(), "0:");
    let server = serve(site.handler().query_arguments(true));
    assert_eq!(get(&server, "/cgi-bin/script?a%20b+-c").text(), "2:a b:-c:");
    assert_eq!(get(&server, "/cgi-bin/script?a=b").text(), "0:");
    assert_eq!(post(&server, "/cgi-bin/script?a", b"").text(), "0:");
}

#[test]
fn scripts_run_without_a_socket_too() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; cat\n");
    let request = "POST /cgi-bin/script HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody";
    let answer = String::from_utf8(respond(&site.handler(), request)).unwrap();
    assert!(answer.ends_with("\r\n\r\nbody"), "{answer}");
}
