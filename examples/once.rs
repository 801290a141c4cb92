//! Waits for one request, then goes on: for a program that logs in with a browser (OAuth). It gets the callback, takes
//! the code from its query, and stops listening.
//!
//!     cargo run --example once -- 8000
//!     curl 'http://127.0.0.1:8000/callback?state=x&code=4711'

use servette::{HttpServer, Result, Status, handler_fn};
use std::cell::RefCell;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());

    // `HttpServer` runs its handler on this thread, so the handler may borrow a `RefCell`.
    let code = RefCell::new(None);
    let handler = handler_fn(|_, x| match code_of(x.path) {
        Some(value) => {
            *code.borrow_mut() = Some(value.to_owned());
            x.send_content(Status::OK, "text/plain", b"You can close this page.\n")
        }
        // Browsers request /favicon.ico too.
        None => x.send_error(Status::NOT_FOUND),
    });
    let server = HttpServer::builder(handler.quiet())
        .timeout(Duration::from_secs(1))
        .bind(format!("127.0.0.1:{port}"))?;
    println!("{}", server.info().url("/callback"));

    // Handles requests until the callback has come, for a minute at most.
    let deadline = Instant::now() + Duration::from_secs(60);
    while code.borrow().is_none() && Instant::now() < deadline {
        server.handle_request()?;
    }
    drop(server);

    match code.into_inner() {
        Some(code) => println!("the code is {code}"),
        None => println!("no callback in a minute"),
    }
    Ok(())
}

/// Returns the code in the query, or `None` if this is not the path of the callback.
fn code_of(path: &str) -> Option<&str> {
    let query = path.strip_prefix("/callback?")?;
    query.split('&').find_map(|pair| pair.strip_prefix("code="))
}
