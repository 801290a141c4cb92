//! The limit: epoll loops that move the bytes of a scenario and parse nothing. What a real server
//! costs above this is what it pays for HTTP.
//!
//!     peer-limit PORT MODE [BODY_BYTES] [FILE]
//!
//! The first head of each connection says how long its requests are: all are alike, and have a body of
//! `BODY_BYTES`. Answers are counted by that length, since nothing is parsed. Level-triggered, like most event loops; `edge-` before a mode makes it
//! edge-triggered.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::{env, io};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, SocketFlags, sockopt};

const LISTENER: u64 = u64::MAX;
/// Every answer has the fields that a real one has.
const FIELDS: &str = "Server: limit\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n";
const MOST: usize = 1 << 30;

enum Answer {
    /// The same bytes, as often as needed.
    Memory(Vec<u8>),
    /// Read from an open file beside the head, and sent in one call.
    Read { head: Vec<u8>, file: File },
    /// The head, then the file through the kernel.
    SendFile {
        head: Vec<u8>,
        file: File,
        length: u64,
    },
}

struct Client {
    socket: OwnedFd,
    /// The length of each of its requests; 0 before the first.
    request: usize,
    /// Bytes of a request that is not complete.
    received: usize,
    /// How far a file is sent, while it is on its way.
    offset: Option<u64>,
}

struct Loop {
    answer: Answer,
    /// The length of the body of each request.
    body: usize,
    /// Drop what comes in the kernel.
    discards: bool,
    /// For files that do not fit the socket's buffer.
    corks: bool,
    edge: bool,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    input: Vec<u8>,
    output: Vec<u8>,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map_or("", String::as_str);
    let port: u16 = argument(0).parse().expect("PORT MODE [BODY_BYTES] [FILE]");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    net::listen(&listener, 1024)?;
    let (mode, edge) = match argument(1).strip_prefix("edge-") {
        Some(mode) => (mode, true),
        None => (argument(1), false),
    };
    let file = || File::open(argument(3));
    let length = || fs::metadata(argument(3)).map(|metadata| metadata.len());
    let answer = match mode {
        "hello" | "close" | "post" => Answer::Memory(response(b"Hello, World!")),
        "memory" => Answer::Memory(response(&fs::read(argument(3))?)),
        "notmodified" => Answer::Memory(not_modified()),
        "read" => Answer::Read {
            head: head(length()?),
            file: file()?,
        },
        "sendfile" | "big" => Answer::SendFile {
            head: head(length()?),
            file: file()?,
            length: length()?,
        },
        _ => panic!("no such mode: {mode}"),
    };
    if mode == "close" {
        let Answer::Memory(bytes) = answer else {
            unreachable!()
        };
        return one_by_one(&listener, &bytes);
    }
    let discards = mode == "post";
    Loop {
        answer,
        body: argument(2).parse().unwrap_or(0),
        discards,
        corks: mode == "big",
        edge,
        clients: Vec::new(),
        free: Vec::new(),
        input: vec![0; if discards { 1 << 20 } else { 64 << 10 }],
        output: Vec::with_capacity(256 << 10),
    }
    .run(&listener)
}

fn head(length: u64) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\n{FIELDS}Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    )
    .into()
}

fn response(body: &[u8]) -> Vec<u8> {
    let mut bytes = head(body.len() as u64);
    bytes.extend_from_slice(body);
    bytes
}

fn not_modified() -> Vec<u8> {
    format!("HTTP/1.1 304 Not Modified\r\n{FIELDS}\r\n").into()
}

/// A connection per request, one after the other: nothing but accept, recv, send and close.
fn one_by_one(listener: &TcpListener, answer: &[u8]) -> io::Result<()> {
    let mut input = vec![0; 64 << 10];
    loop {
        let socket = net::accept_with(listener, SocketFlags::CLOEXEC)?;
        // What fails here is the client's affair.
        if net::recv(&socket, &mut input[..], RecvFlags::empty()).is_ok() {
            let _ = net::send(&socket, answer, SendFlags::NOSIGNAL);
        }
    }
}

impl Loop {
    fn run(mut self, listener: &TcpListener) -> io::Result<()> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(LISTENER);
        epoll::add(&poll, listener, data, epoll::EventFlags::IN)?;
        listener.set_nonblocking(true)?;
        let mut events = Vec::with_capacity(512);
        loop {
            events.clear();
            match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept(&poll, listener)?,
                    index => self.serve(index as usize),
                }
            }
        }
    }

    fn accept(&mut self, poll: &OwnedFd, listener: &TcpListener) -> io::Result<()> {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = match net::accept_with(listener, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return Ok(()),
                // EMFILE: without a descriptor nothing better can be done than to look again.
                Err(Errno::MFILE) => {
                    std::thread::sleep(Duration::from_millis(1));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            sockopt::set_tcp_nodelay(&socket, true)?;
            if self.corks {
                // Together these two are what makes large files cheap.
                sockopt::set_tcp_cork(&socket, true)?;
                let stream = TcpStream::from(socket.try_clone()?);
                socket2::SockRef::from(&stream).set_tcp_notsent_lowat(16 << 10)?;
            }
            let index = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let mut flags = epoll::EventFlags::IN;
            if self.edge {
                flags |= epoll::EventFlags::ET;
            }
            if matches!(self.answer, Answer::SendFile { .. }) {
                flags |= epoll::EventFlags::OUT | epoll::EventFlags::ET;
            }
            epoll::add(
                poll,
                &socket,
                epoll::EventData::new_u64(index as u64),
                flags,
            )?;
            self.clients[index] = Some(Client {
                socket,
                request: 0,
                received: 0,
                offset: None,
            });
        }
    }

    fn serve(&mut self, index: usize) {
        let Some(client) = &mut self.clients[index] else {
            return;
        };
        // An error or the end of the stream both end the client.
        let open = match client.offset {
            Some(_) => send_file(client, &self.answer),
            None => answer(
                client,
                self.body,
                self.discards,
                &self.answer,
                &mut self.input,
                &mut self.output,
            ),
        };
        if !open.unwrap_or(false) {
            self.clients[index] = None;
            self.free.push(index);
        }
    }
}

fn answer(
    client: &mut Client,
    body: usize,
    discards: bool,
    answer: &Answer,
    input: &mut [u8],
    output: &mut Vec<u8>,
) -> io::Result<bool> {
    let flags = match discards && client.request > 0 {
        true => RecvFlags::TRUNC,
        false => RecvFlags::empty(),
    };
    let got = match net::recv(&client.socket, &mut *input, flags) {
        Ok((_, 0)) => return Ok(false),
        Ok((_, got)) => got,
        Err(Errno::AGAIN) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    if client.request == 0 {
        // A head in several pieces is not among the scenarios.
        let end = input[..got].windows(4).position(|end| end == b"\r\n\r\n");
        let end = end.ok_or(io::ErrorKind::InvalidData)?;
        client.request = end + 4 + body;
    }
    client.received += got;
    let count = client.received / client.request;
    client.received %= client.request;
    if count == 0 {
        return Ok(true);
    }
    let length = match answer {
        Answer::Memory(bytes) if count == 1 => {
            return Ok(net::send(&client.socket, bytes, SendFlags::NOSIGNAL)? == bytes.len());
        }
        Answer::Memory(bytes) => {
            output.clear();
            (0..count).for_each(|_| output.extend_from_slice(bytes));
            output.len()
        }
        Answer::Read { head, file } => {
            output.clear();
            output.extend_from_slice(head);
            rustix::io::pread(file, rustix::buffer::spare_capacity(output), 0)?;
            output.len()
        }
        Answer::SendFile { head, .. } => {
            client.offset = Some(0);
            net::send(&client.socket, head, SendFlags::NOSIGNAL | SendFlags::MORE)?;
            return send_file(client, answer);
        }
    };
    // Answers that fit no socket buffer are not among the scenarios.
    Ok(net::send(&client.socket, output, SendFlags::NOSIGNAL)? == length)
}

/// Sends as much of the file as the socket takes.
fn send_file(client: &mut Client, answer: &Answer) -> io::Result<bool> {
    let Answer::SendFile { file, length, .. } = answer else {
        return Ok(false);
    };
    while let Some(offset) = &mut client.offset {
        if offset == length {
            client.offset = None;
            break;
        }
        match rustix::fs::sendfile(&client.socket, file, Some(offset), MOST) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
