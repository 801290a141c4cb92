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
