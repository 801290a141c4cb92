//! Which stub answers which request, and what stubs say when it is not as expected.

use crate::support::message;
use servette::testing::{
    Stub, Stubs, TestServer, any, close, delete, exact, get, glob, head, method, post, prefix, put,
    respond, status,
};

/// The status and the body of the answer.
fn ask(stubs: &Stubs, request: &str) -> (u16, String) {
    let text = String::from_utf8(respond(stubs, request)).unwrap();
    let code = text
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (code, body.unwrap_or_default())
}

fn code(stubs: &Stubs, request: &str) -> u16 {
    ask(stubs, &format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n")).0
}

#[test]
fn paths_are_exact_prefixes_or_patterns() {
    let stubs = Stubs::new()
        .on(get("/exact").answer(status(201)))
        .on(get(exact("/a*")).answer(status(202)))
        .on(get(prefix("/under/")).answer(status(203)))
        .on(get("/users/*/posts").answer(status(206)))
        .on(get(glob("/v[12]/{a,b}")).answer(status(207)))
        .on(get("/with space").answer(status(208)))
        .on(get("/q?a=1&b=x y").answer(status(226)));
    for (target, expected) in [
        ("/exact", 201),
        ("/exact?q", 201),
        ("/exact/", 404),
        ("/a*", 202),
        ("/ab", 404),
        ("/under/x/y", 203),
        ("/under", 404),
        ("/users/7/posts", 206),
        ("/users/7/8/posts", 404),
        ("/v2/b", 207),
        ("/v3/b", 404),
        ("/with%20space", 208),
        ("/q?b=x+y&c&a=1", 226),
        ("/q?a=1", 404),
        ("/q?a=1&b=z", 404),
    ] {
        assert_eq!(code(&stubs, &format!("GET {target}")), expected, "{target}");
    }
}

#[test]
fn methods_and_conditions_all_have_to_hold() {
    let stubs = Stubs::new()
        .on(head("/").answer(status(201)))
        .on(put("/").answer(status(202)))
        .on(delete("/").answer(status(203)))
        .on(method("SPAM", "/").answer(status(206)))
        .on(any("/any").no_header("X-No").answer(status(207)))
        .on(post("/")
            .header("x-key", "v")
            .body("exact")
            .answer(status(208)))
        .on(post("/")
            .has_header("X-Key")
            .body_contains("part")
            .answer(status(226)))
        .on(post("/")
            .that("a body of ten bytes", |r| r.body.len() == 10)
            .answer(status(218)));
    for (request, expected) in [
        ("HEAD /", 201),
        ("PUT /", 202),
        ("DELETE /", 203),
        ("SPAM /", 206),
        ("EGGS /any", 207),
    ] {
        assert_eq!(code(&stubs, request), expected, "{request}");
    }
    let send = |fields: &str, body: &str| {
        let length = body.len();
        let head =
            format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n");
        ask(&stubs, &(head + body)).0
    };
    assert_eq!(send("X-KEY: v\r\n", "exact"), 208);
    assert_eq!(send("X-Key: w\r\n", "exact"), 404);
    assert_eq!(send("X-Key: w\r\n", "a part of it"), 226);
    assert_eq!(send("", "a part of it"), 404);
    assert_eq!(send("", "ten  bytes"), 218);
    assert_eq!(
        ask(&stubs, "GET /any HTTP/1.1\r\nHost: h\r\nX-No: 1\r\n\r\n").0,
        404
    );
}

#[test]
fn answers_come_in_their_order_and_the_last_one_stays() {
    let stubs = Stubs::new()
        .on(get("/a").answer(status(503)).times(2).then(status(200)))
        .on(get("/b").answer(status(201)).then(status(202)).times(2))
        .on(get("/b").answer(status(203)));
    let codes = |request, count| {
        (0..count)
            .map(|_| code(&stubs, request))
            .collect::<Vec<_>>()
    };
    assert_eq!(codes("GET /a", 5), [503, 503, 200, 200, 200]);
    assert_eq!(codes("GET /b", 5), [201, 202, 202, 203, 203]);
    let clone = stubs.clone();
    clone.add(get("/late").answer(status(205)));
    assert_eq!(code(&stubs, "GET /late"), 205, "clones share their stubs");
}

#[test]
fn an_unmatched_request_is_told_what_there_is() {
    let stubs = Stubs::new()
        .on(get("/data").answer(status(200)).times(1))
        .on(get("/other").answer(status(200)));
    code(&stubs, "GET /data");
    let (code, text) = ask(&stubs, "GET /date HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(code, 404);
    assert_eq!(
        text,
        "No stub matches `GET /date HTTP/1.1`.\nThere are:\n  GET /data (used up)\n  GET /other\n"
    );
    let (code, text) = ask(&Stubs::new(), "SPAM / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        (code, &*text),
        (
            501,
            "No stub matches `SPAM / HTTP/1.1`.\nThere are no stubs.\n"
        )
    );
    assert_eq!(stubs.unmatched().len(), 1);
    assert_eq!(stubs.unmatched()[0].path, "/date");
    stubs.verify();
    let text = message(|| stubs.strict().verify());
    assert!(
        text.contains("no stub matched this request:\n  `GET /date HTTP/1.1`"),
        "{text}"
    );
    assert!(
        text.contains("(nearest stub `GET /data`: the path is /date, not /data)"),
        "{text}"
    );
}

#[test]
fn what_was_nearest_is_said_as_it_was_when_the_request_came() {
    let stubs = Stubs::new().strict();
    stubs.add(get("/a").answer(status(200)).times(1));
    for request in ["GET /a", "GET /a", "GET /b"] {
        code(&stubs, request);
    }
    stubs.add(get("/b").answer(status(200)).times(1));
    code(&stubs, "GET /b");
    let text = message(|| stubs.verify());
    for part in [
        "`GET /a HTTP/1.1` (nearest stub `GET /a`: it is used up after 1 request)",
        "`GET /b HTTP/1.1` (nearest stub `GET /a`: the path is /b, not /a)",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn of_many_requests_that_no_stub_matched_ten_are_shown() {
    let stubs = Stubs::new().strict();
    let ask = |count| {
        for _ in 0..count {
            code(&stubs, "GET /");
        }
    };
    ask(10);
    let text = message(|| stubs.verify());
    assert!(!text.contains("more"), "{text}");
    ask(103);
    let text = message(|| stubs.verify());
    assert!(
        text.starts_with("no stub matched these 113 requests:\n"),
        "{text}"
    );
    assert!(text.contains("\n  … and 103 more\n"), "{text}");
}

#[test]
fn expectations_are_verified_with_the_nearest_miss() {
    let stubs = Stubs::new()
        .on(get("/once").answer(status(200)).expect(1))
        .on(get("/some").answer(status(200)).expect_at_least(2))
        .on(get("/none").answer(status(200)).expect_none());
    for request in ["GET /once", "GET /some", "GET /some", "GET /some"] {
        code(&stubs, request);
    }
    stubs.verify();
    code(&stubs, "GET /once");
    code(&stubs, "GET /none");
    stubs.add(
        post("/hook")
            .header("X-Sig", "1")
            .answer(status(200))
            .expect(1),
    );
    ask(&stubs, "POST /hook HTTP/1.0\r\nX-Sig: 2\r\n\r\n");
    let text = message(|| stubs.verify());
    for part in [
        "stub `GET /once`: expected exactly 1 request, got 2",
        "stub `GET /none`: expected no request, got 1\n",
        "stub `POST /hook with header X-Sig: 1`: expected exactly 1 request, got 0",
        "`POST /hook HTTP/1.0`: the field X-Sig is \"2\", not \"1\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("/some"), "{text}");
}

#[test]
fn a_server_verifies_its_stubs_when_it_is_dropped() {
    let stubs = || Stubs::new().on(get("/never").answer(status(200)).expect(1));
    let text = message(|| drop(TestServer::start(stubs())));
    assert!(
        text.contains("stub `GET /never`: expected exactly 1 request, got 0"),
        "{text}"
    );
    let inside = stubs();
    let text = message(|| TestServer::builder().verify(&inside).scope(&inside, |_| ()));
    assert!(text.contains("`GET /never`"), "{text}");
    // Not here: it may borrow, so nobody can tell what it is.
    TestServer::scope(&inside, |_| ());
}

#[test]
fn a_server_says_which_requests_were_too_many() {
    let server = TestServer::start(Stubs::new().on(get("/*").answer(status(200)).expect(1)));
    for path in ["/a", "/a/b", "/c"] {
        let _ = ureq::get(server.url(path)).call();
    }
    let text = message(|| drop(server));
    let expected = "stub `GET /*`: expected exactly 1 request, got 2
  matches: request 1, `GET /a HTTP/1.1`
  matches: request 3, `GET /c HTTP/1.1`
These 3 requests";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn what_can_never_be_is_refused_where_it_is_written() {
    let say = |text: String, part: &str| assert!(text.contains(part), "{part:?}\n{text}");
    say(
        message(|| get("data")),
        "no request can match `GET data`: a path starts with a slash",
    );
    say(message(|| get("//data")), "one slash");
    say(
        message(|| method("GET IT", "/")),
        "\"GET IT\" is not a method",
    );
    say(message(|| method("CONNECT", "/")), "host:port");
    say(message(|| get("*")), "only OPTIONS");
    say(message(|| get(exact("/a?b=c"))), "use .query(name, value)");
    for fragment in ["/a#x", "/a*#x", "/a?b=c#x"] {
        say(
            message(|| get(fragment)),
            &format!("no client sends the fragment of {fragment:?}"),
        );
    }
    say(
        message(|| get("/").header("a b", "c")),
        "\"a b\" is not the name of a field",
    );
    say(
        message(|| get("/").header("X-A", "1").no_header("x-a")),
        "no request can match `GET / with header X-A: 1` and `no header x-a`: \
         that excludes `header X-A: 1`",
    );
    say(
        message(|| get("/").no_header("x-a").has_header("X-A")),
        "that excludes `no header x-a`",
    );
    say(
        message(|| get("/").body("a").body("b")),
        "that excludes `body \"a\"`",
    );
    say(
        message(|| get("/").body("a").body_contains("b")),
        "no request can match `GET / with body \"a\"` and `body that contains \"b\"`: \
         that excludes `body \"a\"`",
    );
    say(
        message(|| get("/").body_contains("b").body("a")),
        "that excludes `body that contains \"b\"`",
    );
    for value in ["a\r\nb", "a\0", "\x7f", " a", "a\t"] {
        say(
            message(|| get("/").header("X", value)),
            &format!("no request can match: {value:?} is not the value of a field"),
        );
    }
    let refusal = |stub: Stub| message(|| Stubs::new().on(stub));
    say(
        refusal(get("/").answer(status(200)).times(0)),
        "stub `GET /`: it never answers (`times(0)`)",
    );
    say(
        refusal(get("/").answer(status(200)).times(1).expect(2)),
        "stub `GET /`: it expects 2 requests, but is used up after 1",
    );
    let two = get("/").answer(status(200)).then(status(201)).times(1);
    say(
        refusal(two.clone().expect_at_least(3)),
        "stub `GET /`: it expects 3 requests, but is used up after 2",
    );
    say(
        message(|| get("/[a*")),
        "the pattern \"/[a*\" does not compile: a `[` is not closed",
    );
    say(
        message(|| glob("/{a")),
        "does not compile: a `{` is not closed",
    );
    say(
        message(|| get("/").answer(status(200).body("hello").at(6, close()))),
        "stub `GET /`: a close at byte 6 can't happen: the body has 5 bytes",
    );
    let taken = || Stubs::new().on(any("/a/**").answer(status(200)));
    say(
        message(|| taken().on(get("/a/b").body("x").answer(status(200)))),
        "stub `GET /a/b with body \"x\"` can never match: `any method /a/**` stands before it",
    );
    // These can.
    Stubs::new()
        .on(two.expect(2))
        .on(get("/").answer(status(503)).times(0).then(status(200)));
    let _ = get("/")
        .header("X", "")
        .header("X", "a\tb ä")
        .body("ab")
        .body_contains("b");
    taken().on(get("/a").answer(status(200)));
    Stubs::new()
        .on(any("/").answer(status(200)).times(1))
        .on(any("/").answer(status(200)));
    let _ = (
        method("OPTIONS", "*"),
        any("*"),
        method("CONNECT", "*:443"),
        get("/**"),
        get("/"),
        get("/a%23x"),
        get(exact("/a#x")),
    );
}

#[test]
fn stubs_that_are_given_twice_are_verified_once() {
    let stubs = Stubs::new().on(get("/").answer(status(200)).expect(1));
    let server = TestServer::builder().verify(&stubs).start(stubs.clone());
    let text = message(|| drop(server));
    assert_eq!(
        text.matches("expected exactly 1 request").count(),
        1,
        "{text}"
    );
}
