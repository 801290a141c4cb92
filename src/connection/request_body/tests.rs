//! Any way of reading gives the body, and leaves what follows it.

use std::io::{BufRead, Read};
use std::sync::Mutex;

use crate::{Exchange, Result, Status, handler_fn, respond};
use proptest::prelude::*;

/// A way to read on.
#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    FillAndConsume(usize),
    Discard,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0..60_usize, 3_000..70_000_usize];
    let step = prop_oneof![
        6 => size.clone().prop_map(Step::Read),
        3 => size.prop_map(Step::FillAndConsume),
        1 => Just(Step::Discard),
    ];
    proptest::collection::vec(step, 0..20)
}

/// The body in chunks of these sizes, over and over.
fn chunked(body: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut framed, mut rest) = (Vec::new(), body);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, more) = rest.split_at((*size).min(rest.len()));
        framed.extend_from_slice(format!("{:X};x\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
        rest = more;
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

/// Reads so much, and puts it back where that can be done.
fn look(x: &mut Exchange<'_>, size: usize) -> Result<()> {
    if cfg!(feature = "testing") {
        let mut start = Vec::new();
        (&mut x.rfile).take(size as u64).read_to_end(&mut start)?;
        #[cfg(feature = "testing")]
        x.rfile.put_back(start);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_way_of_reading_gives_the_body_and_leaves_the_next_request(
        length in prop_oneof![0..50_usize, 0..200_000_usize],
        sizes in prop::option::of(proptest::collection::vec(1..80_000_usize, 1..5)),
        looked in prop::option::of(0..300_000_usize),
        steps in steps(),
    ) {
        let body: Vec<u8> = (0..length).map(|n| (n % 249) as u8).collect();
        let seen = Mutex::new(Vec::new());
        let handler = handler_fn(|h, x| -> Result<()> {
            if x.path == "/2" {
                seen.lock().unwrap().push("/2");
                return h.send_content(x, Status::OK, "text/plain", b"");
            }
            if let Some(size) = looked {
                look(x, size)?;
            }
            let mut read = Vec::new();
            let at = |read: &Vec<u8>| read.len().min(length);
            for step in &steps {
                match step {
                    Step::Read(size) => {
                        let mut block = vec![0; *size];
                        let count = x.rfile.read(&mut block)?;
                        assert!(count > 0 || *size == 0 || at(&read) == length);
                        read.extend_from_slice(&block[..count]);
                    }
                    Step::FillAndConsume(size) => {
                        let there = x.rfile.fill_buf()?;
                        assert!(!there.is_empty() || at(&read) == length);
                        let count = there.len().min(*size);
                        read.extend_from_slice(&there[..count]);
                        x.rfile.consume(count);
                    }
                    Step::Discard => {
                        let from = at(&read);
                        assert_eq!(x.rfile.discard()?, (length - from) as u64);
                        read.extend_from_slice(&body[from..]);
                    }
                }
                assert!(read == body[..at(&read)]);
            }
            seen.lock().unwrap().push("/1");
            h.send_content(x, Status::OK, "text/plain", b"")
        });
        let framed = match &sizes {
            Some(sizes) => chunked(&body, sizes),
            None => body.clone(),
        };
        let framing = match &sizes {
            Some(_) => "Transfer-Encoding: chunked".to_owned(),
            None => format!("Content-Length: {length}"),
        };
        let head = format!("POST /1 HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n");
        let next = b"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
        let requests = [head.as_bytes(), &framed, next].concat();
        respond(&handler.quiet().protocol_version("HTTP/1.1"), &requests);
        prop_assert_eq!(&seen.lock().unwrap()[..], ["/1", "/2"]);
    }
}
