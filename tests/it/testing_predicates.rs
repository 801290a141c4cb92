//! Tests that a program writes for its patterns: when they are asked, and what they may do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};

use crate::support::{PATIENCE, message};
use servette::testing::{RequestPattern, Stubs, TestServer, get, post, respond, status};

/// A pattern whose test panics where there is no field `X`.
fn careless() -> RequestPattern {
    get("/a").predicate("n", |request| request.header("X").unwrap() == "1")
}

fn ask(server: &TestServer, path: &str) -> u16 {
    let request = ureq::get(server.url(path)).config();
    let request = request.http_status_as_error(false).build();
    request.call().unwrap().status().as_u16()
}

#[test]
fn a_test_that_panics_does_not_while_a_message_is_made() {
    // It is not asked where the path differs.
    let text = message(|| {
        let server = TestServer::start(Stubs::new().on(careless().answer(status(200)).expect(1)));
        assert_eq!(ask(&server, "/b"), 404);
        panic!("first");
    });
    assert_eq!(text, "first");
    // It is asked here, when the server is dropped.
    let text = message(|| {
        let server = TestServer::start(Stubs::new().on(careless().answer(status(200)).expect(1)));
        assert_eq!(ask(&server, "/a"), 500);
        panic!("first");
    });
    assert_eq!(text, "first");
}

#[test]
fn a_test_that_panics_is_named_in_messages() {
    let server = TestServer::start(status(200));
    ask(&server, "/a");
    let why = "nearest miss: request 1, `GET /a HTTP/1.1`: the test `n` panicked: called \
               `Option::unwrap()` on a `None` value";
    for text in [
        message(|| server.assert_received(&careless())),
        message(|| server.assert_count(&careless(), 1)),
    ] {
        assert!(text.contains(why), "{text}");
    }
    server.assert_count(&careless(), 0);
    let url = server.url("/a");
    ureq::get(url).header("X", "1").call().unwrap();
    assert_eq!(server.assert_received(&careless()).header("x"), Some("1"));
}

#[test]
fn a_test_that_panics_while_a_request_is_matched_fails_the_owner() {
    let server = TestServer::start(Stubs::new().on(careless().answer(status(200))));
    assert_eq!(ask(&server, "/a"), 500);
    let text = message(|| drop(server));
    assert!(
        text.contains("a handler panicked while it answered `GET /a HTTP/1.1`"),
        "{text}"
    );
    assert!(
        text.contains("called `Option::unwrap()` on a `None` value"),
        "{text}"
    );
}

#[test]
fn a_test_is_asked_only_where_everything_else_matches() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let test = move |_: &servette::testing::Request| count.fetch_add(1, Ordering::Relaxed) > 100;
    let pattern = post("/a")
        .predicate("one", test)
        .header("X", "1")
        .body_contains("b");
    let stubs = Stubs::new().on(pattern.answer(status(200))).strict();
    for (path, value, body) in [("/b", "1", "b"), ("/a", "2", "b"), ("/a", "1", "a")] {
        let fields = format!("Host: h\r\nX: {value}\r\nContent-Length: 1");
        respond(
            &stubs,
            format!("POST {path} HTTP/1.1\r\n{fields}\r\n\r\n{body}"),
        );
    }
    message(|| stubs.verify());
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    respond(
        &stubs,
        "POST /a HTTP/1.1\r\nHost: h\r\nX: 1\r\nContent-Length: 1\r\n\r\nb",
    );
    assert!(asked.load(Ordering::Relaxed) > 0);
}

/// Runs this elsewhere, and fails if it does not come back.
fn within_patience(run: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        run();
        let _ = done.send(());
    });
    is_done
        .recv_timeout(PATIENCE)
        .expect("it hangs, or has failed");
}

#[test]
fn a_test_may_ask_its_own_stubs() {
    within_patience(|| {
        let stubs = Stubs::new().strict();
        let own = stubs.clone();
        let test = move |_: &servette::testing::Request| !own.unmatched().is_empty();
        stubs.add(
            get("/")
                .predicate("not the first", test)
                .answer(status(200))
                .expect(1),
        );
        for code in [404, 200] {
            let answered = respond(&stubs, "GET / HTTP/1.0\r\n\r\n");
            assert_eq!(answered.response().status, code);
        }
        let text = message(|| stubs.verify());
        let why = "`GET / HTTP/1.0`
    nearest stub `GET / with not the first`: it is not not the first
";
        assert!(text.contains(why), "{text}");
    });
}

#[test]
fn a_stub_answers_as_often_as_it_says_though_requests_match_at_the_same_time() {
    within_patience(|| {
        let both = Barrier::new(2);
        let meets = move |_: &servette::testing::Request| {
            both.wait();
            true
        };
        let stubs = Stubs::new()
            .on(get("/")
                .predicate("one of two", meets)
                .answer(status(200))
                .times(1)
                .expect(1))
            .on(get("/").answer(status(201)).expect(1));
        let server = TestServer::start(stubs);
        let mut codes = std::thread::scope(|scope| {
            let asks = [(); 2].map(|()| scope.spawn(|| ask(&server, "/")));
            asks.map(|asked| asked.join().unwrap())
        });
        codes.sort_unstable();
        assert_eq!(codes, [200, 201]);
    });
}
