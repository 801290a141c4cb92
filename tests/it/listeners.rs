//! Where a server listens, and what it says about that.

#[cfg(unix)]
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};

use crate::client::Client;
#[cfg(unix)]
use crate::client::get;
use crate::support::{PATIENCE, assert_refused, handler, text};
use servette::base::HandlerFn;
use servette::{Exchange, HttpServer, Peer, RequestHandler, Result, ThreadingHttpServer};

type Handle = fn(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()>;

/// Answers with the client's address.
fn address() -> HandlerFn<Handle> {
    let handle: Handle = |h, x| text(h, x, &x.client_address.to_string());
    handler(handle)
}

fn own_address(client: &Client) -> SocketAddr {
    client.stream.local_addr().unwrap()
}

#[test]
fn port_0_takes_a_free_port() {
    let server = HttpServer::bind("127.0.0.1:0", address()).unwrap();
    assert_ne!(server.server_port(), 0);
    assert_eq!(server.server_name(), "127.0.0.1");
    let port = server.server_port();
    assert_eq!(
        server.info().url("/x?y"),
        format!("http://127.0.0.1:{port}/x?y")
    );
    assert_eq!(
        server.server_address(),
        Peer::Ip(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    );
    let server = server.spawn().unwrap();
    assert_eq!(server.url("x"), format!("http://127.0.0.1:{port}/x"));
    let mut client = Client::new(server.addr());
    assert_eq!(
        client.get("/").response().text(),
        own_address(&client).to_string()
    );
}

#[test]
fn an_address_that_cannot_be_bound_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = HttpServer::bind(address, self::address()).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    // Of several addresses, the first that can be bound.
    let several = [address, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let server = HttpServer::bind(&several[..], self::address()).unwrap();
    assert_ne!(server.server_port(), address.port());
    assert!(HttpServer::bind(&[] as &[SocketAddr], self::address()).is_err());
}

#[test]
fn a_tcp_listener_of_the_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    let server = ThreadingHttpServer::from_listener(listener, address()).unwrap();
    assert_eq!(server.server_address(), Peer::Ip(place));
    let server = server.spawn().unwrap();
    let mut client = Client::new(place);
    assert_eq!(
        client.get("/").response().text(),
        own_address(&client).to_string()
    );
    drop(server);
}

#[cfg(unix)]
#[test]
fn a_unix_socket() {
    let path = std::env::temp_dir().join(format!("servette-it-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let server = ThreadingHttpServer::from_listener(listener, address()).unwrap();
    assert_eq!(server.server_address(), Peer::Unix);
    assert_eq!(server.server_port(), 0);
    assert_eq!(server.info().url("/x"), "http://localhost/x");
    let server = server.spawn().unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    let _ = std::fs::remove_file(&path);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let requests = get("/") + "GET / HTTP/1.0\r\n\r\n";
    client.write_all(requests.as_bytes()).unwrap();
    let mut answers = String::new();
    client.read_to_string(&mut answers).unwrap();
    let bodies = answers.matches("\r\n\r\nunix").count();
    assert_eq!(bodies, 2, "{answers}");
    drop(server);
}

#[test]
fn ipv6() {
    let Ok(server) = HttpServer::bind("[::1]:0", address()) else {
        eprintln!("skipped: no IPv6");
        return;
    };
    let port = server.server_port();
    assert_eq!(server.server_name(), "::1");
    assert_eq!(server.info().url("/"), format!("http://[::1]:{port}/"));
    let server = server.spawn().unwrap();
    let mut client = Client::new(server.addr());
    assert_eq!(
        client.get("/").response().text(),
        own_address(&client).to_string()
    );
}

#[test]
fn ipv6_on_all_interfaces_serves_ipv4_too() {
    let Ok(server) = HttpServer::bind("[::]:0", address()) else {
        eprintln!("skipped: no IPv6");
        return;
    };
    let port = server.server_port();
    assert!(!server.server_name().is_empty() && !server.server_name().contains(':'));
    let _server = server.spawn().unwrap();
    for ip in [
        Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::from(Ipv6Addr::LOCALHOST),
    ] {
        let mut client = Client::new(SocketAddr::new(ip, port));
        let answer = client.get("/").response();
        assert_eq!(answer.text(), own_address(&client).to_string());
    }
}

#[test]
fn one_server_may_listen_at_several_places() {
    let server = ThreadingHttpServer::builder(address()).also_bind("[::1]:0");
    #[cfg(unix)]
    let path = std::env::temp_dir().join(format!("servette-also-{}", std::process::id()));
    #[cfg(unix)]
    let server = server.also_bind_unix(&path);
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let addresses = server.info().addresses.clone();
    assert_eq!(addresses.len(), if cfg!(unix) { 3 } else { 2 });
    assert_eq!(addresses[0], server.addr());
    for round in 0..20 {
        for at in &addresses[..2] {
            let mut client = Client::new(at);
            let own = own_address(&client).to_string();
            assert_eq!(client.get("/").response().text(), own, "{round}");
        }
        #[cfg(unix)]
        {
            let mut client = UnixStream::connect(&path).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("\r\n\r\nunix"), "{answer}");
        }
    }
    server.shutdown(PATIENCE).unwrap();
    for at in &addresses[..2] {
        assert_refused(at);
    }
    #[cfg(unix)]
    what_a_unix_socket_left_is_replaced(&path, &addresses[2]);
}

/// What it left behind is replaced, but nothing else is.
#[cfg(unix)]
fn what_a_unix_socket_left_is_replaced(path: &std::path::Path, address: &Peer) {
    assert_eq!(*address, Peer::Unix);
    assert!(UnixStream::connect(path).is_err());
    let again = HttpServer::builder(self::address())
        .bind_unix(path)
        .unwrap();
    let error = HttpServer::builder(self::address())
        .bind_unix(path)
        .unwrap_err();
    assert!(
        error.to_string().contains(&*path.to_string_lossy()),
        "{error}"
    );
    drop(again);
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, "a file").unwrap();
    assert!(
        HttpServer::builder(self::address())
            .bind_unix(path)
            .is_err()
    );
    assert_eq!(std::fs::read(path).unwrap(), b"a file");
    std::fs::remove_file(path).unwrap();
}

/// Whoever connects would wait there.
#[test]
#[cfg(unix)]
fn a_unix_socket_whose_queue_is_full_is_in_use() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let path = std::env::temp_dir().join(format!("servette-full-{}", std::process::id()));
    let own = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&own, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&own, 0).unwrap();
    let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let place = path.clone();
    std::thread::spawn(move || {
        let bound = HttpServer::builder(address()).bind_unix(place);
        tell.send(bound.map(drop)).unwrap();
    });
    let error = told.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn an_address_that_is_none_is_explained() {
    for error in [
        HttpServer::bind("8000", address()).unwrap_err(),
        HttpServer::builder(address())
            .also_bind("8000")
            .bind("127.0.0.1:0")
            .unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(
            error.contains("a host and a port, such as \"127.0.0.1:8000\""),
            "{error}"
        );
    }
}
