//! What a fixture remembers of requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::client;
use crate::support::{Ask, PATIENCE, message, serve, until};
use servette::testing::{TestServer, gate, get, post, status};
use servette::{Status, handler_fn};

fn send(server: &TestServer, requests: impl AsRef<[u8]>) -> String {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client.write_all(requests.as_ref()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = String::new();
    client.read_to_string(&mut answers).unwrap();
    answers
}

#[test]
fn every_part_of_a_request_is_kept_as_it_came() {
    let server = TestServer::start(status(200));
    let one = "POST /a%20b?x=1&y=%26+2 HTTP/1.1\r\nhOSt: h\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 5\r\n\r\nhello";
    let two = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;e=f\r\nabc\r\n0\r\nT: t\r\n\r\n";
    send(&server, format!("{one}{two}"));
    send(&server, "GET /last HTTP/1.0\r\n\r\n");

    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let first = &requests[0];
    assert_eq!(first.requestline, "POST /a%20b?x=1&y=%26+2 HTTP/1.1");
    assert_eq!((&*first.command, &*first.path), ("POST", "/a%20b"));
    assert_eq!(
        (first.decoded_path(), first.query.as_deref()),
        ("/a b".into(), Some("x=1&y=%26+2"))
    );
    assert_eq!(first.query_value("y").as_deref(), Some("& 2"));
    assert_eq!(first.version, "HTTP/1.1");
    let names: Vec<&str> = first.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["hOSt", "X-One", "x-one", "Content-Length"]);
    assert_eq!(first.header_values("X-ONE").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(first.text(), "hello");
    assert!(first.client_address.unwrap().ip().is_loopback());
    assert_eq!(requests[1].body, b"abc");
    assert_eq!(requests[1].query, None);
    assert_eq!(
        [
            first.connection,
            requests[1].connection,
            requests[2].connection
        ],
        [1, 1, 2]
    );
    assert!(first.at <= requests[1].at && requests[1].at <= requests[2].at);
    assert!(
        requests
            .iter()
            .all(|request| request.is_complete && !request.is_truncated)
    );
    let raw = |index: usize| String::from_utf8_lossy(&requests[index].bytes).into_owned();
    assert_eq!((raw(0), raw(1)), (one.to_owned(), two.to_owned()));
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_body_that_no_handler_reads_is_recorded_as_far_as_the_server_reads_it() {
    let server = TestServer::start(handler_fn(|h, x| h.send_error(x, Status::NOT_FOUND)));
    send(
        &server,
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    );
    assert_eq!(server.wait_for(1, PATIENCE)[0].text(), "hello");
}

/// The exchange is over before the body arrives. The response waits for it, and so does `wait_for`.
#[test]
fn a_body_that_arrives_after_the_handler_has_returned_is_recorded() {
    for (length, body) in [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let server = TestServer::start(handler_fn(|h, x| h.send_error(x, Status::NOT_FOUND)));
        let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{length}\r\n\r\n");
        let mut client = server.connect();
        client.send(&head);
        until("the handler has returned", || !server.log().is_empty());
        client.send(body);
        assert_eq!(client.response().status, 404);
        let requests = server.requests();
        assert_eq!(requests[0].text(), "hello");
        assert_eq!(requests[0].bytes, format!("{head}{body}").as_bytes());
        assert!(requests[0].is_complete);
        // The next request of the connection is another record.
        client.get("/next").response();
        let requests = server.wait_for(2, PATIENCE);
        assert_eq!(
            (&*requests[1].path, requests[1].text()),
            ("/next", String::new())
        );
    }
}

#[test]
fn a_request_is_complete_when_its_client_leaves_or_its_response_waits_no_longer() {
    let server = TestServer::start(handler_fn(|h, x| h.send_error(x, Status::NOT_FOUND)));
    let half = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe";
    let mut client = server.connect();
    client.send(half);
    until("the handler has returned", || !server.log().is_empty());
    drop(client);
    assert_eq!(server.wait_for(1, PATIENCE)[0].text(), "he");
    // The response is sent when the body takes too long.
    let mut client = server.connect();
    client.send(half);
    assert_eq!(client.response().status, 404);
    client.send("llo");
    client.get("/next").response();
    let requests = server.wait_for(3, PATIENCE);
    assert_eq!(requests[1].text(), "hello");
}

#[test]
fn a_request_is_there_when_its_body_is_even_before_it_is_answered() {
    let server = TestServer::start(status(200).at_head(0, gate("answer")));
    let fields = [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ];
    for (index, rest) in fields.into_iter().enumerate() {
        let mut client = TcpStream::connect(server.addr()).unwrap();
        let request = format!("POST / HTTP/1.1\r\nHost: h\r\n{rest}");
        client.write_all(request.as_bytes()).unwrap();
        let requests = server.wait_for(index + 1, PATIENCE);
        assert_eq!(requests[index].text(), "hello");
        assert_eq!(requests[index].bytes, request.as_bytes());
        assert!(requests[index].is_complete);
        server.gate("answer").wait_for_arrivals(index + 1, PATIENCE);
        server.gate("answer").let_one_through();
        assert!(client.read(&mut [0; 100]).unwrap() > 0);
    }
}

#[test]
fn a_body_is_recorded_whole_however_it_is_read() {
    let server = TestServer::start(handler_fn(|h, x| {
        let mut body = Vec::new();
        match x.path {
            "/all" => x.rfile.read_to_end(&mut body).map(drop)?,
            "/large" => while x.rfile.read(&mut [0; 50_000])? > 0 {},
            _ => while x.rfile.read(&mut [0; 7])? > 0 {},
        }
        h.send_content(x, Status::OK, "text/plain", b"")
    }));
    let body: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let chunked = format!("{:x}\r\n", body.len());
    let chunked = [chunked.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    for (index, path) in ["/all", "/large", "/small"].into_iter().enumerate() {
        let length = format!("Content-Length: {}", body.len());
        for (fields, body) in [(&*length, &body), ("Transfer-Encoding: chunked", &chunked)] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
            send(&server, [head.as_bytes(), body].concat());
        }
        let requests = server.wait_for(2 * index + 2, PATIENCE);
        let recorded = requests.iter().skip(2 * index);
        assert!(
            recorded
                .map(|request| &request.body)
                .all(|own| *own == body),
            "{path}"
        );
    }
}

#[test]
fn what_the_server_refuses_is_recorded_with_the_reason() {
    let server = TestServer::start(status(200));
    assert!(send(&server, "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let requests = server.wait_for(1, PATIENCE);
    assert_eq!(requests[0].refusal.as_deref(), Some("400 Bad header name"));
    assert_eq!(requests[0].requestline, "GET / HTTP/1.1");
    let text = message(|| server.assert_received(&get("/")));
    assert!(text.contains("rejected with 400 Bad header name"), "{text}");
}

#[test]
fn of_what_is_refused_unfinished_all_that_came_is_recorded() {
    let hello = |end: &str| [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", end.as_bytes()].concat();
    let fields = "A: b\r\n".repeat(300);
    let sent = [
        hello(""),
        hello("\r\n"),
        hello("\r\n\r\n"),
        format!("GET /x HTTP/1.1\r\n{fields}\r\n").into_bytes(),
        b"total nonsense\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    let server = TestServer::start(status(200));
    for (index, sent) in sent.iter().enumerate() {
        send(&server, sent);
        let request = &server.wait_for(index + 1, PATIENCE)[index];
        assert_eq!(
            request.bytes.escape_ascii().to_string(),
            sent.escape_ascii().to_string()
        );
        assert!(request.refusal.is_some() && !request.is_truncated);
    }
    let text = message(|| server.assert_received(&get("/")));
    assert!(text.contains(r#"bytes "\x16\x03\x01"#), "{text}");

    let server = TestServer::builder()
        .max_recorded(10, 10)
        .start(status(200));
    let mut client = TcpStream::connect(server.addr()).unwrap();
    // It may be refused before all of it was sent.
    let _ = client.write_all(format!("GET /{}", "x".repeat(100_000)).as_bytes());
    let request = &server.wait_for(1, PATIENCE)[0];
    assert!(request.refusal.as_deref().unwrap().starts_with("414 "));
    let raw = request.bytes.len();
    assert!(
        request.bytes.starts_with(b"GET /xxx") && (1 << 16..=10 + (64 << 10)).contains(&raw),
        "{raw}"
    );
}

#[test]
fn a_message_counts_the_connections_that_brought_no_request() {
    let server = TestServer::builder()
        .reset_connections(1)
        .start(status(200));
    let vain = || message(|| drop(server.wait_for(9, Duration::ZERO)));
    let says = |text: &str| {
        let start = std::time::Instant::now();
        while !vain().contains(text) {
            assert!(start.elapsed() < PATIENCE, "{}", vain());
            std::thread::yield_now();
        }
    };
    // This one is reset, and does not count.
    let _ = TcpStream::connect(server.addr()).and_then(|mut client| client.read(&mut [0]));
    assert!(!vain().contains("brought"));
    let _bare = TcpStream::connect(server.addr()).unwrap();
    says("\n1 connection sent no complete request.");
    let mut half = TcpStream::connect(server.addr()).unwrap();
    half.write_all(b"GET / HT").unwrap();
    says("\n2 connections sent no complete request.");
    half.write_all(b"TP/1.0\r\n\r\n").unwrap();
    half.read_to_end(&mut Vec::new()).unwrap();
    says("\n1 connection sent no complete request.");
}

#[test]
fn a_test_can_wait_for_requests_and_take_them() {
    let server = TestServer::start(status(200));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait_for(3, PATIENCE));
        for _ in 0..3 {
            send(&server, "GET / HTTP/1.0\r\n\r\n");
        }
        assert_eq!(waiting.join().unwrap().len(), 3);
    });
    assert_eq!(server.take().len(), 3);
    let text = message(|| drop(server.wait_for(1, Duration::from_millis(1))));
    assert!(
        text.contains("expected 1 request within 1ms, got 0"),
        "{text}"
    );
    assert!(server.requests().is_empty());
    send(&server, "GET /again HTTP/1.0\r\n\r\n");
    assert_eq!(server.wait_for(1, PATIENCE)[0].path, "/again");
}

#[test]
fn a_wait_in_vain_says_what_did_arrive() {
    let server = TestServer::start(status(200));
    let none = message(|| server.wait_for(1, Duration::from_millis(1)));
    assert!(
        none.contains("expected 1 request within 1ms, got 0\nNo request has arrived"),
        "{none}"
    );

    let server = TestServer::start(status(200));
    send(
        &server,
        "POST /x HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 3\r\n\r\n\x01ab",
    );
    let text = message(|| server.wait_for(2, Duration::from_millis(1)));
    let shown = "1. POST /x HTTP/1.1  (connection 1)\n    Host: h\n    X: y\n    Content-Length: 3\n    body, 3 bytes:\n      \\u{1}ab";
    assert!(text.contains(shown), "{text}");
}

#[test]
fn an_assertion_explains_the_nearest_miss() {
    let server = TestServer::start(status(200));
    send(&server, "GET /data HTTP/1.0\r\n\r\n");
    send(&server, "POST /data HTTP/1.0\r\nX-Key: abd\r\n\r\n");
    server.assert_received(&post("/data").has_header("x-key"));
    server.assert_count(&get("/data"), 1);
    let text = message(|| server.assert_received(&post("/data").header("X-Key", "abc")));
    assert!(
        text.contains("expected a request like `POST /data with header X-Key: abc`, got 0\n"),
        "{text}"
    );
    assert!(text.contains("nearest miss: request 2, `POST /data HTTP/1.0`: the header X-Key is \"abd\", not \"abc\""), "{text}");

    let server = TestServer::start(status(200));
    send(&server, "GET /date HTTP/1.0\r\n\r\n");
    let text = message(|| server.assert_count(&get("/data"), 2));
    assert!(
        text.contains("expected exactly 2 requests like `GET /data`, got 0\n"),
        "{text}"
    );
    assert!(text.contains("the path is /date, not /data"), "{text}");
}

#[test]
fn a_count_says_which_requests_match_and_what_nearly_does_where_they_are_too_few() {
    let server = TestServer::start(status(200));
    for path in ["/users/1", "/users/2", "/users/1"] {
        send(&server, format!("GET {path} HTTP/1.0\r\n\r\n"));
    }
    let users = get("/users/1");
    let found = "like `GET /users/1`, got 2
  matches: request 1, `GET /users/1 HTTP/1.0`
  matches: request 3, `GET /users/1 HTTP/1.0`
";
    let many = message(|| server.assert_count(&users, 0));
    assert!(
        many.contains(&format!("expected no request {found}These 3 requests")),
        "{many}"
    );
    let few = message(|| server.assert_count(&users, 3));
    let miss = "  nearest miss: request 2, `GET /users/2 HTTP/1.0`: the path is";
    let expected = format!("expected exactly 3 requests {found}{miss}");
    assert!(few.contains(&expected), "{few}");
}

#[test]
fn the_nearest_miss_has_what_is_asked_for_if_with_another_value() {
    let server = TestServer::start(status(200));
    for target in ["/a", "/a?x=1", "/a?y=2"] {
        send(&server, format!("GET {target} HTTP/1.0\r\n\r\n"));
    }
    let text = message(|| server.assert_received(&get("/a?x=2")));
    assert!(
        text.contains("nearest miss: request 2, `GET /a?x=1 HTTP/1.0`: the query has x=1, not x=2"),
        "{text}"
    );
}

#[test]
fn a_detached_stream_is_its_owners_affair() {
    let (give, take) = std::sync::mpsc::channel();
    let server = TestServer::start(handler_fn(move |_, x| {
        give.send(x.detach()?).map_err(servette::Error::other)
    }));
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    client.write_all(request).unwrap();
    let mut stream = take.recv_timeout(PATIENCE).unwrap();
    client.write_all(b"ping").unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    assert_eq!(server.wait_for(1, PATIENCE)[0].bytes, request);
    drop(server);
    stream.write_all(b"pong").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
}

#[test]
fn a_message_says_how_many_lines_of_the_log_it_leaves_out() {
    let log = |lines: usize| {
        let server = TestServer::start(handler_fn(move |h, x| {
            (0..lines).for_each(|line| h.log_message(x, format_args!("line {line}")));
            panic!("on purpose")
        }));
        send(&server, "GET / HTTP/1.0\r\n\r\n");
        let text = message(|| drop(server));
        let log = text.split_once("The handler's log:\n").unwrap().1;
        log.lines().next().unwrap().trim().to_owned()
    };
    // The panic is answered with 500, which is three more lines.
    assert!(log(17).ends_with("line 0"), "{}", log(17));
    assert_eq!(log(18), "(1 earlier lines)");
    assert_eq!(log(300), "(283 earlier lines, 103 of them dropped)");
}

#[test]
fn a_recorded_request_has_the_target_that_its_handler_had() {
    let server = serve(|_, x| {
        let target = x.target()?;
        let shown = format!(
            "{:?} {:?} {:?}",
            target.segments(),
            target.query_value("q"),
            target.query()
        );
        x.send_content(Status::OK, "text/plain", shown)
    });
    for path in ["/a/b%20c?q=1+2&x", "/", "/a/?", "/%2f/..?q", "/x#y?q=z"] {
        let shown = server.answer(client::get(path)).text().to_owned();
        let requests = server.take();
        let target = requests[0].target().unwrap();
        let recorded = format!(
            "{:?} {:?} {:?}",
            target.segments(),
            target.query_value("q"),
            target.query()
        );
        assert_eq!(recorded, shown, "{path}");
    }
    assert_eq!(server.answer(client::get("/%ff")).status, 400);
    assert_eq!(server.take()[0].target().unwrap_err().status().code(), 400);
}
