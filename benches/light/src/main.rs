//! A server on port 8000 that answers every request with `Hello, World!`: one program for each feature.

#[cfg(feature = "servette")]
fn main() -> servette::Result<()> {
    use servette::{Status, ThreadingHttpServer, handler_fn};

    let hello = handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", b"Hello, World!"));
    ThreadingHttpServer::bind("127.0.0.1:8000", hello)?.serve_forever()
}

#[cfg(feature = "tiny_http")]
fn main() {
    use tiny_http::{Response, Server};

    let server = Server::http("127.0.0.1:8000").expect("the port is free");
    for request in server.incoming_requests() {
        let _ = request.respond(Response::from_string("Hello, World!"));
    }
}

#[cfg(feature = "hyper")]
fn main() -> std::io::Result<()> {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper::{Response, body::Incoming};
    use hyper_util::rt::TokioIo;

    async fn hello(_: hyper::Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::new(Bytes::from_static(b"Hello, World!"))))
    }

    runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello));
            tokio::spawn(served);
        }
    })
}

#[cfg(feature = "axum")]
fn main() -> std::io::Result<()> {
    use axum::Router;

    runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
        let router = Router::new().fallback(|| async { "Hello, World!" });
        axum::serve(listener, router).await
    })
}

#[cfg(any(feature = "hyper", feature = "axum"))]
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
}
