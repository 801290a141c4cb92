//! Side by side with `python3 -m http.server --cgi`, in what it does right.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::cgi_site::{Served, Site, has};
use servette::testing::TestServer;

struct Python {
    child: Child,
    port: u16,
}

impl Python {
    /// `None` for a Python that has no `--cgi` any more.
    fn start(site: &Site) -> Option<Python> {
        let mut child = Command::new("/usr/bin/env")
            .args([
                "python3",
                "-u",
                "-m",
                "http.server",
                "--cgi",
                "--bind",
                "127.0.0.1",
                "0",
            ])
            .current_dir(site.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut banner = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut banner).unwrap();
        let port = banner.split(' ').skip_while(|word| *word != "port").nth(1);
        let python = Python {
            child,
            port: port.and_then(|port| port.parse().ok()).unwrap_or(0),
        };
        if python.port == 0 {
            eprintln!("skipped: this Python has no CGI");
            return None;
        }
        Some(python)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status line and the body.
fn ask(port: u16, request: &str) -> (String, String) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    // Python sends the head of the script as it is.
    let split = answer.split_once("\r\n\r\n");
    let split = split.or_else(|| answer.split_once("\n\n"));
    let (head, body) = split.unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap();
    (
        status.replace("200 Script output follows", "200 OK"),
        body.to_owned(),
    )
}

#[test]
fn scripts_see_the_same_as_under_python() {
    if !has("python3") {
        return;
    }
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n\
         for n in GATEWAY_INTERFACE REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING REMOTE_ADDR \
         HTTP_ACCEPT HTTP_USER_AGENT HTTP_REFERER HTTP_COOKIE; do eval \"echo $n=\\$$n\"; done\n\
         [ -z \"$PATH_INFO\" ] || echo $PATH_TRANSLATED\n\
         [ -z \"$CONTENT_LENGTH\" ] || { echo $CONTENT_LENGTH $CONTENT_TYPE; head -c $CONTENT_LENGTH; }\n",
    );
    site.script(
        "cgi-bin/sub/script",
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nsub'\n",
    );
    site.file("cgi-bin/data", "", 0o644);
    site.file("file.txt", "text", 0o644);
    let Some(python) = Python::start(&site) else {
        return;
    };
    let handler = servette::CgiHandler::new(site.path(""));
    let server = Served(TestServer::builder().protocol_version(None).start(handler));
    let ours = server.addr().port();
    for request in [
        "GET /cgi-bin/script HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/script?a=b&c=%20+d HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/script?a?b//c HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/script/more/path?x HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/script/a%20b/ HTTP/1.0\r\n\r\n",
        "GET //cgi-bin//script HTTP/1.0\r\n\r\n",
        "GET /cgi-bin%2fscript HTTP/1.0\r\n\r\n",
        "GET /x/../cgi-bin/./script HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/sub/script HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/script HTTP/1.0\r\nAccept: text/html\r\nACCEPT: text/plain\r\n\r\n",
        "GET /cgi-bin/script HTTP/1.0\r\nUser-Agent: me\r\nReferer: you\r\nCookie: a=b\r\n\r\n",
        "POST /cgi-bin/script HTTP/1.0\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nbody",
        "POST /cgi-bin/script?x=y HTTP/1.0\r\nContent-Type: a/b\r\nContent-Length: 1\r\n\r\n=",
        "GET /cgi-bin/nope HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/nope/more HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/ HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/sub/ HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/sub HTTP/1.0\r\n\r\n",
        "GET /cgi-bin HTTP/1.0\r\n\r\n",
        "GET /cgi-bin/data HTTP/1.0\r\n\r\n",
        "GET /file.txt HTTP/1.0\r\n\r\n",
        "POST /file.txt HTTP/1.0\r\n\r\n",
        "PUT /cgi-bin/script HTTP/1.0\r\n\r\n",
    ] {
        let (theirs, ours) = (ask(python.port, request), ask(ours, request));
        assert_eq!(ours.0, theirs.0, "{request}");
        if theirs.0.contains(" 200 ") {
            assert_eq!(ours.1, theirs.1, "{request}");
        }
    }
}
