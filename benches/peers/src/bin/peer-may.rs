//! may_minihttp with one worker.

use std::io::{self, BufRead as _};

use may_minihttp::{HttpServer, HttpService, Request, Response};
use servette_bench_peers::{HELLO, port};

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(
        &mut self,
        request: Request<'_, '_, '_>,
        response: &mut Response<'_>,
    ) -> io::Result<()> {
        response.header("Content-Type: text/plain");
        if request.method() != "POST" {
            response.body(HELLO);
            return Ok(());
        }
        let mut body = request.body();
        let mut length = 0;
        loop {
            let got = body.fill_buf()?.len();
            if got == 0 {
                break;
            }
            body.consume(got);
            length += got;
        }
        response.body_vec(length.to_string().into());
        Ok(())
    }
}

fn main() -> io::Result<()> {
    may::config().set_workers(1);
    let server = HttpServer(Hello).start(("127.0.0.1", port()))?;
    server.wait();
    Ok(())
}
