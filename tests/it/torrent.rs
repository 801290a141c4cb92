//! Long pipelines of small requests, while handlers block at random: every byte of every answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{PATIENCE, handler, limits, until};
use servette::{Exchange, Peer, RequestHandler, Result, Status, ThreadingHttpServer};

/// Scatters the bits of a number.
fn mix(number: u64) -> u64 {
    let mut value = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value ^ (value >> 29)
}

/// What a request is about; client and server know it from its number.
struct Plan {
    nap: u64,
    upload: usize,
    answer: usize,
}

fn plan(number: u64) -> Plan {
    let random = mix(number);
    Plan {
        nap: match random % 64 {
            0 => random >> 8 & 3,
            _ => 0,
        },
        upload: match random % 17 {
            0 => (random >> 10) as usize % 2_000,
            _ => 0,
        },
        answer: match random % 509 {
            0 => 400_000,
            _ => (random >> 20) as usize % 200,
        },
    }
}

/// The bytes of a body, other ones for each number.
fn pattern(number: u64, length: usize) -> impl Iterator<Item = u8> {
    let seed = mix(number);
    (0..length as u64).map(move |index| (seed.rotate_left(index as u32 % 64) ^ index) as u8)
}

fn answer(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    let number = x.path[1..].parse().unwrap();
    let plan = plan(number);
    if plan.nap > 0 {
        std::thread::park_timeout(Duration::from_millis(plan.nap));
    }
    let mut body = Vec::new();
    x.rfile.read_to_end(&mut body)?;
    assert!(
        body.into_iter().eq(pattern(!number, plan.upload)),
        "the body of {number}"
    );
    let body: Vec<u8> = pattern(number, plan.answer).collect();
    h.send_content(x, Status::OK, "text/plain", &body)
}

/// Reads the answer to a request, and compares all of it but the date.
fn check(stream: &mut impl BufRead, number: u64, server: &str) {
    let length = plan(number).answer;
    let mut fields = Vec::new();
    for index in 0.. {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.strip_suffix("\r\n") {
            Some("") => break,
            Some("HTTP/1.1 200 OK") if index == 0 => {}
            Some(field) if index > 0 => fields.push(field.to_owned()),
            _ => panic!("{line:?} in the answer to {number}"),
        }
    }
    fields.retain(|field| !(field.starts_with("Date: ") && field.len() == 35));
    fields.sort();
    let expected = [
        format!("Content-Length: {length}"),
        "Content-Type: text/plain".to_owned(),
        format!("Server: {server}"),
    ];
    assert_eq!(fields, expected, "of the answer to {number}");
    let mut body = vec![0; length];
    let (first, rest) = body.split_at_mut(length / 3);
    stream.read_exact(first).unwrap();
    if length > 100_000 {
        // A slow reader.
        std::thread::park_timeout(Duration::from_millis(2));
    }
    stream.read_exact(rest).unwrap();
    assert!(
        body.into_iter().eq(pattern(number, length)),
        "the body of the answer to {number}"
    );
}

/// One client: requests in a row, in pieces of any size, ahead of their answers.
fn converse(address: Peer, server: &str, first: u64, count: u64) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut bytes = Vec::new();
            for number in first..first + count {
                let upload = plan(number).upload;
                write!(bytes, "POST /{number} HTTP/1.1\r\nHost: x\r\n").unwrap();
                write!(bytes, "Content-Length: {upload}\r\n\r\n").unwrap();
                bytes.extend(pattern(!number, upload));
                let random = mix(!number);
                if random.is_multiple_of(8) || number + 1 == first + count {
                    // Often in the midst of a head or a body.
                    let cut = (random >> 8) as usize % bytes.len();
                    writer.write_all(&bytes[..cut]).unwrap();
                    if random.is_multiple_of(128) {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                    writer.write_all(&bytes[cut..]).unwrap();
                    bytes.clear();
                }
            }
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut stream = BufReader::new(stream);
        for number in first..first + count {
            check(&mut stream, number, server);
        }
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "more than was asked for");
    });
}

fn pour(loops: usize, max_threads: usize, clients: u64, each: u64) {
    const IDLE: Duration = Duration::from_millis(500);
    let before = threads();
    let start = Instant::now();
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let handler = handler(|h, x| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let result = answer(h, x);
        now.fetch_sub(1, Ordering::SeqCst);
        result
    });
    let server_version = handler.version_string();
    let limits = limits(|limits| {
        limits.max_threads = max_threads;
        limits.thread_idle_timeout = IDLE;
    });
    let server = ThreadingHttpServer::builder(handler)
        .limits(limits)
        .event_loops(loops)
        .bind("127.0.0.1:0")
        .unwrap();
    let scope = |info: &servette::ServerInfo| {
        std::thread::scope(|scope| {
            for client in 0..clients {
                let (address, name) = (info.server_address, &*server_version);
                scope.spawn(move || converse(address, name, client << 32, each));
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        let busy = threads().saturating_sub(before);
        if each > 1_000 {
            // Those that lead, one that watches, and one that may have no work.
            let at_rest = loops + 2;
            until("threads end", || {
                threads().saturating_sub(before) <= at_rest
            });
        }
        println!(
            "loops {loops}, max_threads {max_threads}: {} answers, {seconds:.1} s, {} handlers at \
             once, {busy} threads, then {}",
            clients * each,
            most.load(Ordering::SeqCst),
            threads().saturating_sub(before),
        );
    };
    server.scope(scope).unwrap();
    assert!(
        most.into_inner() <= max_threads,
        "more handlers than may run"
    );
}

/// The threads of this process, where they can be counted.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[test]
fn every_byte_of_long_pipelines_is_right_while_handlers_block() {
    for loops in [1, 2] {
        for max_threads in [1, 2, 3, 5, 64] {
            pour(loops, max_threads, 8, 150);
        }
    }
}

#[test]
#[ignore = "it takes minutes: run it alone, in release mode"]
fn each_byte_of_a_million_responses_is_right_while_handlers_block() {
    for loops in [1, 2] {
        for max_threads in [1, 2, 3, 5, 64] {
            pour(loops, max_threads, 24, 5_000);
        }
    }
}
