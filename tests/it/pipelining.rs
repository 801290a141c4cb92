//! Requests that come before the responses to earlier ones (RFC 9112, 9.3.2), and bodies between them.

use std::io::{Read, Write};

use crate::client::{Client, get};
use crate::lifesupport::{Gate, spawn, spawn_single};
use crate::support::{Ask, Numbers, echo, handler, serve, text};
use servette::testing::TestServer;
use servette::{RunningServer, Status, base};

/// Answers with the path; `/echo` with the body, `/long` with a long answer.
fn server() -> TestServer {
    serve(|h, x| match x.path {
        "/echo" => {
            let mut body = String::new();
            x.rfile.read_to_string(&mut body)?;
            text(h, x, &body)
        }
        "/long" => text(h, x, &"long".repeat(50_000)),
        "/stream" => {
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            x.wfile.write_all(b"str")?;
            x.wfile.flush()?;
            Ok(x.wfile.write_all(b"eam")?)
        }
        "/none" => h.send_error(x, Status::NOT_FOUND),
        path if x.command == "GET" || x.command == "POST" => text(h, x, path),
        _ => base::do_method(h, x),
    })
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn post_chunked(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
         {length:x}\r\n{body}\r\n0\r\n\r\n"
    )
}

#[test]
fn responses_are_in_the_order_of_the_requests() {
    let server = server();
    let mut client = server.connect();
    let requests: String = (0..500).map(|n| get(&format!("/{n}"))).collect();
    client.send(requests);
    for n in 0..500 {
        assert_eq!(client.response().text(), format!("/{n}"));
    }
    client.finish().assert_end();
}

#[test]
fn a_complete_response_does_not_wait_for_the_next_handler() {
    let check = |spawn: &dyn Fn(Gate) -> RunningServer, before: usize| {
        let gate = Gate::default();
        let server = spawn(gate.clone());
        let mut client = Client::new(server.addr());
        // A route that the server knows, on a connection that was kept, is no exception.
        for _ in 0..before {
            client.get("/quick").response();
        }
        client.send(get("/quick").repeat(before + 1) + &get("/slow") + &get("/quick"));
        for _ in 0..=before {
            assert_eq!(client.response().text(), "/quick");
        }
        gate.await_comers(1);
        gate.open();
        assert_eq!(client.response().text(), "/slow");
        assert_eq!(client.response().text(), "/quick");
    };
    let gated = |gate: Gate| {
        handler(move |h, x| {
            if x.path == "/slow" {
                gate.pass();
            }
            echo(h, x)
        })
    };
    for before in [0, 1, 4] {
        check(&|gate| spawn_single(gated(gate)), before);
        check(&|gate| spawn(gated(gate), |_| ()), before);
    }
}

/// What is asked for, and the answer to it; in any pieces.
#[test]
fn every_kind_of_message_may_stand_between_others() {
    let server = server();
    let kinds = [
        (get("/a"), 200, "/a"),
        (post("/echo", "body"), 200, "body"),
        (post("/echo", ""), 200, ""),
        (
            post("/unread", "GET /smuggled HTTP/1.1\r\n\r\n"),
            200,
            "/unread",
        ),
        (post_chunked("/echo", "chunk"), 200, "chunk"),
        (post_chunked("/unread", "0\r\n\r\nGET /"), 200, "/unread"),
        (get("/none"), 404, ""),
        (get("/stream"), 200, "stream"),
        ("FOO / HTTP/1.1\r\nHost: h\r\n\r\n".into(), 501, ""),
        (format!("\r\n{}", get("/b")), 200, "/b"),
        ("HEAD /none HTTP/1.1\r\nHost: h\r\n\r\n".into(), 404, ""),
    ];
    for seed in 0..20 {
        let mut numbers = Numbers(seed);
        let sequence: Vec<_> = (0..40)
            .map(|_| &kinds[numbers.below(kinds.len())])
            .collect();
        let bytes: String = sequence.iter().map(|kind| &*kind.0).collect();
        let mut client = server.connect();
        let mut rest = bytes.as_bytes();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(1 + numbers.below(rest.len().min(90)));
            client.send(piece);
            rest = more;
        }
        for (request, status, part) in sequence {
            let method = match request.starts_with("HEAD") {
                true => "HEAD",
                false => "GET",
            };
            let response = client.response_to(method);
            assert_eq!(response.status, *status, "{request:?}, seed {seed}");
            assert!(*status != 200 || response.text() == *part, "{request:?}");
        }
        client.finish().assert_end();
    }
}

#[test]
fn long_responses_are_in_the_order_of_the_requests() {
    let server = server();
    let mut client = server.connect();
    client.send([get("/1"), get("/long"), get("/2"), get("/long"), get("/3")].concat());
    let lengths: Vec<_> = (0..5).map(|_| client.response().body.len()).collect();
    assert_eq!(lengths, [2, 200_000, 2, 200_000, 2]);
}

#[test]
fn the_end_that_came_with_a_body_is_seen_behind_it() {
    let gate = Gate::default();
    let its = gate.clone();
    let server = spawn_single(handler(move |h, x| {
        if x.path == "/gate" {
            its.pass();
        }
        let mut length = 0;
        // So little that more is read ahead.
        loop {
            match x.rfile.read(&mut [0; 100])? {
                0 => return text(h, x, &length.to_string()),
                count => length += count,
            }
        }
    }));
    let mut client = Client::new(server.addr());
    client.get("/").response();
    let mut other = Client::new(server.addr());
    other.get("/gate");
    gate.await_comers(1);
    // All of it is there when the server looks, and more than is read beside a head.
    client.send(post("/", &"x".repeat(20_000))).finish();
    gate.open();
    other.response();
    assert_eq!(client.response().text(), "20000");
    client.assert_end();
}

#[test]
fn a_bad_request_gets_its_own_400_and_is_the_last() {
    let server = server();
    let mut client = server.connect();
    client.send([get("/1"), "GET /bad\r\n\r\n".into(), get("/3")].concat());
    assert_eq!(client.response().text(), "/1");
    let response = client.response();
    assert_eq!(response.status, 400);
    assert!(response.says_close());
    client.assert_end();
}

#[test]
fn no_request_is_answered_after_connection_close() {
    let server = server();
    let mut client = server.connect();
    let last = "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    client.send([&get("/1"), last, &get("/3")].concat());
    assert!(!client.response().says_close());
    assert!(client.response().says_close());
    client.assert_end();
}

/// The default of `Limits::discard`.
const DISCARD: usize = 256 << 10;

#[test]
fn an_unread_body_is_discarded_up_to_the_limit() {
    let server = server();
    for request in [
        post("/unread", &"x".repeat(DISCARD)),
        post_chunked("/unread", &"x".repeat(DISCARD - 1)),
    ] {
        let mut client = server.connect();
        client.send(request).send(get("/next"));
        let response = client.response();
        assert_eq!(response.text(), "/unread");
        assert!(!response.says_close());
        assert_eq!(client.response().text(), "/next");
    }
}

#[test]
fn beyond_the_limit_the_response_arrives_and_the_connection_ends() {
    let server = server();
    for (request, tells) in [
        (post("/unread", &"x".repeat(DISCARD + 1)), true),
        (post("/unread", &"x".repeat(900_000)), true),
        (post_chunked("/unread", &"x".repeat(900_000)), false),
    ] {
        let mut client = server.connect();
        client.send(request).send(get("/next"));
        let response = client.response();
        assert_eq!((response.text(), response.says_close()), ("/unread", tells));
        client.assert_end();
    }
}

#[test]
fn a_malformed_body_that_no_handler_reads_ends_the_connection() {
    let server = server();
    let mut client = server.connect();
    let bad = "POST /unread HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n";
    client.send([bad, &get("/next")].concat());
    assert_eq!(client.response().text(), "/unread");
    client.assert_end();
}

#[test]
fn a_handler_reads_no_byte_beyond_the_body() {
    use std::io::BufRead;
    let server = serve(|h, x| {
        let mut body = x.rfile.fill_buf()?.to_vec();
        let greedy = body.len() + 1_000;
        x.rfile.consume(greedy);
        assert_eq!(x.rfile.fill_buf()?, b"");
        assert_eq!(x.rfile.remaining(), Some(0));
        body.extend_from_slice(x.path.as_bytes());
        h.send_content(x, Status::OK, "text/plain", &body)
    });
    let mut client = server.connect();
    client.send([post("/1", "abc"), post_chunked("/2", "def"), get("/3")].concat());
    let answers: Vec<_> = (0..3).map(|_| client.response().body).collect();
    assert_eq!(answers, [&b"abc/1"[..], b"def/2", b"/3"]);
}

#[test]
fn each_way_to_read_a_body_leaves_the_next_request_intact() {
    let body: String = (0..200_000)
        .map(|n| char::from(b'a' + (n % 26) as u8))
        .collect();
    let expected = body.clone();
    let server = serve(move |h, x| {
        let mut read = Vec::new();
        match x.path {
            "/end" => drop(x.rfile.read_to_end(&mut read)?),
            "/bytes" => {
                let mut one = [0];
                while x.rfile.read(&mut one)? > 0 {
                    read.push(one[0]);
                }
            }
            "/mixed" => {
                let (mut small, mut large) = ([0; 100], [0; 9_000]);
                loop {
                    let count = x.rfile.read(&mut small)?;
                    read.extend_from_slice(&small[..count]);
                    let more = x.rfile.read(&mut large)?;
                    read.extend_from_slice(&large[..more]);
                    if count + more == 0 {
                        break;
                    }
                }
            }
            "/some" => {
                read = vec![0; 1_000];
                x.rfile.read_exact(&mut read)?;
                read.extend_from_slice(&expected.as_bytes()[1_000..]);
            }
            _ => {
                let count = x.rfile.discard()?;
                assert_eq!(count, 200_000);
                read.extend_from_slice(expected.as_bytes());
            }
        }
        assert!(read == expected.as_bytes());
        text(h, x, x.path)
    });
    let chunks: String = body
        .as_bytes()
        .chunks(777)
        .fold(String::new(), |all, chunk| {
            format!(
                "{all}{:x}\r\n{}\r\n",
                chunk.len(),
                str::from_utf8(chunk).unwrap()
            )
        });
    let mut client = server.connect();
    for path in ["/end", "/bytes", "/mixed", "/some", "/discard"] {
        client.send(post(path, &body));
        assert_eq!(client.response().text(), path);
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        ));
        assert_eq!(client.response().text(), path);
    }
}
