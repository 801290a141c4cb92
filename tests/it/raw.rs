//! The door out of HTTP: `Exchange::raw_stream` and `Exchange::detach`.

use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::client::get;
use crate::support::{Ask, handler, serve, text};
use servette::testing::TestServer;
use servette::{DetachedStream, Exchange, RequestHandler, Result, Status, respond};

#[test]
fn raw_writes_bare_bytes_and_ends_the_connection() {
    let server = serve(|_, x| Ok(x.raw_stream()?.write_all(b"anything\n")?));
    let mut client = server.connect();
    client.send(get("/")).send(get("/"));
    assert_eq!(client.rest().unwrap(), b"anything\n");
}

#[test]
fn raw_reads_what_was_read_ahead_and_then_the_socket() {
    let server = serve(|_, x| {
        let mut raw = x.raw_stream()?;
        let mut line = [0; 10];
        for _ in 0..2 {
            raw.read_exact(&mut line)?;
            raw.write_all(&line)?;
        }
        let mut rest = Vec::new();
        raw.read_to_end(&mut rest)?;
        Ok(raw.write_all(&rest)?)
    });
    let mut client = server.connect();
    client.send(get("/") + "0123456789abc");
    assert_eq!(client.take_through("9"), "0123456789");
    client.send("defghij");
    assert_eq!(client.take_through("j"), "abcdefghij");
    let end = "x".repeat(100_000);
    client.send(&end).finish();
    assert_eq!(client.rest().unwrap(), end.as_bytes());
}

#[test]
fn a_complete_head_and_body_go_before_the_bare_bytes_and_half_a_head_does_not() {
    let server = serve(|h, x| {
        match x.path {
            "/half" => h.send_response(x, Status::OK),
            path => {
                h.send_response(x, Status::OK);
                match path {
                    "/length" => h.send_header(x, "Content-Length", "9"),
                    "/chunked" => h.send_header(x, "Transfer-Encoding", "chunked"),
                    _ => {}
                }
                h.end_headers(x)?;
                x.wfile.write_all(b"[body]")?;
            }
        }
        Ok(x.raw_stream()?.write_all(b"raw")?)
    });
    let sent = |path: &str| {
        let mut client = server.connect();
        client.send(get(path));
        String::from_utf8(client.rest().unwrap()).unwrap()
    };
    assert_eq!(sent("/half"), "raw");
    let held = sent("/held");
    assert!(
        held.ends_with("Connection: close\r\n\r\n[body]raw"),
        "{held}"
    );
    assert!(!held.contains("Transfer-Encoding"), "{held}");
    let length = sent("/length");
    assert!(length.contains("Content-Length: 9\r\n") && length.ends_with("[body]raw"));
    let chunked = sent("/chunked");
    assert!(chunked.ends_with("\r\n\r\n6\r\n[body]\r\nraw"), "{chunked}");
}

#[test]
fn raw_sends_no_continue() {
    let server = serve(|_, x| {
        let mut raw = x.raw_stream()?;
        raw.write_all(b"go")?;
        let mut body = [0; 4];
        raw.read_exact(&mut body)?;
        Ok(raw.write_all(&body)?)
    });
    let mut client = server.connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.take_through("go"), "go");
    client.send("body");
    assert_eq!(client.rest().unwrap(), b"body");
}

#[test]
fn a_reset_can_be_asked_for() {
    let server = serve(|_, x| {
        let mut raw = x.raw_stream()?;
        raw.write_all(b"partly")?;
        raw.reset_on_close()?;
        Ok(())
    });
    for more in ["", "unread input"] {
        let mut client = server.connect();
        client.send(get("/") + more);
        assert!(client.rest().is_err());
    }
}

#[test]
fn the_sending_direction_can_end_first() {
    let server = serve(|_, x| {
        let mut raw = x.raw_stream()?;
        raw.write_all(b"all")?;
        raw.shutdown_write();
        let mut rest = String::new();
        raw.read_to_string(&mut rest)?;
        assert_eq!(rest, "thanks");
        Ok(())
    });
    let mut client = server.connect();
    client.send(get("/"));
    assert_eq!(client.rest().unwrap(), b"all");
    client.send("thanks").finish();
}

/// A server that answers `/other`, and hands the streams of other requests to the test.
fn detaching(
    answer: impl Fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + Sync + 'static,
) -> (TestServer, Receiver<DetachedStream>) {
    let (give, take) = channel();
    let give = Mutex::new(give);
    let server = serve(move |h, x| {
        if x.path == "/other" {
            return text(h, x, "still here");
        }
        answer(h, x)?;
        let stream = x.detach()?;
        give.lock().unwrap().send(stream).unwrap();
        Ok(())
    });
    (server, take)
}

fn take(streams: &Receiver<DetachedStream>) -> DetachedStream {
    streams.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn an_upgraded_connection_lives_on_without_the_server() {
    let (server, streams) = detaching(|h, x| {
        h.send_response_only(x, Status::SWITCHING_PROTOCOLS);
        h.send_header(x, "Upgrade", "echo");
        h.send_header(x, "Connection", "upgrade");
        h.end_headers(x)
    });
    let mut client = server.connect();
    let ask = "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly";
    client.send(ask);
    let response = client.response();
    assert_eq!(
        (response.status, response.get("Upgrade")),
        (101, Some("echo"))
    );
    assert_eq!(response.get("Connection"), Some("upgrade"));
    let mut stream = take(&streams);
    assert_eq!(server.answer(get("/other")).text(), "still here");
    assert_eq!(stream.read_ahead(), b"early");
    let mut word = [0; 5];
    stream.read_exact(&mut word[..2]).unwrap();
    assert_eq!(stream.read_ahead(), b"rly");
    stream.read_exact(&mut word[2..]).unwrap();
    assert_eq!(&word, b"early");
    drop(server);
    // It blocks: the reader is there before the bytes are.
    let reader = std::thread::spawn(move || {
        stream.read_exact(&mut word).unwrap();
        stream.write_all(&word).unwrap();
        stream.into_parts().unwrap()
    });
    client.send("later");
    assert_eq!(client.take_through("later"), "later");
    let (ahead, socket) = reader.join().unwrap();
    assert!(ahead.is_empty() && matches!(socket, servette::DetachedSocket::Tcp(_)));
    drop(socket);
    client.assert_end();
}

#[test]
fn a_tunnel_begins_after_a_2xx_to_connect() {
    let (server, streams) = detaching(|h, x| {
        assert_eq!((x.command, x.path), ("CONNECT", "other:443"));
        h.send_response_only(x, Status::OK);
        h.send_header(x, "Content-Length", "9");
        h.end_headers(x)
    });
    let mut client = server.connect();
    client.send("CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\nhello");
    let response = client.response_to("CONNECT");
    assert_eq!((response.status, response.fields.len()), (200, 0));
    let mut stream = take(&streams);
    stream.write_all(b"hi").unwrap();
    assert_eq!(client.take_through("hi"), "hi");
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"hello");
}

#[test]
fn a_kept_connection_can_be_detached_too() {
    let (server, streams) = detaching(|_, _| Ok(()));
    let mut client = server.connect();
    for _ in 0..3 {
        client.send(get("/other"));
        assert_eq!(client.response().text(), "still here");
    }
    client.send(get("/mine"));
    let mut stream = take(&streams);
    // What the client sends now wakes no server.
    client.send(get("/other"));
    let mut request = vec![0; get("/other").len()];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(request, get("/other").as_bytes());
    stream.write_all(b"mine").unwrap();
    drop(stream);
    assert_eq!(client.rest().unwrap(), b"mine");
}

#[test]
fn memory_has_no_stream_to_detach() {
    let detached = handler(|_, x| x.detach().map(drop).map_err(Into::into));
    let answer = respond(&detached, get("/"));
    assert!(answer.starts_with(b"HTTP/1.1 500 "), "{answer:?}");
    let raw = handler(|_, x| {
        let mut raw = x.raw_stream()?;
        let mut rest = Vec::new();
        raw.read_to_end(&mut rest)?;
        Ok(raw.write_all(&rest)?)
    });
    assert_eq!(respond(&raw, get("/") + "rest"), b"rest");
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_held_back_behind_a_large_file() {
    let path = std::env::temp_dir().join(format!("servette-large-{}", std::process::id()));
    let file = std::fs::File::create_new(&path).unwrap();
    let length = (8 << 20) + 1;
    file.set_len(length).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let (server, streams) = detaching(move |h, x| {
        h.send_response(x, Status::OK);
        h.send_header(x, "Content-Length", &length.to_string());
        h.end_headers(x)?;
        Ok(x.wfile.send_file(&file, 0, length)?)
    });
    let mut client = server.connect();
    client.send(get("/"));
    assert_eq!(client.response().body.len() as u64, length);
    assert!(!rustix::net::sockopt::tcp_cork(take(&streams)).unwrap());
}
