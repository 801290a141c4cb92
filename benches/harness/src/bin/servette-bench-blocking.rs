//! The server with handlers that block, for the scenarios in which they do: `/hello` answers at once,
//! `/sleep` after 100 ms, `/sleep/N` after N microseconds, `/random` one time in a hundred after up to 20 ms, `/big` with 100 MiB.
//! `/events` is a stream, and `/say` sends an event of 100 bytes to all of them.

use std::fmt;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use servette::{
    Chunk, Exchange, RequestHandler, ResponseStream, Result, Status, ThreadingHttpServer,
};

static BLOCK: [u8; 64 << 10] = [b'x'; 64 << 10];
const BIG: usize = 100 << 20;

#[derive(Default)]
struct Blocking {
    turn: AtomicU64,
    streams: Mutex<Vec<ResponseStream>>,
}

impl Blocking {
    /// Spreads a counter evenly, which is all the randomness that is needed.
    fn random(&self) -> u64 {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) + 1;
        turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
    }
}

impl RequestHandler for Blocking {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/sleep" => thread::sleep(Duration::from_millis(100)),
            "/random" => {
                let random = self.random();
                if random.is_multiple_of(100) {
                    thread::sleep(Duration::from_micros(random / 100 % 20_000));
                }
            }
            "/big" => {
                self.send_response(x, Status::OK);
                self.send_header(x, "Content-Length", &BIG.to_string());
                self.end_headers(x)?;
                for _ in 0..BIG / BLOCK.len() {
                    x.wfile.write_all(&BLOCK)?;
                }
                return Ok(());
            }
            "/events" => {
                self.send_response(x, Status::OK);
                self.send_header(x, "Content-Type", "text/event-stream");
                self.end_headers(x)?;
                let stream = x.wfile.start_stream()?;
                self.streams.lock().expect("no panic").push(stream);
                return Ok(());
            }
            "/say" => {
                let event = Chunk::from(format!("data: {}\n\n", "x".repeat(92)));
                let mut streams = self.streams.lock().expect("no panic");
                streams.retain(|stream| stream.send(&event).is_ok());
            }
            path => {
                let micros = path.strip_prefix("/sleep/").map(str::parse);
                if let Some(Ok(micros)) = micros {
                    thread::sleep(Duration::from_micros(micros));
                }
            }
        }
        self.send_content(x, Status::OK, "text/plain", b"Hello, World!")
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap_or_else(|| "8000".into());
    let mut builder = ThreadingHttpServer::builder(Blocking::default());
    if let Some(loops) = arguments.next().and_then(|loops| loops.parse().ok()) {
        builder = builder.event_loops(loops);
    }
    builder.bind(format!("127.0.0.1:{port}"))?.serve_forever()
}
