//! Every fault of the fixture is seen by reqwest (blocking) as what it is.
#![cfg(test)]

mod tokio;

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use servette::testing::{
    ChunkFault, Reply, ReservedPort, Stubs, TestServer, any, close, hang, raw, reset, status,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Fine,
    Refused,
    Reset,
    EarlyEnd,
    Timeout,
    Malformed,
    Other,
}

use Seen::{EarlyEnd, Fine, Malformed, Refused, Reset, Timeout};

#[test]
fn each_fault_is_seen_as_what_it_is() {
    let hello = || status(200).body("hello");
    let chunks = |fault| hello().chunk_fault(fault).into();
    let cases: Vec<(&str, Reply, Seen)> = vec![
        ("nothing wrong", hello().into(), Fine),
        ("silence", hang().into(), Timeout),
        ("the end before the head", close().into(), EarlyEnd),
        (
            "the end in the head",
            hello().at_head(10, close()).into(),
            EarlyEnd,
        ),
        (
            "the end in the body",
            hello().at(3, close()).into(),
            EarlyEnd,
        ),
        ("a reset before the head", reset().into(), Reset),
        (
            "a reset in the head",
            hello().at_head(20, reset()).into(),
            Reset,
        ),
        (
            "a reset behind the head",
            hello().at(0, reset()).into(),
            Reset,
        ),
        ("a reset in the body", hello().at(3, reset()).into(), Reset),
        ("a stall in the body", hello().at(3, hang()).into(), Timeout),
        (
            "a length that is too long",
            hello().content_length(9).into(),
            EarlyEnd,
        ),
        (
            "a length that is too short",
            hello().content_length(4).into(),
            Fine,
        ),
        (
            "a chunk size that is no number",
            chunks(ChunkFault::BadSize),
            Malformed,
        ),
        (
            "an unfinished chunk",
            chunks(ChunkFault::Unfinished),
            EarlyEnd,
        ),
        (
            "an oversized chunk",
            chunks(ChunkFault::Oversized),
            Malformed,
        ),
        ("chunks without an end", chunks(ChunkFault::NoEnd), EarlyEnd),
        (
            "a wrong status line",
            hello().status_line("HTTP/1.1 ok").into(),
            Malformed,
        ),
        ("another protocol", raw("220 ready\r\n").into(), Malformed),
        ("interim responses", hello().interim(103, 3).into(), Fine),
        ("a connection that stays", hello().keep_open().into(), Fine),
        (
            "a drip",
            hello().drip(9, Duration::from_millis(1)).into(),
            Fine,
        ),
    ];
    let mut stubs = Stubs::new();
    for (index, (_, reply, _)) in cases.iter().enumerate() {
        stubs = stubs.on(any(&format!("/{index}")).answer(reply.clone()));
    }
    let server = TestServer::start(stubs);
    let mut wrong = Vec::new();
    for (index, (name, _, expected)) in cases.iter().enumerate() {
        let (seen, text) = see(&server.url(&format!("/{index}")), *expected);
        if seen != *expected {
            wrong.push(format!("{name}: {seen:?}, not {expected:?}: {text}"));
        }
    }
    let port = ReservedPort::new().unwrap();
    let (seen, text) = see(&port.url("/"), Refused);
    if seen != Refused {
        wrong.push(format!("refused: {seen:?}: {text}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Only what is to end by it has a short timeout.
fn see(url: &str, expected: Seen) -> (Seen, String) {
    let timeout = match expected {
        Timeout => Duration::from_millis(300),
        _ => Duration::from_secs(20),
    };
    let client = reqwest::blocking::Client::builder()
        .no_proxy()
        .timeout(timeout)
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    match client.get(url).send().and_then(|answer| answer.text()) {
        Ok(text) => (Fine, text),
        Err(error) => (of(&error), format!("{error:?}")),
    }
}

fn of(error: &reqwest::Error) -> Seen {
    if error.is_timeout() {
        return Timeout;
    }
    let mut texts = Vec::new();
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => return Reset,
                ErrorKind::ConnectionRefused => return Refused,
                ErrorKind::UnexpectedEof => return EarlyEnd,
                ErrorKind::InvalidInput | ErrorKind::InvalidData => return Malformed,
                _ => {}
            }
        }
        texts.push(error.to_string());
        next = error.source();
    }
    let says = |part: &str| texts.iter().any(|text| text.contains(part));
    match () {
        () if says("closed before message completed") || says("end of file") => EarlyEnd,
        () if says("invalid HTTP") || says("Invalid") => Malformed,
        () => Seen::Other,
    }
}
