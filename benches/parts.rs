//! The parts by themselves: how long a head takes to be read and parsed, a field to be found, a response to be
//! written.
//!
//!     cargo bench --features _internals

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use servette::bench::{Response, SlowHead, Texts, with_head};
use servette::internals::log_line;
use servette::{HttpDate, Status, base, handler_fn};

const SHORT: &[u8] = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// As a browser sends it.
const LONG: &[u8] = b"GET /articles/2026/11/a-page.html?from=index HTTP/1.1\r\n\
Host: www.example.org\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Referer: https://www.example.org/articles/\r\n\
Connection: keep-alive\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
Upgrade-Insecure-Requests: 1\r\n\
Sec-Fetch-Dest: document\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-Site: same-origin\r\n\
If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT\r\n\
Priority: u=0, i\r\n\r\n";

fn head(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse a head");
    let mut texts = Texts::default();
    for (name, head) in [("short", SHORT), ("of a browser", LONG)] {
        let client =
            |index| String::from_utf8_lossy(head).replace("Host: ", &format!("Host: {index}."));
        // As the connections of an event loop have their turns: each client has fields of its own.
        let heads: Vec<String> = (0..64).map(client).collect();
        let mut heads = heads.iter().cycle();
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let input = black_box(heads.next().unwrap().as_bytes());
                with_head(&mut texts, input, |headers| headers.len()).unwrap()
            });
        });
    }
}

/// A head comes byte by byte: what each of them costs beside those that are there.
fn slow_head(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read another byte of a head");
    for length in [1 << 10, 16 << 10, 64 << 10, 250_000] {
        group.bench_function(format!("of {length} bytes"), |bencher| {
            bencher.iter_custom(|count| {
                let mut left = count;
                let mut time = Duration::ZERO;
                while left > 0 {
                    let few = left.min(200);
                    let mut head = SlowHead::new(length).unwrap();
                    let start = Instant::now();
                    for _ in 0..few {
                        head.send(b"x").unwrap();
                    }
                    time += start.elapsed();
                    left -= few;
                }
                time
            });
        });
    }
}

fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look up a field");
    for (name, field) in [
        ("first", "host"),
        ("late", "if-modified-since"),
        ("absent", "range"),
    ] {
        with_head(&mut Texts::default(), LONG, |headers| {
            group.bench_function(name, |bencher| {
                bencher.iter(|| black_box(headers).get(black_box(field)).map(str::len));
            });
        })
        .unwrap();
    }
}

fn response(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write a response");
    let date = HttpDate::now();
    let fields = [
        ("Server", "BaseHTTP/0.1 servette"),
        ("Date", &*date),
        ("Content-Type", "text/plain"),
        ("Content-Length", "13"),
    ];
    let mut response = Response::default();
    for (name, fields) in [
        ("with a length", &fields[..]),
        ("length computed", &fields[..3]),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                response
                    .write(black_box(fields), black_box(b"Hello, World!"))
                    .unwrap()
            });
        });
    }
}

fn log(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log a request");
    let handler = handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", b""));
    group.bench_function("the date", |bencher| {
        bencher.iter(|| base::log_date_time_string(black_box(&handler)));
    });
    group.bench_function("the line", |bencher| {
        bencher.iter(|| {
            let date = base::log_date_time_string(&handler);
            let line = black_box("GET /hello HTTP/1.1");
            log_line(
                "127.0.0.1",
                &date,
                format_args!("\"{line}\" {} {}", 200, 13),
            )
        });
    });
}

criterion_group!(parts, head, slow_head, look_up, response, log);
criterion_main!(parts);
