//! axum 0.8 on a runtime of one thread.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures_util::StreamExt as _;
use servette_bench_peers::{HELLO, listener, run};

async fn hello() -> &'static str {
    HELLO
}

async fn sleep() -> &'static str {
    tokio::time::sleep(Duration::from_millis(100)).await;
    HELLO
}

async fn post(body: Body) -> String {
    let mut length = 0;
    let mut chunks = body.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        length += chunk.len();
    }
    length.to_string()
}

fn main() {
    run(async {
        let listener = tokio::net::TcpListener::from_std(listener()).expect("a listener");
        let listener = listener.tap_io(|socket| {
            let _ = socket.set_nodelay(true);
        });
        let routes = Router::new()
            .route("/hello", get(hello).post(post))
            .route("/sleep", get(sleep));
        axum::serve(listener, routes)
            .await
            .expect("it serves for ever");
    })
}
