//! What a script is given, and what it is not.

use std::collections::BTreeMap;

use super::cgi_site::{Site, ask, get, is_root, post, serve};

const ENVIRONMENT: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; env\n";

fn variables(text: &str) -> BTreeMap<String, String> {
    let split = text.lines().filter_map(|line| line.split_once('='));
    split
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_environment_is_that_of_the_rfc_and_nothing_else() {
    let site = Site::with(ENVIRONMENT);
    let server = site.serve();
    let head = "POST /cgi-bin/script/a%20b?q=%20 HTTP/1.1\r\nContent-Type: a/b\r\n\
                Content-Length: 2\r\nX-Custom: 1\r\nX-Custom: 2\r\nX_Custom: 3\r\nProxy: evil\r\n\
                Authorization: Basic eDp5\r\nCookie: a=1\r\nCookie: b=2";
    let found = variables(ask(&server, head, b"hi").text());
    let root = site.path("");
    let root = root.to_str().unwrap();
    let port = server.addr().port().to_string();
    let script = format!("{root}/cgi-bin/script");
    let translated = format!("{root}/a b");
    let directory = format!("{root}/cgi-bin");
    let mut expected = BTreeMap::from([
        ("CONTENT_LENGTH", "2"),
        ("CONTENT_TYPE", "a/b"),
        ("DOCUMENT_ROOT", root),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("HTTP_HOST", "test"),
        ("HTTP_X_CUSTOM", "1, 2"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("PATH_INFO", "/a b"),
        ("PATH_TRANSLATED", &translated),
        ("PWD", &directory),
        ("QUERY_STRING", "q=%20"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("REQUEST_METHOD", "POST"),
        ("REQUEST_URI", "/cgi-bin/script/a%20b?q=%20"),
        ("SCRIPT_FILENAME", &script),
        ("SCRIPT_NAME", "/cgi-bin/script"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_PORT", &port),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
    ]);
    let mut found: BTreeMap<_, _> = found.iter().map(|(n, v)| (&**n, &**v)).collect();
    // What a shell sets by itself.
    for name in ["_", "SHLVL", "OLDPWD"] {
        found.remove(name);
    }
    assert!(
        found
            .remove("SERVER_SOFTWARE")
            .unwrap()
            .contains("servette")
    );
    assert!(found.remove("REMOTE_PORT").unwrap().parse::<u16>().is_ok());
    assert_eq!(found.remove("PWD"), expected.remove("PWD"));
    assert_eq!(found, expected);
}

#[test]
fn without_a_body_there_is_no_length_and_without_more_path_no_translation() {
    let site = Site::with(ENVIRONMENT);
    let server = site.serve();
    let found = variables(get(&server, "/cgi-bin/script").text());
    for name in [
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "PATH_TRANSLATED",
        "AUTH_TYPE",
        "REMOTE_USER",
    ] {
        assert_eq!(found.get(name), None, "{name}");
    }
    assert_eq!(found.get("QUERY_STRING").map(String::as_str), Some(""));
    assert_eq!(found.get("PATH_INFO").map(String::as_str), Some(""));
    let head = "POST /cgi-bin/script HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTE: x";
    let found = variables(ask(&server, head, b"5\r\nabcde\r\n0\r\n\r\n").text());
    assert_eq!(found.get("CONTENT_LENGTH").map(String::as_str), Some("5"));
    assert_eq!(found.get("HTTP_TRANSFER_ENCODING"), None);
}

#[test]
fn variables_are_inherited_by_name_and_set_by_hand() {
    let site = Site::with(ENVIRONMENT);
    // Cargo sets it for tests.
    let inherited = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let handler = site
        .handler()
        .inherit_env("CARGO_MANIFEST_DIR")
        .inherit_env("SERVETTE_NO_SUCH_VARIABLE")
        .with_path("/bin:/usr/bin")
        .pass_authorization(true)
        .env("GREETING", "hello world")
        .env("REQUEST_METHOD", "lie");
    let server = serve(handler);
    let head = "GET /cgi-bin/script HTTP/1.1\r\nAuthorization: Basic eDp5";
    let found = variables(ask(&server, head, b"").text());
    let get = |name: &str| found.get(name).map(String::as_str);
    assert_eq!(get("CARGO_MANIFEST_DIR"), Some(&*inherited));
    assert_eq!(get("SERVETTE_NO_SUCH_VARIABLE"), None);
    assert_eq!(get("PATH"), Some("/bin:/usr/bin"));
    assert_eq!(get("GREETING"), Some("hello world"));
    assert_eq!(get("REQUEST_METHOD"), Some("GET"), "the request wins");
    assert_eq!(get("HTTP_AUTHORIZATION"), Some("Basic eDp5"));
    assert_eq!(get("REMOTE_USER"), None, "nobody has checked it");
}

#[test]
fn values_are_bytes() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s|%s' \"$PATH_INFO\" \"$HTTP_X_A\"\n",
    );
    let server = site.serve();
    let mut client = super::client::Client::new(server.addr());
    client.send(b"GET /cgi-bin/script/%ff%E9 HTTP/1.1\r\nHost: t\r\nX-A: \xe9\xfe\r\n\r\n");
    assert_eq!(client.response().body, b"/\xff\xe9|\xe9\xfe");
}

#[test]
fn stdin_ends_where_the_body_ends() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; wc -c | tr -d ' \\n'\n");
    let server = site.serve();
    // The connection stays open, so the end of the client is not what ends it.
    for length in [0, 1, 70_000, 200_000] {
        let body = vec![b'x'; length];
        assert_eq!(
            post(&server, "/cgi-bin/script", &body).text(),
            length.to_string()
        );
        let mut chunked = Vec::new();
        for piece in body.chunks(50_000) {
            chunked.extend(format!("{:x}\r\n", piece.len()).bytes());
            chunked.extend([piece, b"\r\n"].concat());
        }
        chunked.extend(b"0\r\n\r\n");
        let head = "POST /cgi-bin/script HTTP/1.1\r\nTransfer-Encoding: chunked";
        assert_eq!(ask(&server, head, &chunked).text(), length.to_string());
    }
    assert_eq!(get(&server, "/cgi-bin/script").text(), "0");
}

#[test]
fn a_script_runs_as_nobody_without_any_group_of_root() {
    let site =
        Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; id -un; id -u; id -g; id -G\n");
    let server = site.serve();
    let answer = get(&server, "/cgi-bin/script");
    let lines: Vec<_> = answer.text().lines().collect();
    if is_root() {
        assert_eq!(lines[0], "nobody");
        assert!(lines[1] != "0" && lines[2] != "0", "{lines:?}");
        assert_eq!(
            lines[2..],
            [lines[3]; 2],
            "the only group is its own: {lines:?}"
        );
        let server = serve(site.handler().run_as_server_user(true));
        assert_eq!(
            get(&server, "/cgi-bin/script").text().lines().nth(1),
            Some("0")
        );
    } else {
        let own = std::process::Command::new("id").arg("-u").output().unwrap();
        assert_eq!(format!("{}\n", lines[1]).as_bytes(), own.stdout);
    }
}

#[test]
fn a_script_gets_three_descriptors_and_its_own_directory() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; pwd -P\n\
         for f in 0 1 2 3 4 5 6 7 8 9 11 12 13 14 15 16 20 251; do [ ! -e /proc/$$/fd/$f ] || echo $f; done\n",
    );
    let server = site.serve();
    let answer = post(&server, "/cgi-bin/script", b"body");
    let mut lines = answer.text().lines();
    let directory = std::fs::canonicalize(site.path("cgi-bin")).unwrap();
    assert_eq!(lines.next(), directory.to_str());
    // 10 is where a shell keeps its script.
    assert_eq!(lines.collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[test]
fn a_handler_that_has_checked_the_user_says_so() {
    use servette::cgi::RemoteUser;
    use servette::*;
    struct Checked(CgiHandler);
    impl Layer for Checked {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }

        fn remote_user(&self, x: &Exchange<'_>) -> Option<RemoteUser> {
            x.headers
                .get("X-User")
                .map(|name| RemoteUser::new("Basic", name))
        }
    }

    let site = Site::with(ENVIRONMENT);
    // Through a pointer, so that forwarding is shown, too.
    let handler: Box<dyn RunScripts> = Box::new(Checked(site.handler()));
    let request = "GET /cgi-bin/script HTTP/1.0\r\nX-User: anna\r\n\r\n";
    let answer = String::from_utf8(respond(&handler, request)).unwrap();
    let found = variables(&answer);
    assert_eq!(found.get("REMOTE_USER").map(String::as_str), Some("anna"));
    assert_eq!(found.get("AUTH_TYPE").map(String::as_str), Some("Basic"));
}
