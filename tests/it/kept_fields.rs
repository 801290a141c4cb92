//! Fields that are sent before the status line, statuses that come as errors, and what the log says of it all.

use std::fmt;
use std::io::{Read, Write};

use servette::testing::TestServer;
use servette::{Exchange, Layer, RequestHandler, Result, Status, base, handler_fn, respond};

use crate::client::{Client, get};
use crate::support::{Ask, Log, serve};

fn answer<H: RequestHandler + ?Sized>(handler: &H, request: &str) -> String {
    String::from_utf8(respond(handler, request)).unwrap()
}

fn ask<F>(answer_with: F) -> String
where
    F: Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>,
{
    answer(&handler_fn(answer_with).quiet(), "GET / HTTP/1.0\r\n\r\n")
}

#[test]
fn a_field_is_in_each_response() {
    let kept = |x: &mut Exchange<'_>| {
        x.send_header("Retry-After", "3");
        x.send_header("Set-Cookie", "a=1");
        x.send_header("Set-Cookie", "b=2");
    };
    let answers = [
        ask(|_, x| {
            kept(x);
            x.send_error(Status::SERVICE_UNAVAILABLE)
        }),
        ask(|_, x| {
            kept(x);
            Err(Status::SERVICE_UNAVAILABLE.into())
        }),
        ask(|_, x| {
            kept(x);
            x.send_content(Status::SERVICE_UNAVAILABLE, "text/plain", "x")
        }),
        ask(|_, x| {
            kept(x);
            x.send_response(Status::OK);
            x.end_headers()?;
            x.wfile.write_all(b"x")?;
            Err(Status::SERVICE_UNAVAILABLE.into())
        }),
        ask(|_, x| {
            kept(x);
            x.send_response(Status::OK);
            x.send_header("X-Old", "1");
            x.send_error(Status::SERVICE_UNAVAILABLE)
        }),
        ask(|_, x| {
            kept(x);
            x.send_response_only(Status::CONTINUE);
            x.end_headers()?;
            x.send_error(Status::SERVICE_UNAVAILABLE)
        }),
    ];
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.0 503 "), "{answer}");
        for line in ["Retry-After: 3", "Set-Cookie: a=1", "Set-Cookie: b=2"] {
            assert_eq!(answer.matches(line).count(), 1, "{answer}");
        }
        assert!(!answer.contains("X-Old"), "{answer}");
    }
    let panicked = ask(|_, x| {
        kept(x);
        panic!("on purpose")
    });
    assert!(panicked.starts_with("HTTP/1.0 500 ") && panicked.contains("Retry-After: 3"));
}

#[test]
fn vary_fields_add_up() {
    let got = ask(|_, x| {
        x.send_header("Vary", "Origin");
        x.send_header("vary", "Cookie");
        x.send_response(Status::OK);
        x.send_header("Vary", "Accept");
        x.end_headers()
    });
    for value in ["Vary: Accept", "Vary: Origin", "vary: Cookie"] {
        assert_eq!(got.matches(&format!("\r\n{value}\r\n")).count(), 1, "{got}");
    }
}

#[test]
fn the_last_field_of_a_name_wins_and_the_fields_of_the_response_win_over_it() {
    let got = ask(|_, x| {
        x.send_header("X-Menu", "A");
        x.send_header("x-menu", "B");
        x.send_header("Content-type", "text/x-kept");
        x.send_header("Content-Length", "999");
        x.send_header("Server", "kept");
        x.send_header("Connection", "close");
        x.send_content(Status::OK, "text/plain", "body")
    });
    assert_eq!(got.to_lowercase().matches("x-menu").count(), 1, "{got}");
    assert!(got.contains("\r\nx-menu: B\r\n"), "{got}");
    assert_eq!(
        got.to_lowercase().matches("content-type").count(),
        1,
        "{got}"
    );
    assert_eq!(got.matches("Content-Length").count(), 1, "{got}");
    assert_eq!(got.matches("Server").count(), 1, "{got}");
    assert!(
        got.ends_with("\r\n\r\nbody") && !got.contains("kept"),
        "{got}"
    );
    // Without one of its own, the kept one frames the body.
    let got = ask(|_, x| {
        x.send_header("Content-Length", "4");
        x.send_response(Status::OK);
        x.end_headers()?;
        Ok(x.wfile.write_all(b"body")?)
    });
    assert_eq!(got.matches("Content-Length: 4\r\n").count(), 1, "{got}");
}

#[test]
fn nothing_is_kept_for_the_next_request_and_nothing_in_interim_heads() {
    let server = serve(|_, x| {
        if x.path == "/kept" {
            x.send_header("X-Kept", "1");
            x.send_response_only(Status::EARLY_HINTS);
            x.send_header("Link", "</a>");
            x.end_headers()?;
        }
        x.send_content(Status::OK, "text/plain", x.path)
    });
    let mut client = server.connect();
    client.send(get("/kept") + &get("/next"));
    let interim = client.take_through("\r\n\r\n");
    assert!(
        interim.starts_with("HTTP/1.1 103 ") && !interim.contains("X-Kept"),
        "{interim}"
    );
    let kept = client.response();
    assert_eq!((kept.get("X-Kept"), kept.get("Link")), (Some("1"), None));
    assert_eq!(client.response().get("X-Kept"), None);
}

#[test]
fn a_kept_field_that_cannot_be_sent_is_a_500_that_names_it() {
    let log = Log::default();
    struct Bad(Log);
    impl RequestHandler for Bad {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            match x.path {
                "/kept" => x.send_header("X-Bad", "a\r\nb"),
                "/name" => x.send_header("X Bad", "a"),
                _ => {}
            }
            x.send_response(Status::OK);
            if x.path == "/field" {
                x.send_header("X-Bad", "\u{1f600}");
            }
            x.end_headers()?;
            if x.path == "/late" {
                x.send_header("X-Bad", "late");
            }
            Ok(())
        }
        fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
            self.0.push(message);
        }
    }
    for (path, error) in [
        (
            "/kept",
            "the value of \"X-Bad\" contains a control character",
        ),
        ("/name", "the field name \"X Bad\" is not a token"),
        (
            "/field",
            "the value of \"X-Bad\" contains a character outside Latin-1",
        ),
        ("/late", "the field \"X-Bad\" was sent after the head"),
    ] {
        let got = answer(&Bad(log.clone()), &format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert!(got.starts_with("HTTP/1.0 500 "), "{got}");
        let lines = log.lines();
        assert!(
            lines.iter().any(|line| line.contains(error)),
            "{error} in {lines:?}"
        );
    }
}

#[test]
fn a_status_has_the_same_fate_however_it_comes() {
    let server = serve(|_, x| {
        let status = Status::new(x.path[2..].parse().unwrap());
        match x.path.as_bytes() {
            [b'/', b'e', ..] => Err(status.into()),
            _ => x.send_error(status),
        }
    });
    for code in [
        400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 416, 417, 418, 422, 429, 431,
        500, 501, 502, 503, 504, 505,
    ] {
        let [sent, returned] = ["s", "e"].map(|way| {
            let mut client = Client::new(server.addr());
            client.send(get(&format!("/{way}{code}")));
            let response = client.response();
            assert_eq!(response.status, code);
            let is_kept = response.get("Connection").is_none();
            match is_kept {
                true => {
                    client.send(get("/s404"));
                    assert_eq!(client.response().status, 404);
                }
                false => client.assert_end(),
            }
            is_kept
        });
        assert_eq!(sent, returned, "{code}");
    }
}

#[test]
fn a_log_of_the_program_gets_complete_lines() {
    struct Filed(Log);
    impl Layer for Filed {
        fn inner(&self) -> &dyn RequestHandler {
            &Plain
        }
        fn log_line(&self, _: &Exchange<'_>, line: &str) {
            self.0.push(line);
        }
    }
    struct Plain;
    impl RequestHandler for Plain {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            self.log_message(x, format_args!("a\x1b[1m\r\n\\"));
            base::do_method(self, x)
        }
    }
    let log = Log::default();
    respond(&Filed(log.clone()), "GET / HTTP/1.0\r\n\r\n");
    let lines = log.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].ends_with("] a\\x1b[1m\\x0d\\x0a\\\\\n"),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("memory - - [") && line.ends_with('\n'))
    );
}

#[test]
fn a_body_that_is_no_text_is_the_clients_fault() {
    let server = TestServer::start(handler_fn(|h, x| {
        let mut text = String::new();
        match x.path {
            "/string" => drop(x.rfile.read_to_string(&mut text)?),
            "/io" => text = std::io::read_to_string(&mut x.rfile)?,
            _ => text = x.rfile.read_text(3)?,
        }
        h.send_content(x, Status::OK, "text/plain", text.as_bytes())
    }));
    for path in ["/string", "/io", "/text"] {
        let post = |body: &[u8]| {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            server.answer([head.as_bytes(), body].concat())
        };
        assert_eq!(post("é".as_bytes()).text(), "é");
        let bad = post(b"\xff");
        assert_eq!((bad.status, bad.get("Connection")), (400, Some("close")));
        assert!(bad.text().contains("The request body is not UTF-8"));
    }
}

#[test]
fn a_body_over_its_limit_is_a_413() {
    let server = serve(|h, x| {
        let body = x.rfile.read_up_to(3)?;
        h.send_content(x, Status::OK, "text/plain", &body)
    });
    let length = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let chunks = |body: &str| {
        let chunks: String = body.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
        format!("Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    for (body, code) in [("", 200), ("abc", 200), ("abcd", 413)] {
        for framed in [length(body), chunks(body)] {
            let response = server.answer(format!("POST / HTTP/1.1\r\nHost: a\r\n{framed}"));
            assert_eq!(response.status, code, "{framed}");
        }
    }
    // It is not asked for.
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.response().status, 413);
}

#[test]
fn lists_in_a_request_cost_a_bounded_time_however_long_they_are() {
    let start = std::time::Instant::now();
    let handler = handler_fn(|_, x| {
        let form = x.read_form(8 << 20)?;
        let found = form.value("last").map(|value| value.into_owned());
        let pairs = form.pairs().count() + x.target()?.query_pairs().count();
        let text = format!(
            "{found:?} {pairs} {:?} {:?}",
            x.cookie("z"),
            x.accepts(["a/b", "c/d"])
        );
        x.send_content(Status::OK, "text/plain", text)
    })
    .quiet();
    let form = "a=b&".repeat(1 << 20) + "last=1";
    let request = format!(
        "POST /?{} HTTP/1.0\r\nCookie: {}z=1\r\nAccept: {}c/d\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        "&=".repeat(32_000),
        "=;".repeat(32_000),
        "x/y,".repeat(16_000),
        form.len()
    );
    let got = answer(&handler, &request);
    let pairs = (1 << 20) + 1 + 32_000;
    assert!(
        got.ends_with(&format!("Some(\"1\") {pairs} Some(\"1\") Some(\"c/d\")")),
        "{}",
        &got[got.len() - 200..]
    );
    assert!(start.elapsed() < crate::support::PATIENCE);
}

#[test]
fn content_without_a_media_type_has_no_content_type() {
    let got = ask(|_, x| x.send_content(Status::NO_CONTENT, "", ""));
    assert!(got.starts_with("HTTP/1.0 204 "), "{got}");
    assert!(!got.contains("Content-Type"), "{got}");
}
