use servette::{Limits, RequestHandler, Result, ThreadingHttpServer};
use std::{io, process, time::Duration};

pub fn serve(handler: impl RequestHandler + Sync) -> Result<()> {
    let limits = Limits::default()
        .with_head_deadline(Duration::from_secs(5))
        .with_max_body(64_u64 << 10)
        .with_max_connections(1000_usize);
    let server = ThreadingHttpServer::builder(handler)
        .limits(limits)
        .bind("127.0.0.1:8000")?;
    let stop = server.shutdown_handle();
    ctrlc::set_handler(move || {
        let running = stop.shutdown(Duration::from_secs(10));
        if running > 0 {
            eprintln!("{running} handlers still run");
            process::exit(1);
        }
    })
    .map_err(io::Error::other)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
