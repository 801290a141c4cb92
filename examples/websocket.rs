//! A WebSocket beside HTTP: the handler answers the handshake, detaches the connection from the server
//! (`Exchange::detach`), and runs the crate tungstenite on it, in a thread of its own.
//!
//!     cargo run --example websocket -- 8000
//!
//! and open <http://127.0.0.1:8000/>. If only the server sends, use server-sent events, which need no threads:
//! `examples/events.rs`.

use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
use std::thread;
use std::time::Duration;
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
        // RFC 6455, section 4.2.1. An Upgrade field of HTTP/1.0 must be ignored (RFC 9110, section 7.8).
        let is_websocket = x.request_version == "HTTP/1.1"
            && has_token(x, "Connection", "Upgrade")
            && has_token(x, "Upgrade", "websocket")
            && x.headers.get("Sec-WebSocket-Version") == Some("13");
        let key = x.headers.get("Sec-WebSocket-Key").filter(|_| is_websocket);
        let Some(key) = key else {
            x.send_header("Upgrade", "websocket");
            x.send_header("Connection", "Upgrade");
            x.send_header("Sec-WebSocket-Version", "13");
            return x.send_error(Status::UPGRADE_REQUIRED);
        };
        // An unread body would be in the stream.
        x.rfile.discard()?;
        x.log_request(101, None);
        x.send_response_only(Status::SWITCHING_PROTOCOLS);
        x.send_header("Upgrade", "websocket");
        x.send_header("Connection", "Upgrade");
        x.send_header("Sec-WebSocket-Accept", &derive_accept_key(key.as_bytes()));
        x.end_headers()?;
        let stream = x.detach()?;
        // Without it, a client that leaves without a word would keep its thread for ever.
        stream.set_read_timeout(Some(Duration::from_secs(300)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        thread::spawn(move || {
            // An error means that the client has closed the socket, or was silent for too long.
            let _ = echo(WebSocket::from_raw_socket(stream, Role::Server, None));
        });
        Ok(())
    }
}

/// Returns true if a field that is a list contains this token.
fn has_token(x: &Exchange<'_>, field: &str, token: &str) -> bool {
    let values = x.headers.get_all(field);
    let mut tokens = values.flat_map(|value| value.split(','));
    tokens.any(|of_list| of_list.trim().eq_ignore_ascii_case(token))
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
