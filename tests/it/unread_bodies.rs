//! A body that no handler reads, and of which a part has not come yet: the answer waits for it for a moment at most,
//! and no thread does.

use crate::client::Client;
use crate::lifesupport::spawn_gated;
use crate::support::{PATIENCE, until};

const HEAD: &str = "POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";

/// A client that has sent so much of its body.
fn sends_a_part(address: servette::Peer, length: usize) -> Client {
    let mut client = Client::new(address);
    client.send(HEAD.to_owned() + &"x".repeat(length));
    client
}

#[test]
fn a_handler_that_ends_after_the_server_has_stopped_sends_its_response() {
    for length in [0, 10] {
        let (server, gate) = spawn_gated(|_| ());
        let mut clients = [(); 3].map(|()| sends_a_part(server.addr(), length));
        gate.await_comers(3);
        let stop = server.shutdown_handle();
        std::thread::scope(|scope| {
            let stopping = scope.spawn(|| stop.shutdown(PATIENCE));
            until("it stops", || stop.is_stopping());
            gate.open();
            for client in &mut clients {
                assert_eq!(client.response().text(), "/unread");
                client.assert_end();
            }
            assert_eq!(stopping.join().unwrap(), 0);
        });
    }
}

#[cfg(target_os = "linux")]
mod in_a_child {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::client::crowd;
    use crate::lifesupport::child::{Child, serves};
    use crate::lifesupport::{raise_descriptors, spawn};
    use crate::support::{echo, handler};

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
