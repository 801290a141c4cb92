//! hyper 1 on a runtime of one thread.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use servette_bench_peers::{HELLO, listener, run};
use tokio::task::LocalSet;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = if request.method() == Method::POST {
        let mut body = request.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        Bytes::from(length.to_string())
    } else {
        let path = request.uri().path();
        if path == "/sleep" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        } else if let Some(Ok(micros)) = path.strip_prefix("/sleep/").map(str::parse) {
            // Code that blocks, on a thread that is there for it.
            let blocks = move || std::thread::sleep(Duration::from_micros(micros));
            let _ = tokio::task::spawn_blocking(blocks).await;
        }
        Bytes::from_static(HELLO.as_bytes())
    };
    let mut response = Response::new(Full::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn main() {
    run(LocalSet::new().run_until(async {
        let listener = tokio::net::TcpListener::from_std(listener()).expect("a listener");
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                continue;
            };
            let _ = socket.set_nodelay(true);
            tokio::task::spawn_local(async move {
                let mut http = http1::Builder::new();
                let connection = http
                    .pipeline_flush(true)
                    .serve_connection(TokioIo::new(socket), service_fn(answer));
                // A client that goes away is no news.
                let _ = connection.await;
                Ok::<_, Infallible>(())
            });
        }
    }))
}
