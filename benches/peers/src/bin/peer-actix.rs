//! actix-web 4 with one worker.

use std::time::Duration;

use actix_web::{App, HttpServer, rt, web};
use futures_util::StreamExt as _;
use servette_bench_peers::{HELLO, listener};

async fn hello() -> &'static str {
    HELLO
}

async fn sleep() -> &'static str {
    rt::time::sleep(Duration::from_millis(100)).await;
    HELLO
}

async fn post(mut body: web::Payload) -> String {
    let mut length = 0;
    while let Some(Ok(chunk)) = body.next().await {
        length += chunk.len();
    }
    length.to_string()
}

fn main() -> std::io::Result<()> {
    let app = || {
        let resource = web::resource("/hello").get(hello).post(post);
        App::new()
            .service(resource)
            .service(web::resource("/sleep").get(sleep))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(20_000)
        .listen(listener())?;
    rt::System::new().block_on(server.run())
}
