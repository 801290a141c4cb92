//! Server-sent events: a chat page that shows how many browsers have it open, and all messages. The streams occupy no
//! threads, and each event is encoded once for all of them. Open <http://127.0.0.1:8000/>, or:
//!
//!     cargo run --example events -- 8000
//!     curl -N http://127.0.0.1:8000/events
//!     curl -d 'hello, all' http://127.0.0.1:8000/say

use servette::events::{self, Event};
use servette::{Chunk, Exchange, RequestHandler, ResponseStream, Result, Status};
use servette::{ThreadingHttpServer, base};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Events</title>
<p><output id="count">0</output> open
<form><input name="text" autocomplete="off" autofocus> <button>Say</button></form>
<ul id="said"></ul>
<script>
const source = new EventSource("/events");
source.addEventListener("count", event => {
    document.getElementById("count").textContent = event.data;
});
source.onmessage = event => {
    const line = document.createElement("li");
    line.textContent = event.data;
    document.getElementById("said").prepend(line);
};
document.forms[0].onsubmit = event => {
    event.preventDefault();
    const input = event.target.text;
    fetch("/say", {method: "POST", body: input.value});
    input.value = "";
};
</script>
"#;

/// The open streams.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<ResponseStream>>>);

impl Room {
    fn enter(&self, stream: ResponseStream) {
        let room = self.clone();
        // Updates the count for the others when the client disconnects.
        stream.notify(move |_| room.count());
        self.with(|streams| streams.push(stream));
        self.count();
    }

    fn say(&self, event: &Event) {
        let chunk = Chunk::from(event);
        self.with(|streams| streams.retain(|stream| stream.send(&chunk).is_ok()));
    }

    fn count(&self) {
        let count = self.with(|streams| {
            streams.retain(|stream| !stream.is_closed());
            streams.len()
        });
        self.say(&Event::new(&count.to_string()).name("count"));
    }

    fn with<T>(&self, change: impl FnOnce(&mut Vec<ResponseStream>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RequestHandler for Room {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match (x.command, x.path) {
            ("GET", "/") => {
                let html = "text/html; charset=utf-8";
                x.send_content(Status::OK, html, PAGE)
            }
            ("GET", "/events") => {
                let stream = events::begin(x)?;
                stream.send(Event::new("welcome").retry(Duration::from_secs(1)))?;
                self.enter(stream);
                Ok(())
            }
            ("POST", "/say") => {
                let mut text = String::new();
                (&mut x.rfile).take(1000).read_to_string(&mut text)?;
                self.say(&Event::new(&text));
                x.send_content(Status::NO_CONTENT, "", "")
            }
            ("GET", _) => x.send_error(Status::NOT_FOUND),
            _ => base::do_method(self, x),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let server = ThreadingHttpServer::bind(format!("127.0.0.1:{port}"), Room::default())?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
