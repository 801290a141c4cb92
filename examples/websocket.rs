//! A WebSocket beside HTTP: the handler answers the handshake, detaches the connection from the server
//! (`Exchange::detach`), and runs the crate tungstenite on it, in a thread of its own.
//!
//!     cargo run --example websocket -- 8000
//!
//! and open <http://127.0.0.1:8000/>. If only the server sends, use server-sent events, which need no threads:
//! `examples/events.rs`.

use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
use std::thread;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket};

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Echo</title>
<form><input name="text" autocomplete="off" autofocus> <button>Send</button></form>
<ul id="echoes"></ul>
<script>
const socket = new WebSocket(`ws://${location.host}/echo`);
socket.onmessage = event => {
    const line = document.createElement("li");
    line.textContent = event.data;
    document.getElementById("echoes").prepend(line);
};
document.forms[0].onsubmit = event => {
    event.preventDefault();
    socket.send(event.target.text.value);
};
</script>
"#;

struct Sockets;

impl RequestHandler for Sockets {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match (x.command, x.path) {
            ("GET", "/") => {
                let html = "text/html; charset=utf-8";
                x.send_content(Status::OK, html, PAGE)
            }
            ("GET", "/echo") => self.upgrade(x),
            ("GET", _) => x.send_error(Status::NOT_FOUND),
            _ => base::do_method(self, x),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

impl Sockets {
    fn upgrade(&self, x: &mut Exchange<'_>) -> Result<()> {
        let upgrades = x.headers.get_all("Upgrade");
        let is_websocket = upgrades
            .into_iter()
            .any(|name| name.eq_ignore_ascii_case("websocket"));
        let key = x.headers.get("Sec-WebSocket-Key").filter(|_| is_websocket);
        let Some(key) = key else {
            x.send_header("Upgrade", "websocket");
            x.send_header("Connection", "Upgrade");
            return x.send_error(Status::UPGRADE_REQUIRED);
        };
        x.log_request(101, None);
        x.send_response_only(Status::SWITCHING_PROTOCOLS);
        x.send_header("Upgrade", "websocket");
        x.send_header("Connection", "Upgrade");
        x.send_header("Sec-WebSocket-Accept", &derive_accept_key(key.as_bytes()));
        x.end_headers()?;
        let stream = x.detach()?;
        thread::spawn(move || {
            // An error means that the client has closed the socket.
            let _ = echo(WebSocket::from_raw_socket(stream, Role::Server, None));
        });
        Ok(())
    }
}

fn echo(mut socket: WebSocket<servette::DetachedStream>) -> tungstenite::Result<()> {
    loop {
        let message = socket.read()?;
        if message.is_text() || message.is_binary() {
            socket.send(message)?;
        }
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let server = ThreadingHttpServer::bind(format!("127.0.0.1:{port}"), Sockets)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
