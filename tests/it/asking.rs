//! What a handler asks of a request: forms, cookies, what the client accepts, JSON; and bodies with a limit.

use servette::{Exchange, Result, Status, handler_fn, respond};

/// What a handler answers to a request with these fields and this body.
fn ask(
    handler: impl Fn(&mut Exchange<'_>) -> Result<String>,
    fields: &[&str],
    body: &str,
) -> (u16, String) {
    let handler = handler_fn(|_, x| {
        let text = handler(x)?;
        x.send_content(Status::OK, "text/plain", text)
    });
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let request = format!("POST /t HTTP/1.1\r\nHost: h\r\n{fields}\r\n{body}");
    let answer = String::from_utf8(respond(
        &handler.protocol_version("HTTP/1.1").quiet(),
        request,
    ));
    let answer = answer.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn length(body: &str) -> String {
    format!("Content-Length: {}", body.len())
}

#[test]
fn a_form_is_one_of_its_type_whatever_the_parameters() {
    let value = |x: &mut Exchange<'_>| {
        let form = x.read_form(100)?;
        Ok(format!("{:?} {}", form.value("a"), form.pairs().count()))
    };
    for (media_type, status) in [
        ("application/x-www-form-urlencoded", 200),
        ("Application/X-WWW-form-urlencoded ; charset=UTF-8", 200),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("", 415),
    ] {
        let media_type = format!("Content-Type: {media_type}");
        assert_eq!(
            ask(value, &[&media_type, &length("a=b")], "a=b").0,
            status,
            "{media_type}"
        );
    }
    for (body, expected) in [
        ("a=1+2%2B3", "Some(\"1 2+3\") 1"),
        ("%61=x&a=y", "Some(\"x\") 2"),
        ("&&b=1&a", "Some(\"\") 2"),
        ("A=1", "None 1"),
        ("", "None 0"),
    ] {
        let fields = [
            "Content-Type: application/x-www-form-urlencoded",
            &length(body),
        ];
        assert_eq!(ask(value, &fields, body), (200, expected.into()), "{body}");
    }
    let long = "a=".to_owned() + &"x".repeat(99);
    let fields = [
        "Content-Type: application/x-www-form-urlencoded",
        &length(&long),
    ];
    assert_eq!(ask(value, &fields, &long).0, 413);
}

#[test]
fn a_cookie_is_found_in_every_field_and_without_its_quotes() {
    let shown = |x: &mut Exchange<'_>| {
        Ok(format!(
            "{:?} {:?} {:?}",
            x.cookie("a"),
            x.cookie("b"),
            x.cookie("c")
        ))
    };
    let none = length("");
    for (fields, expected) in [
        (
            &["Cookie: a=1; b=2;c=3"][..],
            "Some(\"1\") Some(\"2\") Some(\"3\")",
        ),
        (
            &["Cookie: a=1", "cookie: b=2"],
            "Some(\"1\") Some(\"2\") None",
        ),
        (
            &["Cookie: a=\"1\"; b=\"; c=\"\""],
            "Some(\"1\") Some(\"\\\"\") Some(\"\")",
        ),
        (
            &["Cookie: a = 1 ;  b\t=2; a=3"],
            "Some(\"1\") Some(\"2\") None",
        ),
        (&["Cookie: A=1; xb=2; c"], "None None None"),
        (&[], "None None None"),
    ] {
        let fields = [fields, &[&*none]].concat();
        assert_eq!(
            ask(shown, &fields, ""),
            (200, expected.into()),
            "{fields:?}"
        );
    }
}

#[test]
fn the_first_of_the_types_that_a_client_likes_best_is_chosen() {
    let offers = ["text/html", "application/json", "text/plain;charset=utf-8"];
    let chosen = |x: &mut Exchange<'_>| Ok(x.accepts(offers).unwrap_or("-").to_owned());
    let none = length("");
    for (accept, expected) in [
        (None, "text/html"),
        (Some("*/*"), "text/html"),
        (Some("application/*, text/*"), "text/html"),
        (Some("text/html;q=0.5, application/json;q=0.5"), "text/html"),
        (
            Some("text/html;q=0.4, application/json;q=0.5"),
            "application/json",
        ),
        // The most specific range counts, though another one is liked better.
        (
            Some("text/*, text/html;q=0.1, application/json;q=0.2"),
            "text/plain;charset=utf-8",
        ),
        (Some("*/*, text/*;q=0"), "application/json"),
        (Some("text/html;q=0, */*;q=0.1"), "application/json"),
        (Some("TEXT/Plain"), "text/plain;charset=utf-8"),
        (Some("image/png"), "-"),
        (Some("*/*;q=0"), "-"),
        (Some(""), "-"),
    ] {
        let field = accept.map(|accept| format!("Accept: {accept}"));
        let fields: Vec<&str> = field.iter().map(|field| &**field).chain([&*none]).collect();
        assert_eq!(
            ask(chosen, &fields, ""),
            (200, expected.into()),
            "{accept:?}"
        );
    }
}

#[test]
fn a_copied_body_is_no_longer_than_its_limit() {
    let copy = |x: &mut Exchange<'_>| {
        let mut to = Vec::new();
        let count = x.rfile.copy_up_to(3, &mut to)?;
        Ok(format!("{count} {}", String::from_utf8(to).unwrap()))
    };
    for (body, expected) in [("", "0 "), ("abc", "3 abc"), ("abcd", "413")] {
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunked = match body {
            "" => "0\r\n\r\n",
            _ => &chunk,
        };
        for (field, sent) in [
            (length(body), body),
            ("Transfer-Encoding: chunked".into(), chunked),
        ] {
            let (status, text) = ask(copy, &[&field], sent);
            match expected {
                "413" => assert_eq!(status, 413, "{field}"),
                _ => assert_eq!((status, &*text), (200, expected), "{field}"),
            }
        }
    }
}

#[test]
#[cfg(feature = "json")]
fn json_of_a_client_is_read_up_to_a_limit() {
    let sum = |x: &mut Exchange<'_>| {
        let numbers: Vec<i64> = x.read_json(10)?;
        Ok(numbers.iter().sum::<i64>().to_string())
    };
    for (body, expected) in [
        ("[1, 2, 3]", (200, Some("6"))),
        ("[1, 2, 34]", (200, Some("37"))),
        ("[1, 2, 345]", (413, None)),
        ("[1, 2", (400, None)),
        ("{}", (400, None)),
        ("[\"1\"]", (400, None)),
    ] {
        let json = "Content-Type: application/json";
        let (status, text) = ask(sum, &[json, &length(body)], body);
        assert_eq!(status, expected.0, "{body}");
        assert!(expected.1.is_none_or(|sum| sum == text), "{body}");
    }
    for (media_type, status) in [
        ("Application/JSON; charset=utf-8", 200),
        ("application/problem+json", 200),
        ("application/json-seq", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("json", 415),
        ("", 415),
    ] {
        let field = format!("Content-Type: {media_type}");
        let answer = ask(sum, &[&field, &length("[1]")], "[1]");
        assert_eq!(answer.0, status, "{media_type}");
    }
    assert_eq!(ask(sum, &[&length("[1]")], "[1]").0, 415);
    let handler = handler_fn(|_, x| x.send_json(Status::CREATED, &["a\""])).quiet();
    let answer = String::from_utf8(respond(&handler, "GET / HTTP/1.0\r\n\r\n")).unwrap();
    assert!(answer.starts_with("HTTP/1.0 201 ") && answer.ends_with("\r\n\r\n[\"a\\\"\"]"));
    assert!(
        answer.contains("\r\nContent-Type: application/json\r\n"),
        "{answer}"
    );
}

#[test]
fn a_redirect_has_a_place_and_no_body() {
    let handler = handler_fn(|_, x| x.send_redirect(Status::FOUND, "/new")).quiet();
    let answer = respond(
        &handler.protocol_version("HTTP/1.1"),
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 302 Found\r\n"), "{answer}");
    assert!(
        answer.ends_with("\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"),
        "{answer}"
    );
}

#[test]
#[cfg(feature = "auth")]
fn both_the_user_and_the_password_are_asked_for() {
    let known = |x: &mut Exchange<'_>| {
        Ok(x.basic_auth()
            .is_some_and(|who| who.is("anna", "secret"))
            .to_string())
    };
    let none = length("");
    for (field, expected) in [
        ("Authorization: Basic YW5uYTpzZWNyZXQ=", "true"),
        ("Authorization: basic YW5uYTpzZWNyZXQ=", "true"),
        // otto:secret, anna:
        ("Authorization: Basic b3R0bzpzZWNyZXQ=", "false"),
        ("Authorization: Basic YW5uYTo=", "false"),
        ("Proxy-Authorization: Basic YW5uYTpzZWNyZXQ=", "false"),
    ] {
        assert_eq!(
            ask(known, &[field, &none], ""),
            (200, expected.into()),
            "{field}"
        );
    }
}
