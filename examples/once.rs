//! A program that needs one request and then goes on, like one that logs in by way of the browser
//! (OAuth): it waits for the callback, takes the code out of it, and stops listening.
//!
//!     cargo run --example once -- 8000
//!     curl 'http://127.0.0.1:8000/callback?state=x&code=4711'

use servette::{HttpServer, Result, Status, handler_fn};
use std::cell::RefCell;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());

    // `HttpServer` runs its handler on this thread, so the handler may borrow and need not be `Sync`.
    let code = RefCell::new(None);
    let handler = handler_fn(|_, x| match code_of(x.path) {
        Some(value) => {
            *code.borrow_mut() = Some(value.to_owned());
            x.send_content(Status::OK, "text/plain", b"You can close this page.\n")
        }
        // Browsers ask for /favicon.ico too.
        None => x.send_error(Status::NOT_FOUND),
    });
    let server = HttpServer::builder(handler.quiet())
        .timeout(Duration::from_secs(1))
        .bind(format!("127.0.0.1:{port}"))?;
    println!("{}", server.info().url("/callback"));

    // One request after the other, whatever else is asked for; after a minute, the program goes on without.
    let deadline = Instant::now() + Duration::from_secs(60);
    while code.borrow().is_none() && Instant::now() < deadline {
        server.handle_request()?;
    }
    drop(server);

    match code.into_inner() {
        Some(code) => println!("the code is {code}"),
        None => println!("nobody came"),
    }
    Ok(())
}

/// The code, if this is the path of the callback.
fn code_of(path: &str) -> Option<&str> {
    let query = path.strip_prefix("/callback?")?;
    query.split('&').find_map(|pair| pair.strip_prefix("code="))
}
