//! What stubs and assertions see of bodies, and what they leave of them to others.

use std::io::Read;
use std::sync::{Arc, Mutex};

use crate::support::{PATIENCE, message};
use servette::testing::{Stub, Stubs, TestServer, get, post, respond, status};
use servette::{Exchange, RequestHandler, Result, Status};

/// What a stub sees where nothing is said about it.
const SEEN: usize = 16 << 20;

fn echo(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    let mut body = Vec::new();
    x.rfile.read_to_end(&mut body)?;
    h.send_content(x, Status::OK, "text/plain", &body)
}

fn sent(body: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn put(server: &TestServer, path: &str, body: &[u8]) -> u16 {
    let request = ureq::put(server.url(path)).config();
    let request = request.http_status_as_error(false).build();
    request.send(body).unwrap().status().as_u16()
}

#[test]
fn a_closure_reads_all_of_a_body_that_patterns_have_looked_at() {
    let stubs = || {
        let looks = post("/").body_contains("zz").answer(status(400));
        Stubs::new().on(looks).on(get("/").answer(status(204)))
    };
    let other = stubs().on(post("/").answer_with(echo));
    let own = stubs().on(post("/").body_contains("a").answer_with(echo));
    let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    for stubs in [other, own] {
        for request in [&*sent("abc"), chunked] {
            let next = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
            let answer = respond(&stubs, format!("{request}{next}")).bytes;
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.contains("\r\n\r\nabcHTTP/1.1 204 "), "{answer}");
        }
    }
}

#[test]
fn a_body_that_is_read_twice_is_recorded_once_and_left_half_read_if_one_likes() {
    // More than the server would read off a client.
    const LENGTH: usize = 500_000;
    let server = TestServer::start(
        Stubs::new()
            .on(post("/").body_contains("zz").answer(status(400)))
            .on(post("/").answer_with(|h, x| {
                assert_eq!(x.rfile.remaining(), Some(LENGTH as u64));
                x.rfile.read_exact(&mut [0; 4])?;
                h.send_content(x, Status::OK, "text/plain", b"")
            })),
    );
    let agent = ureq::agent();
    let body = "x".repeat(LENGTH);
    agent.post(server.url("/")).send(&body).unwrap();
    let chunked = ureq::SendBody::from_owned_reader(std::io::Cursor::new(body.clone()));
    agent.post(server.url("/")).send(chunked).unwrap();
    agent.post(server.url("/")).send(&body).unwrap();
    let requests = server.wait_for(3, PATIENCE);
    assert_eq!(requests[1].header("Transfer-Encoding"), Some("chunked"));
    for request in &requests {
        assert!(request.text() == body && request.is_complete);
        assert_eq!(request.connection, 1);
    }
    assert!(requests[0].bytes.ends_with(body.as_bytes()));
}

#[test]
fn a_pattern_sees_the_first_16_mib_of_a_body_and_a_closure_all() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = seen.clone();
    let stubs = Stubs::new()
        .on(post("/").body_contains("end").answer(status(400)))
        .on(post("/").body("x".repeat(SEEN)).answer(status(200)))
        .on(post("/")
            .predicate("short", move |request| {
                let (length, is_truncated) = (request.body.len(), request.is_truncated);
                note.lock().unwrap().push((length, is_truncated));
                false
            })
            .answer(status(400)))
        .on(post("/").answer_with(|h, x| {
            let mut body = Vec::new();
            x.rfile.read_to_end(&mut body)?;
            assert!(body.ends_with(b"xend"));
            let length = body.len().to_string();
            h.send_content(x, Status::ACCEPTED, "text/plain", length.as_bytes())
        }));
    let answered = respond(&stubs, sent(&("x".repeat(SEEN) + "end")));
    let answer = answered.response();
    assert_eq!(
        (answer.status, answer.text()),
        (202, (SEEN + 3).to_string())
    );
    assert_eq!(*seen.lock().unwrap(), [(SEEN, true)]);
    let whole = respond(&stubs, sent(&"x".repeat(SEEN)));
    assert_eq!(whole.response().status, 200);
}

#[test]
fn a_pattern_sees_as_much_of_a_body_as_the_fixture_keeps() {
    let body = "x".repeat(SEEN) + "end";
    let stubs = || {
        Stubs::new().on(servette::testing::put("/")
            .body_contains("end")
            .answer(status(200)))
    };
    let keeps = TestServer::builder()
        .max_recorded(10, SEEN + 3)
        .start(stubs());
    assert_eq!(put(&keeps, "/", body.as_bytes()), 200);
    let stubs = stubs().strict();
    let server = TestServer::start(stubs.clone());
    assert_eq!(put(&server, "/", body.as_bytes()), 404);
    let text = message(|| server.verify());
    let why = "only the first 16777216 bytes of the body are recorded (see `TestServerBuilder::max_recorded`); \
               the rest may contain \"end\"\n";
    assert!(text.contains(why), "{text}");
}

#[test]
fn an_assertion_says_where_a_body_was_not_kept() {
    let server = TestServer::builder().max_recorded(10, 2).start(status(200));
    put(&server, "/", b"hello");
    let like = || servette::testing::put("/");
    let kept =
        "only the first 2 bytes of the body are recorded (see `TestServerBuilder::max_recorded`)";
    for (pattern, why) in [
        (
            like().body("hello"),
            format!("{kept}: \"he\"; expected \"hello\""),
        ),
        (
            like().body("he"),
            format!("{kept}: \"he\"; expected \"he\""),
        ),
        (
            like().body_contains("lo"),
            format!("{kept}; the rest may contain \"lo\"\n"),
        ),
        (
            like().predicate("long", |r| r.body.len() > 3),
            "it is not long; only the first 2 bytes of the body are recorded".to_owned(),
        ),
    ] {
        let text = message(|| server.assert_received(&pattern));
        assert!(text.contains(&why), "{text}");
        let shown = "    body, 2 bytes, and more that are not shown:\n      he\n";
        assert!((text + "\n").contains(shown));
    }
    server.assert_received(&like().body_contains("he"));
}

#[test]
fn what_no_stub_matches_is_compared_and_remembered_with_its_body() {
    let stubs = Stubs::new()
        .on(post("/y").body("abc").answer(status(200)))
        .strict();
    respond(&stubs, sent("abc"));
    assert_eq!(stubs.unmatched()[0].text(), "abc");
    let text = message(|| stubs.verify());
    assert!(
        text.contains("`POST /y with body \"abc\"`: the path is /, not /y\n"),
        "{text}"
    );

    respond(&stubs, sent(&"x".repeat(100_000)));
    let long = &stubs.unmatched()[1];
    assert_eq!((long.body.len(), long.is_truncated), (64 << 10, true));
}

#[test]
fn what_no_stub_matches_is_noticed_though_its_body_is_cut_off() {
    let stubs = Stubs::new().on(post("/y").answer(status(200))).strict();
    let request = "POST /wrong HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
    assert_eq!(respond(&stubs, request).response().status, 400);
    let text = message(|| stubs.verify());
    assert!(text.contains("no stub matched this request"), "{text}");
    assert!(
        text.contains("`POST /y`: the path is /wrong, not /y\n"),
        "{text}"
    );
}

#[test]
fn a_stub_for_early_answers_can_not_ask_for_a_body() {
    let refusal = |stub: fn() -> Stub| message(|| Stubs::new().on(stub()));
    let text = refusal(|| post("/").body("a").answer(status(413)).early());
    let expected = "stub `POST / with body \"a\"`: it answers early, before the body is read, so no \
                    request matches `body \"a\"`";
    assert_eq!(text, expected);
    let text = refusal(|| post("/").body_contains("a").answer(status(413)).early());
    assert!(
        text.ends_with("no request matches `body that contains \"a\"`"),
        "{text}"
    );
    let head = post("/").predicate("long", |r| r.header("Content-Length") == Some("3"));
    let stubs = Stubs::new().on(head.answer(status(413)).early());
    assert_eq!(respond(&stubs, sent("abc")).response().status, 413);
}
