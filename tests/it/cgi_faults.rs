//! What goes wrong with scripts and their clients, and that nothing of it lasts.

use std::fs;
use std::time::{Duration, Instant};

use super::cgi_site::{Served, Site, ask, cut_body, get, is_there, post, serve};
use super::client::Client;
use super::lifesupport::spawn;
use super::support::{Ask, PATIENCE, limits, message, until};
use servette::testing::TestServer;

/// Says its number, and then nothing.
const HANGS: &str = "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s\\n' $$; exec sleep 1000\n";

/// The number of a script that has begun to answer.
fn number(client: &mut Client) -> String {
    assert_eq!(client.head().status, 200);
    String::from_utf8(client.chunk().unwrap()).unwrap()
}

#[test]
fn a_silent_script_is_killed_and_answered_with_504() {
    let site = Site::with("#!/bin/sh\necho $$ >../out/pid; sleep 1000 & wait\n");
    let server = serve(site.handler().with_silence_timeout(Duration::from_secs(1)));
    let answer = get(&server, "/cgi-bin/script");
    assert_eq!(answer.status_line(), "HTTP/1.1 504 CGI script timed out");
    let pid = fs::read_to_string(site.path("out/pid")).unwrap();
    assert!(!is_there(&pid), "reaped before the answer");
}

#[test]
fn a_script_that_is_never_silent_still_has_an_end() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s\\n' $$; while :; do echo x; sleep 0.01; done\n",
    );
    let handler = site.handler().with_silence_timeout(Duration::from_secs(60));
    let server = serve(handler.with_total_deadline(Duration::from_millis(1500)));
    let mut client = Client::new(server.addr());
    client.send("GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n");
    let body = String::from_utf8(cut_body(&mut client)).unwrap();
    assert!(body.len() > 8);
    let pid = body.lines().next().unwrap();
    until("the script is reaped", || !is_there(pid));
}

#[test]
fn stderr_is_not_part_of_the_response() {
    let site = Site::with("#!/bin/sh\nwhile :; do echo noise >&2; done\n");
    let server = serve(site.handler().with_silence_timeout(Duration::from_secs(2)));
    assert_eq!(get(&server, "/cgi-bin/script").status, 504);
    let end = "CGI script: (further lines are not logged)";
    server.wait_for_log(end);
    let lines = server.logged();
    let last_noise = lines.iter().rposition(|line| line == "CGI script: noise");
    let first_end = lines.iter().position(|line| line == end);
    assert!(last_noise.is_some() && last_noise < first_end, "{lines:?}");
}

#[test]
fn a_script_dies_with_its_client() {
    let site = Site::with(HANGS);
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send("GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n");
    let pid = number(&mut client);
    assert!(is_there(&pid));
    reset(client);
    until("the script is killed and reaped", || !is_there(&pid));
}

/// Leaves with a request on the way.
fn reset(mut client: Client) {
    client.send("GET /x HTTP/1.1\r\n");
    client.reset();
}

#[test]
fn a_half_closed_client_gets_its_response() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s\\n' $$\n\
         while [ ! -e ../out/go ]; do sleep 0.01; done; cat\n",
    );
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/script HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody");
    number(&mut client);
    client.finish();
    fs::write(site.path("out/go"), "").unwrap();
    assert_eq!(client.chunk().unwrap(), b"body");
    assert_eq!(client.chunk().unwrap(), b"");
}

#[test]
fn a_client_that_leaves_inside_its_body_takes_the_script_along() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s\\n' $$; cat >/dev/null\n");
    let server = serve(site.handler().full_duplex(true));
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/script HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nbody");
    let pid = number(&mut client);
    client.finish();
    until("the script is killed and reaped", || !is_there(&pid));
    server.wait_for_log("the request body ended early");
}

#[test]
fn a_failed_write_kills_the_script() {
    let site =
        Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s\\n' $$; exec cat /dev/zero\n");
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send("GET /cgi-bin/script HTTP/1.0\r\n\r\n");
    assert_eq!(client.head().status, 200);
    let pid = client.take_through("\n");
    drop(client);
    until("the script is killed and reaped", || !is_there(&pid));
}

#[test]
fn the_end_of_the_server_is_the_end_of_its_scripts() {
    let site = Site::with(HANGS);
    let server = spawn(site.handler(), |_| ());
    let mut client = Client::new(server.addr());
    client.send("GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n");
    let pid = number(&mut client);
    server.shutdown(Duration::from_millis(10)).unwrap();
    until("the script is killed and reaped", || !is_there(&pid));
}

#[test]
fn complaints_and_exit_codes_are_logged() {
    let site = Site::with(
        "#!/bin/sh\necho one >&2; printf 'two\\r\\nthree' >&2; printf 'Content-Type: t/p\\n\\nok'\n\
         printf '\\033[31m' >&2; exit 3\n",
    );
    let server = site.serve();
    let answer = get(&server, "/cgi-bin/script");
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    for line in [
        "CGI script: one",
        "CGI script: two",
        "CGI script: three\\x1b[31m",
        "CGI script exit code 3",
    ] {
        server.wait_for_log(line);
    }
}

#[test]
fn a_script_that_does_not_start_is_a_500() {
    let site = Site::with("no interpreter is named here\n");
    site.script("cgi-bin/missing", "#!/no/such/interpreter\n");
    site.script("cgi-bin/fails", "#!/bin/sh\nexit 1\n");
    let server = site.serve();
    // Some systems give a file without an interpreter to a shell, which can do nothing with this one.
    assert!(matches!(get(&server, "/cgi-bin/script").status, 500 | 502));
    // Where tests are started with descriptors that are to be closed, it is a shell that fails.
    if servette::cgi::inherited_descriptors().is_empty() {
        assert_eq!(get(&server, "/cgi-bin/missing").status, 500);
        let name = "its interpreter \"/no/such/interpreter\" is missing or not executable";
        server.wait_for_log(&format!(
            "CGI script /cgi-bin/missing can't be started: {name}"
        ));
    }
    assert_eq!(get(&server, "/cgi-bin/missing").status / 100, 5);
    assert_eq!(get(&server, "/cgi-bin/fails").status, 502);
    server.wait_for_log("CGI script exit code 1");
}

#[test]
fn bad_output_is_answered_once_with_502() {
    let site = Site::with("#!/bin/sh\nprintf \"$(cat)\"\n");
    let server = site.serve();
    for (output, what) in [
        ("Content-Type: a/b\\n", "the head has no end"),
        ("hello world\\n\\n", "a line of the head is not a field"),
        ("X-A: b\\n\\nx", "no Content-Type, Location or Status field"),
        (
            "Content-Type: a/b\\nContent-Length: 5\\n\\nbody",
            "fewer bytes than its Content-Length",
        ),
        (
            "Status: 700000\\nContent-Type: a/b\\n\\n",
            "invalid Status field",
        ),
    ] {
        let answer = post(&server, "/cgi-bin/script", output.as_bytes());
        assert_eq!(
            answer.status_line(),
            format!("HTTP/1.1 502 Bad output of a CGI script: {what}")
        );
    }
    // What is over the length that was said is not sent.
    let output = "Content-Type: a/b\\nContent-Length: 2\\n\\nbody";
    let answer = post(&server, "/cgi-bin/script", output.as_bytes());
    assert_eq!(
        (answer.status, answer.text(), answer.get("Connection")),
        (200, "bo", None)
    );
    server.wait_for_log("wrote more bytes than its Content-Length");
}

#[test]
fn a_failed_script_never_looks_like_the_end_of_its_response() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; head -c 100000 /dev/zero\n\
         while [ ! -e ../out/go ]; do sleep 0.01; done; kill -KILL $$\n",
    );
    let server = site.serve();
    for version in ["1.1", "1.0"] {
        let mut client = Client::new(server.addr());
        client.send(format!(
            "GET /cgi-bin/script HTTP/{version}\r\nHost: t\r\n\r\n"
        ));
        fs::write(site.path("out/go"), "").unwrap();
        client.try_response("GET").expect_err(version);
        fs::remove_file(site.path("out/go")).unwrap();
    }
}

#[test]
fn bodies_over_the_limit_are_413() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; cat\n");
    let server = serve(site.handler().with_max_body(300_000));
    let long = "POST /cgi-bin/script HTTP/1.1\r\nContent-Length: 300001";
    assert_eq!(ask(&server, long, b"").status, 413);
    let chunked = "POST /cgi-bin/script HTTP/1.1\r\nTransfer-Encoding: chunked";
    let body = |size: usize| {
        let mut body = format!("{size:x}\r\n").into_bytes();
        body.resize(body.len() + size, b'x');
        body.extend(b"\r\n0\r\n\r\n");
        body
    };
    assert_eq!(ask(&server, chunked, &body(300_000)).body.len(), 300_000);
    assert_eq!(ask(&server, chunked, &body(300_001)).status, 413);
    let server = serve(site.handler().with_max_body(5));
    assert_eq!(ask(&server, chunked, &body(6)).status, 413);
    assert_eq!(ask(&server, chunked, &body(5)).text(), "xxxxx");
}

#[test]
fn too_many_scripts_at_once_are_503() {
    let site = Site::with(HANGS);
    let server = serve(site.handler().with_max_scripts(2));
    let mut clients: Vec<_> = (0..2).map(|_| Client::new(server.addr())).collect();
    for client in &mut clients {
        client.send("GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n");
        number(client);
    }
    assert_eq!(get(&server, "/cgi-bin/script").status, 503);
    reset(clients.pop().unwrap());
    until("there is room again", || {
        let mut client = Client::new(server.addr());
        client.send("GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n");
        client.head().status == 200
    });
}

#[test]
fn a_script_may_close_its_output_and_go_on() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n%s' $$; exec >&-\n\
         while [ ! -e ../out/go ]; do sleep 0.01; done; echo more >../out/done\n",
    );
    let server = site.serve();
    let start = Instant::now();
    let answer = get(&server, "/cgi-bin/script");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(is_there(answer.text()));
    fs::write(site.path("out/go"), "").unwrap();
    until("it goes on", || site.path("out/done").exists());
    until("it is reaped", || !is_there(answer.text()));
}

#[test]
fn a_client_that_is_slow_to_send_is_no_silence_of_the_script() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; cat\n");
    let silence = Duration::from_millis(700);
    let handler = site.handler().full_duplex(true);
    let server = serve(handler.with_silence_timeout(silence));
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/script HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\na");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk().unwrap(), b"a");
    // Nothing comes for longer than the script may be silent.
    client.stream.set_read_timeout(Some(silence * 3)).unwrap();
    message(|| client.peek(1).len());
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send("b");
    assert_eq!(client.chunk().unwrap(), b"b");
    assert_eq!(client.chunk().unwrap(), b"");
}

#[test]
fn a_client_that_stalls_inside_its_body_is_answered_with_408() {
    let site = Site::with("#!/bin/sh\necho $$ >../out/pid; cat\n");
    let limits = limits(|limits| limits.body_timeout = Duration::from_secs(1));
    let server = Served(TestServer::builder().limits(limits).start(site.handler()));
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/script HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nb");
    assert_eq!(client.response().status, 408);
    let pid = fs::read_to_string(site.path("out/pid")).unwrap();
    assert!(!is_there(&pid), "reaped before the answer");
}

#[test]
fn the_client_is_told_to_go_on_when_the_script_is_ready() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; cat\n");
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/script HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head().status_line(), "HTTP/1.1 100 Continue");
    client.send("body");
    assert_eq!(client.response().text(), "body");
    // A refusal comes without it.
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/nope HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.head().status, 404);
}

#[test]
fn fields_that_no_environment_can_hold_are_the_clients_fault() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\nok'\n");
    let server = site.serve();
    let field = format!("X-Long: {}\r\n", "x".repeat(60_000));
    let head = format!("GET /cgi-bin/script HTTP/1.1\r\n{field}{field}{field}X: y");
    assert_eq!(ask(&server, &head, b"").status, 431);
    let head = format!("GET /cgi-bin/script HTTP/1.1\r\n{field}X: y");
    assert_eq!(ask(&server, &head, b"").text(), "ok");
}

#[test]
fn what_nobody_may_execute_is_not_run_by_root() {
    let site = Site::new();
    let text = "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\nok'\n";
    site.file("cgi-bin/script", text, 0o700);
    let server = site.serve();
    let answer = get(&server, "/cgi-bin/script");
    match super::cgi_site::is_root() {
        true => assert_eq!(answer.status / 100, 5),
        false => assert_eq!(answer.text(), "ok"),
    }
}
