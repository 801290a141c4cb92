//! What goes over the wire, byte for byte.

use super::*;
use crate::testing::{close, pause};

#[track_caller]
fn gets(answer: &Answer, expected: &str) {
    let got = crate::respond(answer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(String::from_utf8_lossy(&got), expected);
}

#[test]
fn a_proper_answer_has_nothing_that_was_not_asked_for() {
    let answer = status(503).header("Retry-After", "1").body("later");
    gets(
        &answer,
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 5\r\n\r\nlater",
    );
    gets(
        &status(200).body("abc").chunked(2).reason("Fine"),
        "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    );
    gets(
        &status(204).interim(103, 2),
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n\
         HTTP/1.1 204 No Content\r\n\r\n",
    );
}

#[test]
fn a_cut_comes_exactly_where_it_was_asked_for() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
    let answer = status(200).body("hello");
    for byte in 0..=5 {
        let body = &"hello"[..byte];
        gets(&answer.clone().at(byte, close()), &format!("{head}{body}"));
    }
    for byte in 0..=head.len() {
        gets(&answer.clone().at_head(byte, close()), &head[..byte]);
    }
    gets(&close_after_pause(answer), &format!("{head}hel"));
}

fn close_after_pause(answer: Answer) -> Answer {
    answer.at(3, close()).at(1, pause(Duration::ZERO))
}

#[test]
fn a_cut_within_chunks_counts_content() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let answer = status(200).body("abcd").chunked(3);
    for (byte, body) in [
        (0, ""),
        (1, "3\r\na"),
        (3, "3\r\nabc"),
        (4, "3\r\nabc\r\n1\r\nd"),
    ] {
        gets(&answer.clone().at(byte, close()), &format!("{head}{body}"));
    }
}

#[test]
fn chunks_are_broken_in_each_of_the_ways() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    for (fault, body) in [
        (ChunkFault::BadSize, "zz\r\nabcd\r\n0\r\n\r\n"),
        (ChunkFault::Unfinished, "e\r\nabcd"),
        (ChunkFault::Oversized, "3\r\nabcd\r\n0\r\n\r\n"),
        (ChunkFault::NoEnd, "4\r\nabcd\r\n"),
    ] {
        let answer = status(200).body("abcd").chunk_fault(fault);
        gets(&answer, &format!("{head}{body}"));
    }
}

#[test]
fn what_http_forbids_is_sent_as_it_stands() {
    gets(
        &status(200)
            .status_line("HTTP/9 OK")
            .header("A b", "\u{1}é")
            .body("x"),
        // Latin-1 was made of it, and the replacement character stands for the byte here.
        "HTTP/9 OK\r\nA b: \u{1}\u{fffd}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
    );
    gets(
        &status(200)
            .header("Content-Length", "1")
            .header("Content-Length", "2")
            .header("Connection", "keep-alive")
            .body("x"),
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\
         Connection: keep-alive\r\n\r\nx",
    );
    gets(
        &status(200).content_length(7).body("x"),
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nx",
    );
}

#[test]
fn a_status_that_nobody_knows_has_no_phrase() {
    let rest = "Content-Length: 0\r\n";
    for code in [299, 599, 600, 799, 999] {
        let answer = status(code).interim(142, 1);
        let start = format!("HTTP/1.1 142 \r\n\r\nHTTP/1.1 {code} \r\n{rest}");
        gets(
            &answer.clone().at(0, close()),
            &format!("{start}Connection: close\r\n\r\n"),
        );
        if code < 600 {
            gets(&answer, &format!("{start}\r\n"));
        }
    }
}

#[test]
fn what_can_not_happen_is_refused() {
    let (first, times) = (|| status(200).body("x"), Duration::ZERO);
    let chunks = |fault| status(200).chunk_fault(fault);
    for (answer, why) in [
        (
            first().at(2, close()),
            "a close at byte 2 can't happen: the body has 1 bytes",
        ),
        (
            first().at(9, pause(times)),
            "a pause of 0ns at byte 9 can't happen",
        ),
        (
            status(99),
            "99 is not a status code (100 to 999); `status_line`",
        ),
        (status(1000).at(0, close()), "1000 is not a status code"),
        (first().interim(99, 1), "99 is not an interim status code"),
        (
            first().interim(103, 1).interim(200, 0),
            "200 is not an interim status code",
        ),
        (
            status(100).body("x"),
            "a response of status 100 has no body, so it can't",
        ),
        (
            status(204).body("abc"),
            "a response of status 204 has no body, so it can't",
        ),
        (status(205).body("x"), "status 205"),
        (
            status(304).body("x").at(1, close()),
            "`raw` sends one all the same",
        ),
        (
            chunks(ChunkFault::BadSize),
            "BadSize can't happen: the body is empty",
        ),
        (chunks(ChunkFault::Unfinished), "Unfinished can't happen"),
        (chunks(ChunkFault::Oversized), "Oversized can't happen"),
        (
            status(204).chunk_fault(ChunkFault::NoEnd),
            "NoEnd can't happen: a response of status 204",
        ),
    ] {
        let known = answer.known_impossible().unwrap_or_default();
        assert!(known.contains(why), "{known}");
        let got = crate::respond(&answer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(got.starts_with(b"HTTP/1.1 500 "), "{why}");
    }
}

#[test]
fn what_can_happen_is_not_refused() {
    for (answer, expected) in [
        (
            status(0).status_line("HTTP/1.1 42 Odd").body("x"),
            "HTTP/1.1 42 Odd\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
        ),
        (
            status(304).content_length(7),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
        ),
        (
            status(204).content_length(7),
            "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
        ),
        (
            status(204).at(0, close()),
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        ),
        (
            status(200).chunk_fault(ChunkFault::NoEnd),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        ),
    ] {
        assert_eq!(answer.known_impossible(), None);
        gets(&answer, expected);
    }
}

#[test]
fn places_count_alike_in_a_large_body() {
    let body: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n";
    for byte in [0, 1, 99_999, 100_000] {
        let answer = status(200).body(&body).at(byte, close());
        let got = crate::respond(&answer, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(got == [&head[..], &body[..byte]].concat(), "{byte}");
    }
}
