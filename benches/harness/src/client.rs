//! A plain blocking client: one request, and the whole answer understood. For checks, and for
//! scenarios in which an answer takes milliseconds.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
/// As much of a body as is kept to be compared; the rest is only counted.
const KEPT: usize = 8 << 20;

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// The status line and the fields.
    pub head: String,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Its bytes on the wire, head and framing included.
    pub length: usize,
}

/// A connection that is kept.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Client {
    /// Connects to the server on this machine.
    pub fn connect(port: u16) -> io::Result<Client> {
        let stream =
            TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream,
            input: Vec::new(),
        })
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        let end = loop {
            if let Some(at) = self.input.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let mut answer = Answer {
            head: String::from_utf8_lossy(&self.take(end)?).into_owned(),
            length: end,
            ..Answer::default()
        };
        if answer
            .field("transfer-encoding")
            .is_some_and(|coding| coding == "chunked")
        {
            self.chunks(&mut answer)?;
        } else if let Some(length) = answer
            .field("content-length")
            .filter(|_| answer.status() != 304)
        {
            let length: usize = length.parse().map_err(io::Error::other)?;
            answer.body = self.take(length.min(KEPT))?;
            answer.length += length;
            let mut left = length - answer.body.len();
            while left > 0 {
                if self.input.is_empty() {
                    self.more()?;
                }
                let dropped = left.min(self.input.len());
                self.input.drain(..dropped);
                left -= dropped;
            }
        }
        Ok(answer)
    }

    /// Gives the socket away, for a connection that only stays open.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn chunks(&mut self, answer: &mut Answer) -> io::Result<()> {
        loop {
            let line = loop {
                if let Some(at) = self.input.windows(2).position(|bytes| bytes == b"\r\n") {
                    break self.take(at + 2)?;
                }
                self.more()?;
            };
            let digits = String::from_utf8_lossy(&line);
            let length = usize::from_str_radix(digits.trim(), 16).map_err(io::Error::other)?;
            answer.length += line.len() + length + 2;
            let chunk = self.take(length + 2)?;
            answer.body.extend(chunk.iter().take(length));
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.input.len() < length {
            self.more()?;
        }
        let rest = self.input.split_off(length);
        Ok(std::mem::replace(&mut self.input, rest))
    }

    fn more(&mut self) -> io::Result<()> {
        let had = self.input.len();
        self.input.resize(had + (64 << 10), 0);
        let got = self.stream.read(&mut self.input[had..]);
        self.input.truncate(had + *got.as_ref().unwrap_or(&0));
        match got? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl Answer {
    /// The status code; 0 if there is none.
    pub fn status(&self) -> u16 {
        self.head
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    /// The entity tag, as it was sent.
    pub fn tag(&self) -> Option<String> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case("ETag"))?;
        Some(value.trim().to_owned())
    }

    /// A field, in lower case.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let value = fields
            .find(|(field, _)| field.eq_ignore_ascii_case(name))?
            .1;
        Some(value.trim().to_ascii_lowercase())
    }
}
