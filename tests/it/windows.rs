//! What is of Windows alone: sockets and children, names that mean something else, letters of either case.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use servette::simple::Symlinks;
use servette::{HttpServer, ThreadingHttpServer};

use crate::client::Client;
use crate::support::{PATIENCE, assert_refused, echo, handler};
use crate::webroot::{SECRET, WebRoot, get};

/// What the child of a test does; see [`child`].
const TASK: &str = "SERVETTE_IT_CHILD";

/// Runs this program again, for [`child`] alone.
fn run_child(task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "windows::child", "--nocapture"])
        .env(TASK, task)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// No test by itself: the part of a test that runs in a process of its own.
#[test]
fn child() {
    match std::env::var(TASK).as_deref() {
        Ok("bind") => {
            let server = HttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
            println!("bound {}", server.server_port() > 0);
        }
        Ok("wait") => {
            println!("waiting");
            io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        _ => {}
    }
}

/// The sockets of Windows must be started first, as every socket of Rust's library does.
#[test]
fn a_server_may_be_the_first_socket_of_its_process() {
    let output = run_child("bind").wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("bound true"), "{text}");
}

/// Every child inherits all handles that may be inherited, and sockets that it has stay open.
#[test]
fn a_child_keeps_no_port_and_no_connection() {
    let server = ThreadingHttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let server = server.spawn().unwrap();
    let address = server.addr();
    let mut client = Client::new(address);
    assert_eq!(client.get("/a").response().text(), "/a");
    let mut child = run_child("wait");
    let mut text = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    while !text.ends_with(b"waiting") {
        let mut byte = [0];
        assert_eq!(stdout.read(&mut byte).unwrap(), 1);
        text.extend(byte);
    }
    server.shutdown(PATIENCE).unwrap();
    assert_refused(address);
    TcpListener::bind(address).unwrap();
    // A socket that is closed answers with a reset.
    let start = Instant::now();
    let error = loop {
        match client.stream.write_all(&[b'x'; 1024]) {
            Ok(()) => assert!(start.elapsed() < PATIENCE, "it is open still"),
            Err(error) => break error.kind(),
        }
    };
    let closed = [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
    ];
    assert!(closed.contains(&error), "{error}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_port_has_one_server() {
    let server = HttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let address = ("127.0.0.1", server.server_port());
    assert!(HttpServer::bind(address, handler(echo)).is_err());
    assert!(TcpListener::bind(address).is_err());
}

#[test]
fn names_that_mean_something_else_are_not_found() {
    let root = WebRoot::new();
    root.file("a.txt", "hello")
        .file("dir/b.txt", "in")
        .file("longfile.text", "long");
    let drive = root.path().display().to_string();
    let handlers = [Symlinks::InsideRoot, Symlinks::Deny, Symlinks::Follow]
        .map(|symlinks| root.handler_with(|files| files.symlinks(symlinks)));
    for handler in &handlers {
        for target in [
            // Separators and climbing.
            "/..%5csecret.txt",
            "/%5c..%5csecret.txt",
            "/dir%5cb.txt",
            "/dir\\b.txt",
            "/dir%5c..%5c..%5csecret.txt",
            "/..%5c..%5c..%5c..%5cwindows%5cwin.ini",
            // Drives, devices, shares, streams.
            "/C:",
            "/C:/",
            "/c:/windows/win.ini",
            "/C:%5cwindows%5cwin.ini",
            "//C:/windows/win.ini",
            "/%5c%5c.%5cpipe%5cx",
            "/%5c%5c?%5cC:%5c",
            "/%5c%5clocalhost%5cc$%5c",
            "/Z:%5cetc%5cpasswd",
            "/a.txt::$DATA",
            "/a.txt:stream",
            "/dir::$INDEX_ALLOCATION/b.txt",
            "/dir:$I30:$INDEX_ALLOCATION/b.txt",
            // What is dropped at the end.
            "/a.txt.",
            "/a.txt..",
            "/a.txt%20",
            "/a.txt.%20.",
            "/dir./b.txt",
            "/dir%20/b.txt",
            // Devices in every directory.
            "/CON",
            "/con.txt",
            "/dir/NUL",
            "/nul.tar.gz",
            "/AUX",
            "/PRN.x",
            "/COM1",
            "/com1.txt",
            "/LPT9",
            "/COM%C2%B9",
            "/CONIN$",
            "/CONOUT$",
            // Short names.
            "/LONGFI~1.TEX",
            "/PROGRA~1",
            // Wildcards, and bytes that are no text.
            "/*",
            "/a.tx%3f",
            "/%3ca.txt",
            "/a%22.txt",
            "/a.txt%7c",
            "/a.txt%01",
            "/%ff",
        ] {
            let answer = get(handler, target);
            let status = answer.status();
            assert_eq!(status, 404, "{target}: {}", answer.text());
            assert!(!answer.text().contains(SECRET), "{target}");
        }
        let whole = format!("/{}/a.txt", drive.replace('\\', "/"));
        assert_eq!(get(handler, &whole).status(), 404, "{whole}");
        let whole = format!("/{}%5ca.txt", drive.replace('\\', "%5c"));
        assert_eq!(get(handler, &whole).status(), 404, "{whole}");
        assert_eq!(get(handler, "/dir/b.txt").text(), "in");
        // The file system's own rule.
        assert_eq!(get(handler, "/DIR/B.TXT").text(), "in");
    }
}

/// Who may make links is up to the system: wine has none, and Windows asks for a right.
#[test]
fn links_and_junctions_that_lead_out_are_a_404() {
    let root = WebRoot::new();
    root.file("dir/a.txt", "inside");
    let outside = root.join("..\\outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a.txt"), SECRET).unwrap();
    let is_made = std::os::windows::fs::symlink_dir(&outside, root.join("out"))
        .and_then(|()| std::os::windows::fs::symlink_dir("dir", root.join("in")));
    if is_made.is_err() || fs::symlink_metadata(root.join("out")).is_err() {
        eprintln!("skipped: links, as this system makes none ({is_made:?})");
        return;
    }
    let status = |symlinks, target| {
        let handler = root.handler_with(|files| files.symlinks(symlinks));
        let answer = get(&handler, target);
        let is_secret = answer.text().contains(SECRET);
        (answer.status(), is_secret)
    };
    assert_eq!(status(Symlinks::InsideRoot, "/out/a.txt"), (404, false));
    assert_eq!(status(Symlinks::InsideRoot, "/in/a.txt"), (200, false));
    assert_eq!(status(Symlinks::Deny, "/in/a.txt"), (404, false));
    assert_eq!(status(Symlinks::Follow, "/out/a.txt"), (200, true));
}

#[test]
fn entries_of_a_listing_are_sorted_marked_and_quoted() {
    let root = WebRoot::new();
    root.file("b.txt", "").file("A.txt", "").file(".hidden", "");
    root.dir("c dir").dir("Zed").file("ü", "");
    let answer = get(&root.handler(), "/");
    let expected = [
        (".hidden", ".hidden"),
        ("A.txt", "A.txt"),
        ("b.txt", "b.txt"),
        ("c%20dir/", "c dir/"),
        ("Zed/", "Zed/"),
        ("%C3%BC", "ü"),
    ];
    let expected = expected.map(|(href, text)| (href.to_owned(), text.to_owned()));
    assert_eq!(crate::listing::links(&answer.text()), expected);
}
