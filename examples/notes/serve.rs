use servette::{Limits, RequestHandler, Result, ThreadingHttpServer};
use std::{io, mem, process, thread, time::Duration};

pub fn serve(handler: impl RequestHandler + Sync) -> Result<()> {
    let limits = Limits::default()
        .with_head_deadline(Duration::from_secs(5))
        .with_max_body(64 << 10)
        .with_max_connections(1000);
    let server = ThreadingHttpServer::builder(handler)
        .limits(limits)
        .bind("127.0.0.1:8000")?;
    let stop = server.shutdown_handle();
    let mut is_stopping = false;
    ctrlc::set_handler(move || {
        if mem::replace(&mut is_stopping, true) {
            process::exit(130); // the second signal
        }
        let stop = stop.clone();
        thread::spawn(move || {
            let running = stop.shutdown(Duration::from_secs(10));
            if running > 0 {
                eprintln!("{running} requests are not finished");
                process::exit(1);
            }
        });
    })
    .map_err(io::Error::other)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
