//! The same script in four languages, and everything that a script may do, well or badly.

#[cfg(feature = "cli")]
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::cgi_site::{Site, ask, cut_body, get, has, is_there, post, runs, serve};
use super::client::Client;
use super::support::{Ask, until};
use servette::testing::TestServer;

const SHELL: &str = r#"#!/bin/sh
plain() { printf 'Content-Type: text/plain\n\n'; }
case "$QUERY_STRING" in
'') plain; printf 'hello %s' "$REQUEST_METHOD" ;;
echo) plain; cat ;;
count) plain; printf '%s' $(wc -c) ;;
big) plain; head -c 104857600 /dev/zero ;;
redirect) printf 'Location: http://example.org/there\r\n\r\n' ;;
status) printf 'Content-Type: text/plain\nStatus: 410 Went away\n\ngone' ;;
stream) plain; echo one; read line; echo "two $line" ;;
crash) kill -SEGV $$ ;;
hang) plain; echo $$; exec sleep 1000 ;;
fork) plain; sleep 1000 & echo $! ;;
nothing) ;;
endless) while :; do echo 'X-Noise: noise noise noise noise noise noise noise'; done ;;
esac
"#;

const PYTHON: &str = r#"#!/usr/bin/env python3
import os, signal, sys, time
plain = lambda: print('Content-Type: text/plain\n', flush=True)
query = os.environ['QUERY_STRING']
if query == '': plain(); print('hello', os.environ['REQUEST_METHOD'], end='')
elif query == 'echo':
    plain()
    while block := sys.stdin.buffer.read1(65536): sys.stdout.buffer.write(block)
elif query == 'count': plain(); print(sum(len(b) for b in iter(lambda: sys.stdin.buffer.read(65536), b'')), end='')
elif query == 'big':
    plain()
    for _ in range(1600): sys.stdout.buffer.write(bytes(65536))
elif query == 'redirect': print('Location: http://example.org/there\r\n\r', flush=True)
elif query == 'status': print('Content-Type: text/plain\nStatus: 410 Went away\n\ngone', end='')
elif query == 'stream': plain(); print('one', flush=True); print('two', sys.stdin.readline(), end='')
elif query == 'crash': os.kill(os.getpid(), signal.SIGSEGV)
elif query == 'hang': plain(); print(os.getpid(), flush=True); time.sleep(1000)
elif query == 'fork':
    plain()
    child = os.fork()
    if not child: time.sleep(1000)
    print(child, flush=True)
elif query == 'endless':
    while True: print('X-Noise: noise noise noise noise noise noise noise')
"#;

const PERL: &str = r#"#!/usr/bin/perl
$| = 1;
sub plain { print "Content-Type: text/plain\n\n" }
$_ = $ENV{QUERY_STRING};
if ($_ eq '') { plain; print "hello $ENV{REQUEST_METHOD}" }
elsif ($_ eq 'echo') { plain; print $b while sysread STDIN, $b, 65536 }
elsif ($_ eq 'count') { plain; while ($r = sysread STDIN, $b, 65536) { $n += $r } print $n }
elsif ($_ eq 'big') { plain; print "\0" x 65536 for 1 .. 1600 }
elsif ($_ eq 'redirect') { print "Location: http://example.org/there\r\n\r\n" }
elsif ($_ eq 'status') { print "Content-Type: text/plain\nStatus: 410 Went away\n\ngone" }
elsif ($_ eq 'stream') { plain; print "one\n"; print 'two ', scalar <STDIN> }
elsif ($_ eq 'crash') { kill SEGV => $$ }
elsif ($_ eq 'hang') { plain; print "$$\n"; sleep 1000 }
elsif ($_ eq 'fork') { plain; $c = fork; $c or sleep 1000; print "$c\n" }
elsif ($_ eq 'endless') { print "X-Noise: noise noise noise noise noise noise noise\n" while 1 }
"#;

const C: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void plain(void) { printf("Content-Type: text/plain\n\n"); fflush(stdout); }
static char block[65536];
int main(void) {
    const char *q = getenv("QUERY_STRING");
    ssize_t n; long sum = 0; pid_t child;
    if (!*q) { plain(); printf("hello %s", getenv("REQUEST_METHOD")); }
    else if (!strcmp(q, "echo")) { plain(); while ((n = read(0, block, sizeof block)) > 0) fwrite(block, 1, n, stdout); }
    else if (!strcmp(q, "count")) { plain(); while ((n = read(0, block, sizeof block)) > 0) sum += n; printf("%ld", sum); }
    else if (!strcmp(q, "big")) { plain(); for (int i = 0; i < 1600; i++) fwrite(block, 1, sizeof block, stdout); }
    else if (!strcmp(q, "redirect")) printf("Location: http://example.org/there\r\n\r\n");
    else if (!strcmp(q, "status")) printf("Content-Type: text/plain\nStatus: 410 Went away\n\ngone");
    else if (!strcmp(q, "stream")) { plain(); printf("one\n"); fflush(stdout); if (fgets(block, sizeof block, stdin)) printf("two %s", block); }
    else if (!strcmp(q, "crash")) raise(SIGSEGV);
    else if (!strcmp(q, "hang")) { plain(); printf("%d\n", getpid()); fflush(stdout); sleep(1000); }
    else if (!strcmp(q, "fork")) { plain(); if (!(child = fork())) sleep(1000); else printf("%d\n", child); }
    else if (!strcmp(q, "endless")) for (;;) printf("X-Noise: noise noise noise noise noise noise noise\n");
    return 0;
}
"#;

/// 1,600 times 64 KiB.
const BIG: u64 = 100 << 20;

#[test]
fn a_script_in_shell() {
    check(&Site::with(SHELL));
}

#[test]
fn a_script_in_python() {
    if has("python3") {
        check(&Site::with(PYTHON));
    }
}

#[test]
fn a_script_in_perl() {
    if has("perl") {
        check(&Site::with(PERL));
    }
}

#[test]
fn a_compiled_script() {
    if !has("cc") {
        return;
    }
    let site = Site::new();
    let source = site.file("out/script.c", C, 0o644);
    compile(&source, &site.path("cgi-bin/script"));
    check(&site);
}

pub(crate) fn compile(source: &Path, program: &Path) {
    let made = Command::new("cc")
        .arg(source)
        .arg("-o")
        .arg(program)
        .status();
    assert!(made.unwrap().success());
}

fn check(site: &Site) {
    let server = site.serve();
    answers(&server);
    streams(&serve(site.handler().full_duplex(true)));
    big_bodies(&server);
    faults(&server);
    stalls(site);
    leftovers(&server);
}

fn answers(server: &TestServer) {
    let hello = get(server, "/cgi-bin/script");
    assert_eq!(hello.status_line(), "HTTP/1.1 200 OK");
    assert_eq!(
        (hello.text(), hello.get("Content-Type")),
        ("hello GET", Some("text/plain"))
    );
    assert!(hello.get("Date").is_some() && hello.get("Server").is_some());

    let mut client = Client::new(server.addr());
    client.send("HEAD /cgi-bin/script HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.head().status_line(), "HTTP/1.1 200 OK");
    client.send("GET /cgi-bin/script HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(
        client.response().text(),
        "hello GET",
        "no body stood behind the head"
    );

    let echo = post(server, "/cgi-bin/script?echo", b"a=b&c");
    assert_eq!((echo.status, echo.text()), (200, "a=b&c"));
    let chunked = "POST /cgi-bin/script?echo HTTP/1.1\r\nTransfer-Encoding: chunked";
    let echo = ask(
        server,
        chunked,
        b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n",
    );
    assert_eq!((echo.status, echo.text()), (200, "abcde"));

    let redirect = get(server, "/cgi-bin/script?redirect");
    assert_eq!(redirect.status_line(), "HTTP/1.1 302 Found");
    assert_eq!(redirect.get("Location"), Some("http://example.org/there"));

    let status = get(server, "/cgi-bin/script?status");
    assert_eq!(
        (&*status.status_line(), status.text()),
        ("HTTP/1.1 410 Went away", "gone")
    );
    assert_eq!(status.get("Status"), None);
}

/// The first half of the answer is here before the second half of the request is sent.
fn streams(server: &TestServer) {
    let mut client = Client::new(server.addr());
    client.send("POST /cgi-bin/script?stream HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n");
    assert_eq!(client.head().get("Transfer-Encoding"), Some("chunked"));
    let mut first = Vec::new();
    while first != b"one\n" {
        first.extend(client.chunk().unwrap());
    }
    client.send("something\n");
    let mut rest = Vec::new();
    while !rest.ends_with(b"two something\n") {
        rest.extend(client.chunk().unwrap());
    }
}

fn big_bodies(server: &TestServer) {
    let down = get(server, "/cgi-bin/script?big");
    assert_eq!(down.body.len() as u64, BIG);

    let mut client = Client::new(server.addr());
    let head =
        format!("POST /cgi-bin/script?count HTTP/1.1\r\nHost: t\r\nContent-Length: {BIG}\r\n\r\n");
    client.send(head);
    let block = vec![b'x'; 1 << 20];
    for _ in 0..BIG >> 20 {
        client.send(&block);
    }
    assert_eq!(client.response().text(), BIG.to_string());

    // Both at once: the script writes while it reads.
    let mut client = Client::new(server.addr());
    let head =
        format!("POST /cgi-bin/script?echo HTTP/1.1\r\nHost: t\r\nContent-Length: {BIG}\r\n\r\n");
    client.send(head);
    let mut sender = client.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        for _ in 0..BIG >> 20 {
            sender.write_all(&block).unwrap();
        }
    });
    let echo = client.response();
    sending.join().unwrap();
    assert_eq!(echo.body.len() as u64, BIG);
    assert!(echo.body.iter().all(|&byte| byte == b'x'));
}

fn faults(server: &TestServer) {
    for (query, message) in [
        ("crash", "Bad output of a CGI script: ended by a signal"),
        ("nothing", "Bad output of a CGI script: no output"),
        (
            "endless",
            "Bad output of a CGI script: the head is too long",
        ),
    ] {
        let answer = get(server, &format!("/cgi-bin/script?{query}"));
        assert_eq!(answer.status_line(), format!("HTTP/1.1 502 {message}"));
    }
    server.wait_for_log("CGI script ended by signal 11");
}

fn stalls(site: &Site) {
    let deadline = Duration::from_secs(2);
    let server = serve(site.handler().with_silence_timeout(deadline));
    let mut client = Client::new(server.addr());
    client.send("GET /cgi-bin/script?hang HTTP/1.1\r\nHost: test\r\n\r\n");
    let pid = String::from_utf8(cut_body(&mut client)).unwrap();
    until("the script is killed and reaped", || !is_there(&pid));
}

fn leftovers(server: &TestServer) {
    let fork = get(server, "/cgi-bin/script?fork");
    assert_eq!(fork.status, 200);
    until("what the script left behind is killed", || {
        !runs(fork.text())
    });
}

/// Whatever is asked of it, memory stays bounded; in a process of its own, to measure it.
#[cfg(feature = "cli")]
#[test]
fn big_bodies_need_no_memory() {
    use super::cgi_command::Command;
    let site = Site::with(SHELL);
    let server = Command::start(&site, &["--cgi", "-p", "HTTP/1.1"]);
    let before = server.peak_memory();
    for (head, count) in [
        ("GET /cgi-bin/script?big HTTP/1.0\r\n\r\n".to_owned(), 0),
        (
            format!("POST /cgi-bin/script?count HTTP/1.0\r\nContent-Length: {BIG}\r\n\r\n"),
            BIG >> 20,
        ),
    ] {
        let mut socket = server.connect();
        socket.write_all(head.as_bytes()).unwrap();
        let block = vec![b'x'; 1 << 20];
        for _ in 0..count {
            socket.write_all(&block).unwrap();
        }
        let read = std::io::copy(&mut socket, &mut std::io::sink()).unwrap();
        assert!(read > if count == 0 { BIG } else { 10 });
    }
    let mut socket = server.connect();
    let head = "POST /cgi-bin/script?count HTTP/1.1\r\nHost: t\r\nConnection: close\r\n";
    write!(socket, "{head}Transfer-Encoding: chunked\r\n\r\n").unwrap();
    let mut chunk = format!("{:x}\r\n", 1 << 20).into_bytes();
    chunk.resize(chunk.len() + (1 << 20), b'x');
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..BIG >> 20 {
        socket.write_all(&chunk).unwrap();
    }
    socket.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(&BIG.to_string()), "{answer}");
    let grown = server.peak_memory() - before;
    assert!(grown < 8 << 10, "grown by {grown} KiB");
}
