//! A body that no handler reads, and of which a part has not come yet: the answer waits for it for a moment at most,
//! and no thread does.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::lifesupport::{Gate, spawn, spawn_both, spawn_gated, spawn_single};
use crate::support::{PATIENCE, echo, handler, until};
use servette::{Connection, Exchange, HttpServer, Next, RequestHandler, Result, base};

const HEAD: &str = "POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";

/// A client that has sent so much of its body.
fn sends_a_part(address: servette::Peer, length: usize) -> Client {
    let mut client = Client::new(address);
    client.send(HEAD.to_owned() + &"x".repeat(length));
    client
}

#[test]
fn handle_request_leaves_no_answer_behind() {
    let server = HttpServer::bind("127.0.0.1:0", handler(echo)).unwrap();
    let mut client = sends_a_part(server.server_address(), 10);
    assert!(server.handle_request().unwrap());
    assert_eq!(client.response().text(), "/unread");
}

#[test]
fn a_server_that_stops_leaves_no_answer_behind() {
    // While it waits, and where its handler ends after that.
    for length in [0, 10] {
        for is_single in [true, false] {
            let gate = Gate::default();
            let inner = gate.clone();
            let handler = handler(move |h, x| {
                inner.pass();
                echo(h, x)
            });
            let server = match is_single {
                true => spawn_single(handler),
                false => spawn(handler, |_| ()),
            };
            gate.open();
            let mut clients = [(); 3].map(|()| sends_a_part(server.addr(), length));
            gate.await_comers(3);
            assert_eq!(server.shutdown(PATIENCE).unwrap(), 0);
            for client in &mut clients {
                assert_eq!(client.response().text(), "/unread");
                client.assert_end();
            }
        }
        let (server, gate) = spawn_gated(|_| ());
        let mut clients = [(); 3].map(|()| sends_a_part(server.addr(), length));
        gate.await_comers(3);
        let stop = server.shutdown_handle();
        let stopping = std::thread::spawn(move || stop.shutdown(PATIENCE));
        let stop = server.shutdown_handle();
        until("it stops", || stop.is_stopping());
        gate.open();
        for client in &mut clients {
            assert_eq!(client.response().text(), "/unread");
            client.assert_end();
        }
        assert_eq!(stopping.join().unwrap(), 0);
    }
}

/// Handles several requests and ends then.
struct Several(usize, Next);

impl RequestHandler for Several {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        for _ in 0..self.0 {
            base::handle_one_request(self, conn)?;
        }
        Ok(self.1)
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        echo(&self, x)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn a_handle_that_ends_the_connection_leaves_no_answer_behind() {
    for server in spawn_both(Several(1, Next::Close)) {
        let mut client = sends_a_part(server.addr(), 10);
        assert_eq!(client.response().text(), "/unread");
        client.finish().assert_end();
    }
}

#[test]
fn no_answer_waits_for_the_next_request() {
    for server in spawn_both(Several(2, Next::Park)) {
        let mut client = sends_a_part(server.addr(), 10);
        let start = Instant::now();
        assert_eq!(client.response().text(), "/unread");
        // The deadline of heads is 15 s.
        assert!(start.elapsed() < Duration::from_secs(7));
    }
}

#[cfg(target_os = "linux")]
mod in_a_child {
    use super::*;
    use crate::client::crowd;
    use crate::lifesupport::child::{Child, serves};
    use crate::lifesupport::raise_descriptors;

    #[test]
    fn six_hundred_of_them_take_no_thread_and_keep_nobody_waiting() {
        if serves(|| spawn(handler(echo), |_| ())) {
            return;
        }
        if raise_descriptors() < 1_000 {
            eprintln!("skipped: too few descriptors");
            return;
        }
        let child = Child::start(
            "unread_bodies::in_a_child::six_hundred_of_them_take_no_thread_and_keep_nobody_waiting",
            None,
        );
        let part = HEAD.to_owned() + &"x".repeat(10_000);
        let mut clients = crowd(600, child.address, part);
        let start = Instant::now();
        let mut beside = Client::new(child.address);
        assert_eq!(beside.get("/beside").response().text(), "/beside");
        // The deadline of their bodies is 2 s.
        assert!(start.elapsed() < Duration::from_secs(1));
        for client in &mut clients {
            assert_eq!(client.response().text(), "/unread");
        }
        let threads = child.threads();
        // Some have been started because the machine was busy.
        assert!(threads <= 100, "{threads} threads");
        // Those whose bodies come are kept, the others end in an orderly way.
        let (others, come) = clients.split_at_mut(580);
        for client in come {
            client.send("x".repeat(90_000)).get("/next");
            assert_eq!(client.response().text(), "/next");
        }
        for client in others {
            client.assert_end();
        }
    }
}
