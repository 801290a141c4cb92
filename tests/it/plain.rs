//! A server without the crate, of a thread for each connection: it shows whether a system can do what a test counts.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 16;
const REQUESTS: usize = 200;

/// Returns true if handlers of 2 ms can wait at the same time: at least 8 others beside each, of 16 clients.
///
/// wine carries out each call on a socket in one process for all, so few of them come that far together.
pub(crate) fn many_wait_together() -> bool {
    if cfg!(unix) {
        return true;
    }
    let others = others_beside_each();
    let is_quick = others >= CLIENTS / 2;
    if !is_quick {
        eprintln!("skipped under wine: a thread for each connection has {others} others beside it");
    }
    is_quick
}

/// How many other handlers wait, on average, when one of them begins to.
fn others_beside_each() -> usize {
    let (waiting, beside, begun) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let is_enough = AtomicBool::new(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 64]);
        beside.fetch_add(waiting.fetch_add(1, SeqCst), SeqCst);
        begun.fetch_add(1, SeqCst);
        thread::sleep(Duration::from_millis(2));
        waiting.fetch_sub(1, SeqCst);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !is_enough.load(SeqCst) {
                    // It fails once the listener is closed.
                    if let Ok(mut client) = TcpStream::connect(address) {
                        let _ = client.write_all(b"GET / HTTP/1.0\r\n\r\n");
                        let _ = client.read(&mut [0; 64]);
                    }
                }
            });
        }
        while begun.load(SeqCst) < REQUESTS {
            let (stream, _) = listener.accept().unwrap();
            scope.spawn(move || serve(stream));
        }
        is_enough.store(true, SeqCst);
        // Clients that wait to be accepted get an end.
        drop(listener);
    });
    beside.load(SeqCst) / begun.load(SeqCst)
}
