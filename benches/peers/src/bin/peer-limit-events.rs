//! The limit of event streams: an epoll loop that keeps every client of `/events`, and calls `send` for each of them, one
//! after the other, whenever somebody asks for `/say`.
//!
//!     peer-limit-events PORT

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, SocketFlags, sockopt};
use servette_bench_peers::{EVENT, HELLO, listener};

const LISTENER: u64 = u64::MAX;

fn main() -> io::Result<()> {
    let listener = listener();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = epoll::EventData::new_u64(LISTENER);
    epoll::add(&poll, &listener, data, epoll::EventFlags::IN)?;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let hello = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{HELLO}",
        HELLO.len()
    );
    let event = format!("{:x}\r\n{EVENT}\r\n", EVENT.len());
    let mut clients: Vec<Option<OwnedFd>> = Vec::new();
    let mut streams: Vec<usize> = Vec::new();
    let mut input = vec![0; 16 << 10];
    let mut events = Vec::with_capacity(512);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        for polled in &events {
            let index = polled.data.u64();
            if index == LISTENER {
                accept(&poll, &listener, &mut clients)?;
                continue;
            }
            let Some(socket) = clients.get(index as usize).and_then(Option::as_ref) else {
                continue;
            };
            let got = match net::recv(socket, &mut input[..], RecvFlags::empty()) {
                Ok((_, got)) => got,
                Err(Errno::AGAIN) => continue,
                Err(_) => 0,
            };
            let request = &input[..got];
            if request.is_empty() {
                streams.retain(|&stream| stream as u64 != index);
                clients[index as usize] = None;
            } else if request.starts_with(b"GET /events ") {
                net::send(socket, head.as_bytes(), SendFlags::NOSIGNAL)?;
                streams.push(index as usize);
            } else {
                if request.starts_with(b"GET /say ") {
                    for stream in streams.iter().filter_map(|&stream| clients[stream].as_ref()) {
                        net::send(stream, event.as_bytes(), SendFlags::NOSIGNAL)?;
                    }
                }
                net::send(socket, hello.as_bytes(), SendFlags::NOSIGNAL)?;
            }
        }
    }
}

fn accept(
    poll: &OwnedFd,
    listener: &std::net::TcpListener,
    clients: &mut Vec<Option<OwnedFd>>,
) -> io::Result<()> {
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = match net::accept_with(listener, flags) {
            Ok(socket) => socket,
            Err(Errno::MFILE) => {
                std::thread::sleep(Duration::from_millis(1));
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        sockopt::set_tcp_nodelay(&socket, true)?;
        let data = epoll::EventData::new_u64(clients.len() as u64);
        epoll::add(poll, &socket, data, epoll::EventFlags::IN)?;
        clients.push(Some(socket));
    }
}
