//! Many clients at once, whatever way their requests come apart: every answer whole, once, in order.

use std::io::Write;
use std::time::Duration;

use crate::client::Client;
use crate::lifesupport::spawn;
use crate::support::{handler, text};

/// Random enough, and the same each time: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A request, and the body of its answer.
fn request(random: &mut Random, name: &str) -> (Vec<u8>, String) {
    let length = match random.below(10) {
        0 => random.below(150_000),
        1..4 => random.below(300),
        _ => 0,
    };
    let body: Vec<u8> = (0..length).map(|index| (index * 7 % 251) as u8).collect();
    let sum: u64 = body.iter().map(|&byte| u64::from(byte)).sum();
    let nap = match random.below(8) {
        0 => random.below(3),
        _ => 0,
    };
    let (path, answer) = match random.below(4) {
        // The handler leaves the body alone.
        0 if length < 200_000 => (format!("/{name}/{nap}/unread"), format!("{name} unread")),
        _ => (format!("/{name}/{nap}/read"), format!("{name} {sum}")),
    };
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n");
    let mut message = match random.below(2) {
        0 => {
            head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
            head.into_bytes()
        }
        _ => {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            let mut message = head.into_bytes();
            for chunk in body.chunks(1 + random.below(40_000) as usize) {
                write!(message, "{:x}\r\n", chunk.len()).unwrap();
                message.extend_from_slice(chunk);
                message.extend_from_slice(b"\r\n");
            }
            message.extend_from_slice(b"0\r\n\r\n");
            return (message, answer);
        }
    };
    message.extend_from_slice(&body);
    (message, answer)
}

/// One client: batches of pipelined requests, in pieces of any size, while it reads the answers.
fn converse(address: servette::Peer, seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
    let mut client = Client::new(address);
    for batch in 0..8 {
        if random.below(6) == 0 {
            client = Client::new(address);
        }
        let count = 1 + random.below(12);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for index in 0..count {
            let (message, answer) = request(&mut random, &format!("{seed}-{batch}-{index}"));
            bytes.extend(message);
            expected.push(answer);
        }
        let mut writer = client.stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut rest = &*bytes;
                while !rest.is_empty() {
                    let most = [3, 90, 4_000, 70_000][random.below(4) as usize];
                    let size = rest.len().min(1 + random.below(most) as usize);
                    let (piece, after) = rest.split_at(size);
                    writer.write_all(piece).unwrap();
                    rest = after;
                    if random.below(30) == 0 {
                        std::thread::park_timeout(Duration::from_millis(1));
                    }
                }
            });
            for expected in &expected {
                let answer = client.response();
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(answer.text(), *expected);
            }
        });
        random = Random(seed * 31 + batch + 1);
    }
}

#[test]
fn each_response_is_complete_sent_once_and_in_order() {
    for max_threads in [1, 2, 3, 64] {
        let handler = handler(|h, x| {
            let mut parts = x.path.split('/').skip(1);
            let (name, nap) = (parts.next().unwrap(), parts.next().unwrap());
            let nap: u64 = nap.parse().unwrap();
            if nap > 0 {
                std::thread::park_timeout(Duration::from_millis(nap));
            }
            let body = if x.path.ends_with("/unread") {
                format!("{name} unread")
            } else {
                let mut sum = 0;
                std::io::copy(&mut x.rfile, &mut Sum(&mut sum))?;
                format!("{name} {sum}")
            };
            text(h, x, &body)
        });
        let server = spawn(handler, |limits| limits.max_threads = max_threads);
        std::thread::scope(|scope| {
            for seed in 1..=32 {
                let address = server.addr();
                scope.spawn(move || converse(address, seed));
            }
        });
    }
}

/// Adds up the bytes that are written to it.
struct Sum<'s>(&'s mut u64);

impl Write for Sum<'_> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        *self.0 += data.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
