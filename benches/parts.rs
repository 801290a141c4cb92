//! The pure parts: how long a head takes to be parsed, a field to be found, a response to be written.
//!
//!     cargo bench --features _internals

#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use servette::bench::{Response, Texts, with_head};
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
    for (name, input) in [("short", SHORT), ("of a browser", LONG)] {
        group.throughput(Throughput::Bytes(input.len() as u64));
        // The fields are those of the head before.
        group.bench_function(format!("{name}, again"), |bencher| {
            bencher
                .iter(|| with_head(&mut texts, black_box(input), |headers| headers.len()).unwrap());
        });
        // They are not.
        let other = String::from_utf8_lossy(input).replacen("Host: ", "Host: x", 1);
        let mut heads = [input, other.as_bytes()].into_iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let input = black_box(heads.next().unwrap());
                with_head(&mut texts, input, |headers| headers.len()).unwrap()
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

criterion_group!(parts, head, look_up, response, log);
criterion_main!(parts);
