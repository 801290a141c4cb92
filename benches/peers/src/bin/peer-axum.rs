//! axum 0.8 on a runtime of one thread.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use futures_util::StreamExt as _;
use servette_bench_peers::{EVENT, HELLO, listener, run};
use tokio::sync::broadcast::{Sender, channel};

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

async fn events(State(sender): State<Sender<Bytes>>) -> Response {
    let receiver = sender.subscribe();
    let events = futures_util::stream::unfold(receiver, |mut receiver| async {
        let event = receiver.recv().await.ok()?;
        Some((Ok::<_, std::convert::Infallible>(event), receiver))
    });
    let body = Body::from_stream(events);
    ([("content-type", "text/event-stream")], body).into_response()
}

async fn say(State(sender): State<Sender<Bytes>>) -> &'static str {
    let _ = sender.send(Bytes::from_static(EVENT.as_bytes()));
    HELLO
}

fn main() {
    run(async {
        let listener = tokio::net::TcpListener::from_std(listener()).expect("a listener");
        let listener = listener.tap_io(|socket| {
            let _ = socket.set_nodelay(true);
        });
        let routes = Router::new()
            .route("/hello", get(hello).post(post))
            .route("/sleep", get(sleep))
            .route("/events", get(events))
            .route("/say", get(say))
            .with_state(channel(64).0);
        axum::serve(listener, routes)
            .await
            .expect("it serves for ever");
    })
}
