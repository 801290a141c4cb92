//! A client that takes nothing but strict HTTP/1, and whose every wait ends.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::support::PATIENCE;

/// A whole GET request of HTTP/1.1.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// So many clients, each of which has sent this.
pub(crate) fn crowd(
    count: usize,
    address: impl ToSocketAddrs,
    request: impl AsRef<[u8]>,
) -> Vec<Client> {
    let asking = |_| {
        let mut client = Client::new(&address);
        client.send(&request);
        client
    };
    (0..count).map(asking).collect()
}

pub(crate) fn method_of(request: &[u8]) -> &str {
    let end = request.iter().position(|&b| b == b' ').unwrap_or(0);
    str::from_utf8(&request[..end]).unwrap_or("")
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// In a run of the tests over TLS: see `over_tls`.
    #[cfg(feature = "self-signed")]
    tls: Option<Box<crate::over_tls::Session>>,
    /// Received and not yet taken.
    buffer: Vec<u8>,
}

/// A response. The parser has checked its framing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// Latin-1, as they came.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The sizes of its chunks, if it came in chunks.
    pub(crate) chunks: Option<Vec<usize>>,
}

impl Response {
    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.get_all(name);
        let first = values.next();
        assert!(values.next().is_none(), "several {name} in {self:?}");
        first
    }

    pub(crate) fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = move |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .filter(named)
            .map(|field| field.1.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    #[cfg(unix)]
    pub(crate) fn status_line(&self) -> String {
        format!("{} {} {}", self.version, self.status, self.reason)
    }

    pub(crate) fn says_close(&self) -> bool {
        self.get("Connection") == Some("close")
    }
}

impl Client {
    pub(crate) fn new(address: impl ToSocketAddrs) -> Client {
        Client::of(TcpStream::connect(address).unwrap())
    }

    /// One that takes little at a time: what is sent to it fills the server's side soon.
    pub(crate) fn slow(address: impl ToSocketAddrs) -> Client {
        use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};
        let address = address.to_socket_addrs().unwrap().next().unwrap();
        let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_recv_buffer_size(&stream, 2048).unwrap();
        connect(&stream, &address).unwrap();
        Client::of(TcpStream::from(stream))
    }

    /// Takes as much at a time as others.
    pub(crate) fn hurry(&mut self) -> &mut Self {
        rustix::net::sockopt::set_socket_recv_buffer_size(&self.stream, 1 << 20).unwrap();
        self
    }

    fn of(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            #[cfg(feature = "self-signed")]
            tls: crate::over_tls::session().map(Box::new),
            buffer: Vec::new(),
        }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        #[cfg(feature = "self-signed")]
        if let Some(tls) = &mut self.tls {
            tls.write_all(&mut self.stream, bytes.as_ref()).unwrap();
            return self;
        }
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> &mut Self {
        self.send(get(path))
    }

    /// The client sends nothing more.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> &mut Self {
        #[cfg(feature = "self-signed")]
        if let Some(tls) = &mut self.tls {
            tls.finish(&mut self.stream).unwrap();
            return self;
        }
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    #[track_caller]
    pub(crate) fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The next response, which may be an interim one.
    #[track_caller]
    pub(crate) fn response_to(&mut self, method: &str) -> Response {
        match self.try_response(method) {
            Ok(response) => response,
            Err(error) => panic!("{error}"),
        }
    }

    /// The next response, or `None` where the connection has ended instead, by a reset perhaps.
    #[track_caller]
    pub(crate) fn response_or_end(&mut self) -> Option<Response> {
        if self.buffer.is_empty() {
            let mut block = [0; 16 << 10];
            match self.read(&mut block) {
                Ok(0) => return None,
                Err(error) if is_cut(&error) => return None,
                more => self.buffer.extend_from_slice(&block[..more.unwrap()]),
            }
        }
        Some(self.response())
    }

    /// Whatever comes until the end of the stream; an error if it is a reset.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.buffer);
        self.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// Nothing more comes, and the end is an orderly one.
    #[track_caller]
    pub(crate) fn assert_end(&mut self) {
        match self.rest() {
            Ok(rest) => assert!(rest.is_empty(), "more: {:?}", Text(&rest)),
            Err(error) => panic!("not an orderly end: {error}"),
        }
    }

    /// Whatever comes until the end of the stream or a reset.
    #[track_caller]
    pub(crate) fn rest_or_reset(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.buffer);
        match self.read_to_end(&mut rest) {
            Err(error) if !is_cut(&error) => {
                panic!("no end: {error}")
            }
            _ => rest,
        }
    }

    /// The server has ended the connection without a word, by a reset perhaps.
    #[track_caller]
    pub(crate) fn is_closed_silently(&mut self) {
        let rest = self.rest_or_reset();
        assert!(rest.is_empty(), "more: {:?}", Text(&rest));
    }

    /// Has the socket end with a reset when it is dropped.
    pub(crate) fn reset(self) {
        let linger = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(&self.stream, linger).unwrap();
    }

    /// At least `count` bytes of whatever comes; they stay in the buffer.
    #[track_caller]
    pub(crate) fn peek(&mut self, count: usize) -> &[u8] {
        while self.buffer.len() < count {
            assert!(self.fill().unwrap() > 0, "the end after {:?}", self.buffer);
        }
        &self.buffer
    }

    /// Takes what is there up to and with `end`.
    #[track_caller]
    pub(crate) fn take_through(&mut self, end: &str) -> String {
        loop {
            let found = self
                .buffer
                .windows(end.len())
                .position(|window| window == end.as_bytes());
            if let Some(at) = found {
                return String::from_utf8(self.take(at + end.len()).unwrap()).unwrap();
            }
            let count = self.fill().unwrap();
            assert!(count > 0, "no {end:?} in {:?}", Text(&self.buffer));
        }
    }

    fn fill(&mut self) -> Result<usize, String> {
        let mut block = [0; 16 << 10];
        let count = self
            .read(&mut block)
            .map_err(|error| format!("{error}, after {:?}", Text(&self.buffer)))?;
        self.buffer.extend_from_slice(&block[..count]);
        Ok(count)
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.buffer.len() < count {
            if self.fill()? == 0 {
                return Err(format!("cut after {:?}", Text(&self.buffer)));
            }
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// A line without its CR LF.
    fn line(&mut self) -> Result<String, String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|&b| b == b'\n') {
                let line = self.take(at + 1)?;
                let line = line.strip_suffix(b"\r\n").ok_or("a lone LF")?;
                if line.contains(&b'\r') {
                    return Err("a lone CR".into());
                }
                return Ok(line.iter().copied().map(char::from).collect());
            }
            if self.fill()? == 0 {
                return Err(format!("cut in a line: {:?}", Text(&self.buffer)));
            }
        }
    }

    /// The next response, or what is wrong with it.
    pub(crate) fn try_response(&mut self, method: &str) -> Result<Response, String> {
        let mut response = self.try_head()?;
        self.read_body(&mut response, method)?;
        Ok(response)
    }

    /// The head of the next response.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Response {
        self.try_head().unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_head(&mut self) -> Result<Response, String> {
        let status_line = self.line()?;
        let mut words = status_line.splitn(3, ' ');
        let mut word = || words.next().ok_or(format!("status line {status_line:?}"));
        let (version, code, reason) = (word()?.to_owned(), word()?, word()?.to_owned());
        let status = code.parse().map_err(|_| format!("code {code:?}"))?;
        if code.len() != 3 || !matches!(&*version, "HTTP/1.0" | "HTTP/1.1") {
            return Err(format!("status line {status_line:?}"));
        }
        let mut response = Response {
            version,
            status,
            reason,
            fields: Vec::new(),
            body: Vec::new(),
            chunks: None,
        };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").ok_or(format!("field {line:?}"))?;
            let is_name = !name.is_empty()
                && name.bytes().all(|b| {
                    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'!' | b'~')
                });
            let is_value = !value.bytes().any(|b| b < b' ' && b != b'\t');
            if !is_name || !is_value {
                return Err(format!("field {line:?}"));
            }
            response.fields.push((name.into(), value.into()));
        }
        Ok(response)
    }

    /// The data of the next chunk; the last one is empty.
    pub(crate) fn chunk(&mut self) -> Result<Vec<u8>, String> {
        let line = self.line()?;
        let size = usize::from_str_radix(&line, 16).map_err(|_| format!("size {line:?}"))?;
        let data = self.take(size)?;
        match &*self.line()? {
            "" => Ok(data),
            more => Err(format!("{more:?} after a chunk")),
        }
    }

    fn read_body(&mut self, response: &mut Response, method: &str) -> Result<(), String> {
        let codings: Vec<_> = response.get_all("Transfer-Encoding").collect();
        let lengths: Vec<_> = response.get_all("Content-Length").collect();
        let status = response.status;
        let is_bare = status < 200 || status == 204 || (method == "CONNECT" && status < 300);
        if codings.len() + lengths.len() > usize::from(!is_bare) {
            return Err(format!("framing of {response:?}"));
        }
        if is_bare || status == 304 || method == "HEAD" {
            return Ok(());
        }
        if let [coding] = codings[..] {
            if coding != "chunked" || response.version != "HTTP/1.1" {
                return Err(format!("coding of {response:?}"));
            }
            let mut sizes = Vec::new();
            loop {
                let data = self.chunk()?;
                if data.is_empty() {
                    break;
                }
                sizes.push(data.len());
                response.body.extend(data);
            }
            response.chunks = Some(sizes);
        } else if let [length] = lengths[..] {
            let length = length.parse().map_err(|_| format!("length {length:?}"))?;
            response.body = self.take(length)?;
        } else {
            response.body = self.rest().map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "self-signed")]
        if let Some(tls) = &mut self.tls {
            return tls.read(&mut self.stream, buffer);
        }
        receive(&self.stream, buffer)
    }
}

/// Reads, and reports a reset as the error that it is. wine takes the error off the socket before the program reads, which
/// finds the end of the stream then: only polling tells that it was a reset.
pub(crate) fn receive(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let count = stream.read(buffer)?;
    #[cfg(windows)]
    if count == 0 && !buffer.is_empty() {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut polled = [PollFd::new(&stream, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::default()))?;
        if polled[0].revents().contains(PollFlags::ERR) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
    Ok(count)
}

/// A connection that is read by [`receive`].
pub(crate) struct Receiver(pub(crate) TcpStream);

impl Read for Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(&self.0, buffer)
    }
}

/// An end that is no orderly one: a reset, or, over TLS, an end without close_notify.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | UnexpectedEof)
}

/// Bytes, readable in a message, and not too many.
pub(crate) struct Text<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(300)];
        write!(f, "{:?}", String::from_utf8_lossy(shown))
    }
}
