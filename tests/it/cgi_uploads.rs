//! Bodies on their way to scripts, and clients that stop at any byte of them: what is answered, what is
//! logged, and that neither the script nor its place nor the thread is held.
//!
//! A figure such as "10 of 10" says how often a test failed before the server did what it promises.

use std::fs;
use std::io::{ErrorKind, Read};
use std::time::Duration;

use super::cgi_site::{Served, Site, cut_body, get, is_there, post, serve};
use super::client::{Client, crowd};
use super::support::{Ask, limits, until};
use servette::testing::TestServer;
use servette::{CgiHandler, Limits, SimpleHandler};

const SHORT: Duration = Duration::from_millis(300);
/// Answers, and then reads its body.
const FIRST: &str =
    "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\nfirst '; cat >/dev/null; printf done\n";
/// Leaves its number behind, and answers with its body.
const ECHO: &str = "#!/bin/sh\necho $$ >../out/pid; printf 'Content-Type: t/p\\n\\n'; exec cat\n";
const HELLO: &str = "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\nhello'\n";

fn serve_within(handler: CgiHandler, set: impl FnOnce(&mut Limits)) -> Served {
    Served(TestServer::builder().limits(limits(set)).start(handler))
}

fn head_of(length: usize) -> String {
    format!("POST /cgi-bin/script HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n")
}

/// What was logged but for the line of each answered request.
fn errors(server: &TestServer) -> Vec<String> {
    let mut lines = server.logged();
    lines.retain(|line| !line.ends_with(" -"));
    lines
}

/// 10 of 10: the script was still held when the test gave up, after 20 s.
#[test]
fn a_body_that_stalls_hits_the_body_timeout_however_much_of_it_arrived() {
    let site = Site::with(FIRST);
    let server = serve_within(site.handler(), |limits| limits.body_timeout = SHORT);
    let mut client = Client::new(server.addr());
    client.send(head_of(1_000_000)).send(vec![b'x'; 200_000]);
    assert_eq!(client.response().status, 408);
    assert_eq!(errors(&server), ["code 408, message Request Timeout"]);
}

/// 10 of 10, as above. Here the answer has begun.
#[test]
fn a_script_that_streams_both_ways_has_the_same_body_timeout() {
    let site = Site::with(ECHO);
    let handler = site.handler().full_duplex(true);
    let server = serve_within(handler, |limits| limits.body_timeout = SHORT);
    let mut client = Client::new(server.addr());
    client.send(head_of(1_000_000)).send(vec![b'x'; 200_000]);
    assert_eq!(cut_body(&mut client).len(), 200_000);
    let pid = fs::read_to_string(site.path("out/pid")).unwrap();
    until("the script is killed and reaped", || !is_there(&pid));
    let line =
        "\"POST /cgi-bin/script HTTP/1.1\" the client stopped sending the request body (timeout)";
    until("a line", || errors(&server) == [line]);
}

/// 10 of 10: the fifth client got 503.
#[test]
fn stalled_clients_do_not_count_towards_the_number_of_scripts() {
    let site = Site::with(FIRST);
    site.script("cgi-bin/hello", HELLO);
    let handler = site.handler().with_max_scripts(4);
    let server = serve_within(handler, |limits| limits.body_timeout = SHORT);
    let mut clients = crowd(4, server.addr(), head_of(1_000_000) + &"x".repeat(200_000));
    for client in &mut clients {
        assert_eq!(client.response().status, 408);
    }
    assert_eq!(get(&server, "/cgi-bin/hello").text(), "hello");
}

/// 10 of 10: the head was there before the body.
#[test]
fn output_waits_until_the_script_has_its_body() {
    let round = |n| format!("dd bs=5 count=1 >/dev/null 2>&1; : >../out/{n}\n");
    let rounds: String = (1..=3).map(round).collect();
    let site = Site::with(&format!(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\nfirst '\n{rounds}cat\n"
    ));
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send(head_of(20));
    for n in 1..=3 {
        client.send("12345");
        // In each round the server has seen what the script wrote before the one that came earlier.
        until("the script has read", || {
            site.path(&format!("out/{n}")).exists()
        });
    }
    client.stream.set_nonblocking(true).unwrap();
    let early = client.stream.read(&mut [0; 1]);
    assert_eq!(early.unwrap_err().kind(), ErrorKind::WouldBlock);
    client.stream.set_nonblocking(false).unwrap();
    client.send("67890");
    assert_eq!(client.response().text(), "first 67890");
}

#[test]
fn a_lot_of_output_does_not_wait() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; head -c 70000 /dev/zero; exec cat\n",
    );
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send(head_of(9)).send("body");
    assert_eq!(client.head().status, 200);
    let mut body = Vec::new();
    while body.len() < 70_004 {
        body.extend(client.chunk().unwrap());
    }
    client.send(" body");
    assert_eq!(client.chunk().unwrap(), b" body");
    assert_eq!(client.chunk().unwrap(), b"");
}

#[test]
fn output_does_not_wait_for_a_body_if_the_script_closes_its_input() {
    let site = Site::with(
        "#!/bin/sh\nexec <&-; printf 'Content-Type: t/p\\n\\n%s' $$\n\
         while [ ! -e ../out/go ]; do sleep 0.01; done\n",
    );
    site.script("cgi-bin/ends", HELLO);
    let server = site.serve();
    let mut client = Client::new(server.addr());
    client.send(head_of(1_000_000)).send("body");
    assert_eq!(client.head().status, 200);
    assert!(is_there(str::from_utf8(&client.chunk().unwrap()).unwrap()));
    fs::write(site.path("out/go"), "").unwrap();
    assert_eq!(client.chunk().unwrap(), b"");
    // Nor does that of a script which has ended.
    let mut client = Client::new(server.addr());
    client.send(head_of(1_000_000).replace("script", "ends"));
    assert_eq!(client.response().text(), "hello");
}

/// How a client stops.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    /// It sends nothing more, and waits.
    Stalls,
    /// It sends nothing more, and says so.
    HalfCloses,
    Resets,
}

impl Stop {
    const ALL: [Stop; 3] = [Stop::Stalls, Stop::HalfCloses, Stop::Resets];

    /// A time that only a client that stalls reaches, also on a busy machine.
    fn body_timeout(self) -> Duration {
        match self {
            Stop::Stalls => SHORT,
            _ => Duration::from_secs(30),
        }
    }

    fn status(self) -> Option<u16> {
        match self {
            Stop::Stalls => Some(408),
            Stop::HalfCloses => Some(400),
            Stop::Resets => None,
        }
    }

    /// What is logged about a client that stops inside of the body.
    fn line(self) -> &'static str {
        match self {
            Stop::Stalls => "code 408, message Request Timeout",
            Stop::HalfCloses => "code 400, message Incomplete request body",
            Stop::Resets => "\"POST /cgi-bin/script HTTP/1.1\" the client closed the connection",
        }
    }

    /// Stops, and gives the status of the answer.
    #[track_caller]
    fn perform(self, mut client: Client) -> Option<u16> {
        match self {
            Stop::Resets => {
                client.reset();
                return None;
            }
            Stop::HalfCloses => drop(client.finish()),
            Stop::Stalls => {}
        }
        Some(client.response().status)
    }
}

/// 10 of 10: a script that had begun to answer was cut, without a status, and a reset left no line.
#[test]
fn a_client_that_stops_at_any_byte_of_a_body_frees_script_and_thread() {
    let site = Site::with(ECHO);
    site.script("cgi-bin/hello", HELLO);
    for stop in Stop::ALL {
        // One script at a time, and one thread beside that which polls.
        let server = serve_within(site.handler().with_max_scripts(1), |limits| {
            limits.body_timeout = stop.body_timeout();
            limits.max_threads = 2;
        });
        let mut lines = Vec::new();
        for sent in 0..4 {
            let _ = fs::remove_file(site.path("out/pid"));
            let mut client = Client::new(server.addr());
            client.send(head_of(4)).send(&"body"[..sent]);
            let started = || fs::read_to_string(site.path("out/pid")).unwrap_or_default();
            until("the script is started", || started().ends_with('\n'));
            assert_eq!(stop.perform(client), stop.status(), "{stop:?} after {sent}");
            until("the script is killed and reaped", || !is_there(&started()));
            lines.push(stop.line());
            until("a line", || errors(&server) == lines);
            assert_eq!(get(&server, "/cgi-bin/hello").text(), "hello");
        }
    }
}

/// 10 of 10: a reset left no line.
#[test]
fn a_client_that_stops_at_any_byte_of_a_chunked_body_frees_script_and_thread() {
    let site = Site::with(ECHO);
    let head = "POST /cgi-bin/script HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = "2;x=y\r\nbo\r\n02\r\ndy\r\n0\r\nX: y\r\n\r\n";
    for stop in Stop::ALL {
        let server = serve_within(site.handler().with_max_scripts(1), |limits| {
            limits.body_timeout = stop.body_timeout();
        });
        let clients: Vec<_> = (0..chunks.len())
            .map(|sent| {
                let mut client = Client::new(server.addr());
                client.send(head).send(&chunks[..sent]);
                client
            })
            .collect();
        for client in clients {
            assert_eq!(stop.perform(client), stop.status());
        }
        until("all lines", || {
            errors(&server) == vec![stop.line(); chunks.len()]
        });
        assert!(
            !site.path("out/pid").exists(),
            "no script is started for a part of a body"
        );
        let whole = format!("{head}{chunks}");
        assert_eq!(server.answer(whole).text(), "body");
        fs::remove_file(site.path("out/pid")).unwrap();
    }
}

/// What a script has said of its answer when it stops until it may go on, or for ever.
fn stops_after(output: &str) -> String {
    format!(
        "#!/bin/sh\necho $$ >../out/pid; printf '{output}'\n\
         while [ ! -e ../out/go ]; do sleep 0.01; done; printf ' and more'\n"
    )
}

/// 10 of 10: a reset left no line.
#[test]
fn a_client_that_resets_at_any_byte_of_a_response_ends_the_script() {
    let site = Site::with(&stops_after("Content-Type: t/p\\n\\nbody"));
    // The fixture keeps 200 lines of the log.
    let files = SimpleHandler::new(site.path("")).quiet(true);
    let handler = CgiHandler::from(files.with_protocol_version("HTTP/1.1"));
    let handler = handler.with_max_scripts(1);
    let server = serve_within(handler, |limits| limits.max_threads = 2);
    let request = "GET /cgi-bin/script HTTP/1.1\r\nHost: t\r\n\r\n";
    let mut client = Client::new(server.addr());
    client.send(request);
    let length = client.take_through("body\r\n").len();
    client.reset();
    let line = "\"GET /cgi-bin/script HTTP/1.1\" the client closed the connection";
    until("a line", || errors(&server) == [line]);
    for taken in 1..=length {
        let mut client = Client::new(server.addr());
        client.send(request);
        client.stream.read_exact(&mut vec![0; taken]).unwrap();
        let pid = fs::read_to_string(site.path("out/pid")).unwrap();
        client.reset();
        until("the script is killed and reaped", || !is_there(&pid));
        until("a line", || errors(&server) == vec![line; taken + 1]);
    }
}

#[test]
fn a_client_that_half_closes_at_any_byte_of_a_response_gets_the_rest() {
    let site = Site::with(&stops_after("Content-Type: t/p\\n\\nbody"));
    let handler = site.handler().with_max_scripts(1);
    let server = serve_within(handler, |limits| limits.max_threads = 2);
    for taken in 0..4 {
        let mut client = Client::new(server.addr());
        client.get("/cgi-bin/script");
        // So much of it has gone that its length is not known.
        client.peek(1);
        if taken > 0 {
            client.take_through(&"body"[..taken]);
        }
        client.finish();
        fs::write(site.path("out/go"), "").unwrap();
        client.take_through(" and more\r\n0\r\n\r\n");
        client.assert_end();
        fs::remove_file(site.path("out/go")).unwrap();
    }
    assert_eq!(errors(&server), [""; 0]);
}

#[test]
fn a_client_that_stalls_at_any_byte_of_a_response_frees_script_and_thread() {
    let site = Site::with(
        "#!/bin/sh\necho $$ >../out/pid; printf 'Content-Type: t/p\\n\\nbody'; exec cat /dev/zero\n",
    );
    site.script("cgi-bin/hello", HELLO);
    let server = serve_within(site.handler().with_max_scripts(1), |limits| {
        limits.write_timeout = Duration::from_millis(100);
        limits.min_rate = 0;
        limits.max_threads = 2;
    });
    let line = "\"GET /cgi-bin/script HTTP/1.1\" the client stopped reading the response (timeout)";
    for taken in 0..4 {
        let mut client = Client::new(server.addr());
        client.get("/cgi-bin/script");
        client.take_through(&"body"[..=taken]);
        until("a line", || errors(&server) == vec![line; taken + 1]);
        let pid = fs::read_to_string(site.path("out/pid")).unwrap();
        until("the script is killed and reaped", || !is_there(&pid));
        assert_eq!(get(&server, "/cgi-bin/hello").text(), "hello");
    }
}

/// 10 of 10: its head had gone, so the answer was cut.
#[test]
fn a_script_that_reads_nothing_of_its_body_is_silent_whatever_it_has_written() {
    let site = Site::with("#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; exec sleep 1000\n");
    let server = serve(site.handler().with_silence_timeout(SHORT));
    let answer = post(&server, "/cgi-bin/script", &vec![b'x'; 200_000]);
    assert_eq!(answer.status_line(), "HTTP/1.1 504 CGI script timed out");
}
