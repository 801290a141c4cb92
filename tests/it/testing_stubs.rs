//! Which stub answers which request, and what stubs say when it is not as expected.

use std::time::{Duration, Instant};

use crate::support::{Ask, PATIENCE, message};
use servette::testing::{
    Stub, Stubs, TestServer, any, close, delete, exact, get, glob, head, method, options, patch,
    post, prefix, put, respond, status,
};

/// The status and the body of the answer.
fn ask(stubs: &Stubs, request: &str) -> (u16, String) {
    let answered = respond(stubs, request);
    (answered.response().status, answered.response().text())
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
            .predicate("a body of ten bytes", |r| r.body.len() == 10)
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
        text.contains("\n    nearest stub `GET /data`: the path is /date, not /data"),
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
        "`GET /a HTTP/1.1`\n    nearest stub `GET /a`: it is used up after 1 request\n",
        "`GET /b HTTP/1.1`\n    nearest stub `GET /a`: the path is /b, not /a\n",
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
        "`POST /hook HTTP/1.0`: the header X-Sig is \"2\", not \"1\"",
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
    say(message(|| get("//data")), "leading slashes");
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
        "\"a b\" is not a header name",
    );
    say(
        message(|| get("/").header("X-A", "1").no_header("x-a")),
        "no request can match `GET / with header X-A: 1` and `no header x-a`: \
         it contradicts `header X-A: 1`",
    );
    say(
        message(|| get("/").no_header("x-a").has_header("X-A")),
        "it contradicts `no header x-a`",
    );
    say(
        message(|| get("/").body("a").body("b")),
        "it contradicts `body \"a\"`",
    );
    say(
        message(|| get("/").body("a").body_contains("b")),
        "no request can match `GET / with body \"a\"` and `body that contains \"b\"`: \
         it contradicts `body \"a\"`",
    );
    say(
        message(|| get("/").body_contains("b").body("a")),
        "it contradicts `body that contains \"b\"`",
    );
    for value in ["a\r\nb", "a\0", "\x7f", " a", "a\t"] {
        say(
            message(|| get("/").header("X", value)),
            &format!("no request can match: {value:?} is not the value of a header"),
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
        "the pattern \"/[a*\" does not compile: unclosed `[`",
    );
    say(message(|| glob("/{a")), "does not compile: unclosed `{`");
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

#[test]
fn a_pasted_query_is_compared_decoded() {
    let stubs = Stubs::new()
        .on(get("/t?foo=bar%20baz&x=a%26b").answer(status(201)))
        .on(get("/u?foo=bar baz").answer(status(202)))
        .on(get("/v?q=1+2&q=3").answer(status(203)));
    for (target, expected) in [
        ("/t?foo=bar%20baz&x=a%26b", 201),
        ("/t?x=a%26b&foo=bar+baz&more", 201),
        ("/t?foo=bar%2520baz&x=a%26b", 404),
        ("/t?foo=bar%20baz&x=a&b", 404),
        ("/u?foo=bar%20baz", 202),
        ("/v?q=3&q=1%202", 203),
        ("/v?q=3&q=1%2B2", 404),
    ] {
        assert_eq!(code(&stubs, &format!("GET {target}")), expected, "{target}");
    }
    let stubs = Stubs::new()
        .on(get("/t").query("foo", "bar%20baz").answer(status(200)))
        .strict();
    assert_eq!(code(&stubs, "GET /t?foo=bar%20baz"), 404);
    let text = message(|| stubs.verify());
    let why = "the query has foo=bar baz, not foo=bar%20baz (query() takes the decoded value)\n";
    assert!(text.contains(why), "{text}");
}

#[test]
fn a_path_that_looks_like_a_pattern_says_how_it_was_compared() {
    let why = |pattern: &str| {
        let stubs = Stubs::new().on(get(pattern).answer(status(200))).strict();
        code(&stubs, "GET /users/7");
        let text = message(|| stubs.verify());
        let (_, text) = text.split_once("the path is /users/7, not ").unwrap();
        text.lines().next().unwrap().to_owned()
    };
    for (pattern, hint) in [
        (
            "/users/[0-9]",
            " (compared exactly; use glob() for a pattern)",
        ),
        (
            "/users/{id}",
            " (compared exactly; use glob() for a pattern)",
        ),
        ("/users/:id", " (compared exactly; use `*` for any segment)"),
        (
            "/users/*[0-9]+",
            " (a glob, not a regular expression: `.`, `+`, `(` and `$` are literal)",
        ),
        (
            "/users/.*",
            " (a glob, not a regular expression: `.`, `+`, `(` and `$` are literal)",
        ),
        ("/users/8", ""),
        ("/users/8*", ""),
    ] {
        assert_eq!(why(pattern), format!("{pattern}{hint}"));
    }
}

#[test]
fn patch_and_options_are_methods_like_any_other() {
    let stubs = Stubs::new()
        .on(patch("/a").answer(status(201)))
        .on(options("*").answer(status(202)))
        .on(options("/a").answer(status(204)));
    for (request, expected) in [("PATCH /a", 201), ("OPTIONS *", 202), ("OPTIONS /a", 204)] {
        assert_eq!(code(&stubs, request), expected, "{request}");
    }
}

#[test]
fn a_delayed_answer_keeps_the_connection() {
    let delayed = status(200).body("hi").delay(Duration::from_millis(30));
    let server = TestServer::start(Stubs::new().on(get("/").answer(delayed).then(status(204))));
    let agent = ureq::agent();
    let start = Instant::now();
    let mut answer = agent.get(server.url("/")).call().unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(answer.body_mut().read_to_string().unwrap(), "hi");
    agent.get(server.url("/")).call().unwrap();
    assert_eq!(server.connections(), 1);

    // One that has not come yet ends with the server.
    let server = TestServer::start(status(200).delay(Duration::from_secs(3600)));
    let _waits = server.connect();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    server.wait_for(1, PATIENCE);
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn the_reason_of_a_test_stands_in_the_message() {
    let signed = |request: &servette::testing::Request| match request.header("X-Key") {
        Some("1") => Ok(()),
        Some(key) => Err(format!("the key is {key}")),
        None => Err(String::new()),
    };
    let stubs = Stubs::new()
        .on(get("/a").predicate("signed", signed).answer(status(200)))
        .strict();
    let ask = |field: &str| {
        ask(
            &stubs,
            &format!("GET /a HTTP/1.1\r\nHost: h\r\n{field}\r\n"),
        )
        .0
    };
    assert_eq!(ask("X-Key: 1\r\n"), 200);
    assert_eq!((ask("X-Key: 2\r\n"), ask("")), (404, 404));
    let text = message(|| stubs.verify());
    for part in [": it is not signed: the key is 2\n", ": it is not signed\n"] {
        assert!(text.contains(part), "{text}");
    }
}

#[cfg(feature = "json")]
#[test]
fn json_bodies_are_compared_as_json() {
    use serde_json::{Value, json};

    let stubs = Stubs::new()
        .on(post("/whole")
            .json(json!({"a": 1, "b": [true]}))
            .answer(status(201)))
        .on(post("/part")
            .json_contains(json!({"a": 1}))
            .answer(status(202).json(json!({"ok": true}))));
    let send = |path: &str, body: &str| {
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}");
        respond(&stubs, request)
    };
    assert_eq!(
        send("/whole", r#"{ "b" : [true], "a": 1.0 }"#)
            .response()
            .status,
        201
    );
    assert_eq!(send("/whole", r#"{"a":1}"#).response().status, 404);
    let answered = send("/part", r#"{"z":0,"a":1}"#);
    assert_eq!(answered.response().status, 202);
    assert_eq!(
        answered.response().header("Content-Type"),
        Some("application/json")
    );
    assert_eq!(
        answered.response().json::<Value>().unwrap(),
        json!({"ok": true})
    );
    assert_eq!(
        answered.request().json::<Value>().unwrap(),
        json!({"z": 0, "a": 1})
    );
    assert_eq!(send("/part", "no json").response().status, 404);

    let text = message(|| {
        post("/")
            .json(json!({"a": 1}))
            .json_contains(json!({"a": 2}))
    });
    assert!(text.ends_with("it contradicts `JSON {\"a\":1}`"), "{text}");
    let text = message(|| post("/").body("{}").json(json!({"a": 1})));
    assert!(text.ends_with("it contradicts `body \"{}\"`"), "{text}");
    let early = || Stubs::new().on(post("/").json(json!(1)).answer(status(200)).early());
    assert!(message(early).ends_with("so no request matches `JSON 1`"));
    let own_type = status(200).header("content-type", "application/problem+json");
    let answered = respond(&own_type.json(json!({})), "GET / HTTP/1.0\r\n\r\n");
    let types: Vec<_> = answered.response().header_values("Content-Type").collect();
    assert_eq!(types, ["application/problem+json"]);
}

#[test]
fn a_miss_is_told_once() {
    for is_strict in [false, true] {
        let stubs = Stubs::new()
            .on(get("/data")
                .header("X-Key", "abc")
                .answer(status(200))
                .expect(1))
            .on(get("/other").answer(status(200)));
        let stubs = if is_strict { stubs.strict() } else { stubs };
        let server = TestServer::start(stubs);
        let config = ureq::get(server.url("/data"))
            .header("X-Key", "abd")
            .config();
        config.http_status_as_error(false).build().call().unwrap();
        let text = message(|| drop(server));
        assert_eq!(text.matches("the header X-Key is").count(), 1, "{text}");
        assert_eq!(
            text.matches("no stub matched").count(),
            usize::from(is_strict),
            "{text}"
        );
    }
    // What only the stubs can say is a note.
    let server = TestServer::start(
        Stubs::new()
            .on(get("/data").answer(status(200)).expect(1))
            .on(get("/other").answer(status(200))),
    );
    for path in ["/dat", "/othe"] {
        let config = ureq::get(server.url(path)).config();
        config.http_status_as_error(false).build().call().unwrap();
    }
    let text = message(|| drop(server));
    let note = "\nNote: no stub matched these 2 requests:
  `GET /dat HTTP/1.1`
  `GET /othe HTTP/1.1`
    nearest stub `GET /other`: the path is /othe, not /other";
    assert!(text.contains(note), "{text}");
}
