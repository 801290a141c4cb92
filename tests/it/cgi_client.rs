//! A client that takes an answer apart as RFC 9112 says, and believes nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use super::support::PATIENCE;
use servette::testing::TestServer;

/// An answer, its body decoded.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body ended as its framing says.
    pub(crate) is_whole: bool,
}

impl Answer {
    pub(crate) fn code(&self) -> u16 {
        self.status.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self
            .fields
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| &**value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection.
pub(crate) struct Client(pub(crate) BufReader<TcpStream>);

impl Client {
    pub(crate) fn new(address: impl ToSocketAddrs) -> Client {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE * 3)).unwrap();
        Client(BufReader::new(socket))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Reads one line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// Reads the head of an answer.
    pub(crate) fn head(&mut self) -> Answer {
        let status = self.line();
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else {
                assert_eq!(line, "");
                break;
            };
            fields.push((name.to_owned(), value.to_owned()));
        }
        Answer {
            status,
            fields,
            body: Vec::new(),
            is_whole: false,
        }
    }

    /// Reads an answer to GET or POST.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = answer.get("Content-Length").map(|n| n.parse().unwrap());
        if answer.get("Transfer-Encoding") == Some("chunked") {
            assert_eq!(length, None, "both a length and chunks");
            answer.is_whole = self.chunks(&mut answer.body);
        } else if let Some(length) = length {
            let read = (&mut self.0).take(length).read_to_end(&mut answer.body);
            answer.is_whole = read.is_ok() && answer.body.len() as u64 == length;
        } else {
            answer.is_whole = self.0.read_to_end(&mut answer.body).is_ok();
        }
        answer
    }

    /// Reads one chunk; the last one is empty.
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let size = u64::from_str_radix(&self.line(), 16).unwrap();
        let mut data = Vec::new();
        (&mut self.0).take(size).read_to_end(&mut data).unwrap();
        assert_eq!((data.len() as u64, &*self.line()), (size, ""));
        data
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            let Ok(size) = u64::from_str_radix(line.trim_end(), 16) else {
                return false;
            };
            if read.is_err() || (&mut self.0).take(size).read_to_end(body).is_err() {
                return false;
            }
            if self.line() != "" {
                return false;
            }
            if size == 0 {
                return true;
            }
        }
    }
}

/// One request on a connection of its own; `head` is without its last line ends.
pub(crate) fn ask(server: &TestServer, head: &str, body: &[u8]) -> Answer {
    let mut client = Client::new(server.addr());
    client
        .send(format!("{head}\r\nHost: test\r\n\r\n"))
        .send(body);
    client.answer()
}

pub(crate) fn get(server: &TestServer, path: &str) -> Answer {
    ask(server, &format!("GET {path} HTTP/1.1"), b"")
}

pub(crate) fn post(server: &TestServer, path: &str, body: &[u8]) -> Answer {
    let length = body.len();
    ask(
        server,
        &format!("POST {path} HTTP/1.1\r\nContent-Length: {length}"),
        body,
    )
}
