//! A test of a small downloader with `TestServer`: the server answers 503, then resets the connection in the middle of
//! the file, then sends the rest.
//!
//!     cargo run --features testing --example fixture
//!
//! The downloader speaks HTTP over a plain socket, so the example needs no other crate.

use servette::testing::{Stubs, TestServer, get, reset, status};
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

fn main() -> Result<(), Box<dyn Error>> {
    let all = "the whole file, from its first byte to its last";
    let (first, rest) = all.split_at(15);
    let range = format!("bytes={}-", first.len());

    let server = TestServer::start(
        Stubs::new()
            .on(get("/file")
                .header("Range", &range)
                .answer(status(206).body(rest))
                .expect(1))
            .on(get("/file")
                .answer(status(503))
                .then(status(200).body(all).at(first.len(), reset()))
                .expect(2)),
    );
    let file = download(server.addr(), "/file")?;
    assert_eq!(file, all.as_bytes());

    println!("The file is here. The server has seen:");
    for request in server.requests() {
        println!("{request:?}");
    }
    Ok(())
    // Dropping the server checks that each stub was called the expected number of times.
}

/// Downloads a file, and resumes where the connection broke.
fn download(server: SocketAddr, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = Vec::new();
    for _ in 0..5 {
        let mut stream = BufReader::new(TcpStream::connect(server)?);
        let range = match file.len() {
            0 => String::new(),
            length => format!("Range: bytes={length}-\r\n"),
        };
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n{range}\r\n");
        stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 20") {
            continue;
        }
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line)?;
        }
        if stream.read_to_end(&mut file).is_ok() {
            return Ok(file);
        }
    }
    Err("too many attempts".into())
}
