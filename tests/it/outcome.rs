//! `end_request` and the log line of a request come at the end of its response, also if that goes on after the handler,
//! and say how it ended.

use std::fs;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use servette::base::Outcome;
use servette::{
    Connection, Deferred, Exchange, HttpServer, Layer, Limits, Log, LogFormat, Next,
    RequestHandler, ResponseStream, Result, RunningServer, SimpleHandler, Status,
    ThreadingHttpServer, respond, simple,
};

use crate::client::{Client, get};
use crate::lifesupport::{Gate, secured, spawn, spawn_single};
use crate::support::{PATIENCE, until};
use crate::webroot::WebRoot;

/// More than the buffers of the system take for a slow client.
const BIG: usize = 8 << 20;
/// A deadline that is waited for in earnest.
const SHORT: Duration = Duration::from_millis(300);

/// What a handler leaves to the test.
enum Handed {
    Stream(ResponseStream),
    Deferred(Deferred),
}

/// Serves files, streams and deferred responses, and reports what each request came to.
struct Site {
    files: SimpleHandler,
    handed: Mutex<Sender<Handed>>,
    ends: Mutex<Sender<(String, Outcome)>>,
    gate: Gate,
}

impl Layer for Site {
    fn inner(&self) -> &dyn RequestHandler {
        &self.files
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.set_data(String::from(x.path));
        match x.path {
            "/stream" | "/length" => {
                x.send_response(Status::OK);
                if x.path == "/length" {
                    x.send_header("Content-Length", "100");
                }
                x.end_headers()?;
                let stream = x.wfile.start_stream()?;
                self.hand(Handed::Stream(stream))
            }
            "/deferred" => {
                let deferred = x.defer()?;
                self.hand(Handed::Deferred(deferred))
            }
            "/gate" => {
                self.gate.pass();
                x.send_content(Status::OK, "text/plain", "")
            }
            _ => simple::do_method(self, x),
        }
    }

    fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
        let path = x.data::<String>().unwrap();
        assert_eq!(path, x.path, "the data of another request");
        assert_eq!(x.headers.get("Host"), Some("h"));
        #[cfg(feature = "self-signed")]
        assert_eq!(x.tls().is_some(), crate::over_tls::is_on());
        let end = (path.clone(), outcome.clone());
        self.ends.lock().unwrap().send(end).unwrap();
        if x.requestline.contains("?panics") {
            panic!("on purpose");
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

impl Site {
    fn hand(&self, handed: Handed) -> Result<()> {
        let sent = self.handed.lock().unwrap().send(handed);
        sent.map_err(servette::Error::other)
    }
}

/// What a site tells the test.
struct Told {
    handed: Receiver<Handed>,
    ends: Receiver<(String, Outcome)>,
    gate: Gate,
    root: WebRoot,
}

impl Told {
    /// The next end of a request, which is that of this path.
    #[track_caller]
    fn end(&self, path: &str) -> Outcome {
        let (of, outcome) = self.ends.recv_timeout(PATIENCE).unwrap();
        assert_eq!(of, path, "{outcome:?}");
        outcome
    }

    #[track_caller]
    fn cut(&self, path: &str) -> Outcome {
        let outcome = self.end(path);
        assert!(outcome.is_cut && outcome.code == 200, "{outcome:?}");
        outcome
    }

    #[track_caller]
    fn whole(&self, path: &str, body: usize) -> Outcome {
        let outcome = self.end(path);
        assert!(!outcome.is_cut && outcome.code == 200, "{outcome:?}");
        assert_eq!(outcome.body_bytes, body as u64, "{outcome:?}");
        outcome
    }

    #[track_caller]
    fn has_no_end(&self) {
        let end = self.ends.try_recv();
        assert!(end.is_err(), "{end:?}");
    }

    fn stream(&self) -> ResponseStream {
        match self.handed.recv_timeout(PATIENCE).unwrap() {
            Handed::Stream(stream) => stream,
            Handed::Deferred(_) => panic!("a deferred request"),
        }
    }

    fn deferred(&self) -> Deferred {
        match self.handed.recv_timeout(PATIENCE).unwrap() {
            Handed::Deferred(deferred) => deferred,
            Handed::Stream(_) => panic!("a stream"),
        }
    }
}

fn site() -> (Site, Told) {
    let root = WebRoot::new();
    root.file("big", vec![b'b'; BIG]);
    root.file("small", "a small file");
    let (handed, from_handler) = channel();
    let (ends, from_end) = channel();
    let gate = Gate::default();
    let site = Site {
        files: SimpleHandler::new(root.path()),
        handed: Mutex::new(handed),
        ends: Mutex::new(ends),
        gate: gate.clone(),
    };
    let told = Told {
        handed: from_handler,
        ends: from_end,
        gate,
        root,
    };
    (site, told)
}

fn threading(set: impl FnOnce(&mut Limits)) -> (RunningServer, Told) {
    let (site, told) = site();
    (spawn(site, set), told)
}

fn both() -> [(RunningServer, Told); 2] {
    let (site, told) = site();
    [(spawn_single(site), told), threading(|_| ())]
}

/// A slow client that has asked for this, and whose response has begun.
fn asking(server: &RunningServer, requests: &str) -> Client {
    let mut client = Client::slow(server.addr());
    client.send(requests).peek(1);
    client
}

/// Another client is served, so the handler of the one before has returned where there is one thread.
fn others_are_served(server: &RunningServer, told: &Told) {
    Client::new(server.addr()).get("/small").response();
    told.whole("/small", 12);
}

#[test]
fn a_whole_file_ends_when_its_last_byte_is_sent() {
    for (server, told) in both() {
        let mut client = asking(&server, &(get("/big") + &get("/small")));
        others_are_served(&server, &told);
        let start = Instant::now();
        thread::park_timeout(SHORT / 3);
        told.has_no_end();
        let passed = start.elapsed();
        assert_eq!(client.hurry().response().body.len(), BIG);
        let outcome = told.whole("/big", BIG);
        assert!(outcome.bytes > BIG as u64 && outcome.elapsed >= passed);
        // The next one on the connection ends after it.
        assert_eq!(client.response().text(), "a small file");
        told.whole("/small", 12);
        client.get("/small").response();
        told.whole("/small", 12);
        told.has_no_end();
    }
}

#[test]
fn a_file_that_ends_the_connection_is_reported_once() {
    for (server, told) in both() {
        let close = "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let mut client = asking(&server, close);
        others_are_served(&server, &told);
        assert_eq!(client.hurry().response().body.len(), BIG);
        client.assert_end();
        told.whole("/big", BIG);
        server.shutdown(PATIENCE).unwrap();
        told.has_no_end();
    }
}

#[test]
fn a_client_that_leaves_within_a_file_cuts_it() {
    for (server, told) in both() {
        let client = asking(&server, &(get("/big") + &get("/small")));
        others_are_served(&server, &told);
        client.reset();
        let outcome = told.cut("/big");
        assert!(
            outcome.bytes > 0 && outcome.bytes < BIG as u64,
            "{outcome:?}"
        );
        others_are_served(&server, &told);
        told.has_no_end();
    }
}

#[test]
fn a_client_that_reads_nothing_until_the_deadline_is_reported() {
    let (server, told) = threading(|limits| limits.write_timeout = SHORT);
    let _client = asking(&server, &get("/big"));
    let outcome = told.cut("/big");
    assert!(
        outcome.bytes < BIG as u64 && outcome.elapsed >= SHORT,
        "{outcome:?}"
    );
    others_are_served(&server, &told);
}

#[test]
fn a_client_that_makes_room_for_another_is_reported() {
    let (server, told) = threading(|limits| limits.max_connections = 1);
    let _client = asking(&server, &get("/big"));
    until("it makes room", || {
        Client::new(server.addr()).get("/small").response().status == 200
    });
    // The others were answered with 503, or the last one with 200.
    let ends: Vec<_> = told.ends.try_iter().collect();
    let cut = ends.iter().find(|(path, _)| path == "/big");
    let outcome = cut.map_or_else(|| told.cut("/big"), |(_, outcome)| outcome.clone());
    assert!(outcome.is_cut && outcome.bytes < BIG as u64, "{outcome:?}");
}

#[test]
fn a_file_that_shrinks_is_cut() {
    for (server, told) in both() {
        let mut client = asking(&server, &get("/big"));
        others_are_served(&server, &told);
        let file = fs::File::options().write(true).open(told.root.join("big"));
        file.unwrap().set_len(BIG as u64 / 2).unwrap();
        let length = client.hurry().rest_or_reset().len() as u64;
        let outcome = told.cut("/big");
        assert!(outcome.bytes >= length && outcome.body_bytes <= BIG as u64 / 2);
    }
}

#[test]
fn a_server_that_stops_loses_no_end() {
    for (server, told) in both() {
        let mut clients = [(); 3].map(|()| asking(&server, &get("/big")));
        let stopping = thread::spawn(move || server.shutdown(PATIENCE).unwrap());
        for client in &mut clients {
            assert_eq!(client.hurry().response().body.len(), BIG);
        }
        stopping.join().unwrap();
        for _ in &clients {
            told.whole("/big", BIG);
        }
        told.has_no_end();
    }
    // At the deadline they are cut, and the end is reported before the call returns.
    for (server, told) in both() {
        let mut streaming = Client::new(server.addr());
        streaming.get("/stream");
        let stream = told.stream();
        let mut deferring = Client::new(server.addr());
        deferring.get("/deferred");
        let deferred = told.deferred();
        let _clients = [(); 3].map(|()| asking(&server, &get("/big")));
        server.shutdown(SHORT).unwrap();
        let mut ends: Vec<_> = told.ends.try_iter().collect();
        ends.sort_by(|(one, _), (other, _)| one.cmp(other));
        let paths: Vec<_> = ends.iter().map(|(path, _)| &**path).collect();
        assert_eq!(paths, ["/big", "/big", "/big", "/deferred", "/stream"]);
        assert!(ends.iter().all(|(_, outcome)| outcome.is_cut), "{ends:?}");
        assert!(stream.is_closed() && deferred.is_closed());
    }
}

#[test]
fn a_stream_ends_when_the_program_ends_it() {
    for (server, told) in both() {
        let mut client = Client::new(server.addr());
        client.get("/stream").get("/small");
        let stream = told.stream();
        others_are_served(&server, &told);
        client.head();
        stream.send("0123456789").unwrap();
        client.chunk().unwrap();
        thread::park_timeout(SHORT / 3);
        told.has_no_end();
        drop(stream);
        client.chunk().unwrap();
        // One chunk with its size and two line ends, and the last chunk.
        let outcome = told.whole("/stream", 1 + 2 + 10 + 2 + 5);
        assert!(outcome.elapsed >= SHORT / 3, "{outcome:?}");
        assert_eq!(client.response().text(), "a small file");
        told.whole("/small", 12);
        told.has_no_end();
    }
}

#[test]
fn a_stream_is_cut_by_either_side() {
    for (server, told) in both() {
        let open = |path: &str| {
            let mut client = Client::new(server.addr());
            client.get(path);
            let stream = told.stream();
            client.head();
            stream.send("0123456789").unwrap();
            client.peek(10);
            (client, stream)
        };
        let (client, stream) = open("/length");
        client.reset();
        assert_eq!(told.cut("/length").body_bytes, 10);
        assert!(stream.is_closed());

        let (_client, stream) = open("/length");
        stream.abort();
        assert_eq!(told.cut("/length").body_bytes, 10);

        let (_client, stream) = open("/length");
        drop(stream);
        assert_eq!(told.cut("/length").body_bytes, 10);

        let (_client, stream) = open("/stream");
        while stream.send(vec![b'x'; 100_000]).is_ok() {}
        let outcome = told.cut("/stream");
        assert!(outcome.body_bytes > 0, "{outcome:?}");
        told.has_no_end();
    }
}

#[test]
fn a_deferred_request_ends_with_its_response_or_with_its_client() {
    for (server, told) in both() {
        let mut client = Client::new(server.addr());
        client.get("/deferred");
        let deferred = told.deferred();
        others_are_served(&server, &told);
        deferred.answer(|_, x| x.send_content(Status::OK, "text/plain", [b'd'; 100_000]));
        assert_eq!(client.response().body.len(), 100_000);
        told.whole("/deferred", 100_000);

        client.get("/deferred");
        let deferred = told.deferred();
        client.reset();
        let outcome = told.end("/deferred");
        assert!(outcome.is_cut && outcome.code == 0 && outcome.bytes == 0);
        assert!(deferred.is_closed());

        // The response of a deferred request may have a tail, too.
        let mut client = Client::slow(server.addr());
        client.get("/deferred");
        told.deferred().answer(|h, x| {
            let files = h.as_files().unwrap();
            x.send_response(Status::OK);
            x.send_header("Content-Length", &BIG.to_string());
            x.end_headers()?;
            let path = files.translate_path("/big");
            let file = fs::File::open(path)?;
            Ok(x.wfile.send_file(&file, 0, BIG as u64).map(drop)?)
        });
        client.peek(1);
        others_are_served(&server, &told);
        told.has_no_end();
        assert_eq!(client.hurry().response().body.len(), BIG);
        told.whole("/deferred", BIG);
    }
}

#[test]
fn a_panic_in_the_report_harms_no_other_connection() {
    for (server, told) in both() {
        let client = asking(&server, &get("/big?panics"));
        others_are_served(&server, &told);
        client.reset();
        told.cut("/big?panics");
        let mut client = asking(&server, &(get("/big?panics") + &get("/small")));
        others_are_served(&server, &told);
        assert_eq!(client.hurry().response().body.len(), BIG);
        assert_eq!(client.response().text(), "a small file");
        told.whole("/big?panics", BIG);
        told.whole("/small", 12);
        others_are_served(&server, &told);
    }
}

/// Where all handlers that may run are busy, a report waits, too.
#[test]
fn a_report_waits_for_a_thread_that_may_run_handlers() {
    let (server, told) = threading(|limits| limits.max_threads = 1);
    let client = asking(&server, &get("/big"));
    let mut busy = Client::new(server.addr());
    busy.get("/gate");
    told.gate.await_comers(1);
    client.reset();
    thread::park_timeout(SHORT);
    told.has_no_end();
    told.gate.open();
    busy.response();
    let mut ends: Vec<_> = (0..2)
        .map(|_| told.ends.recv_timeout(PATIENCE).unwrap())
        .collect();
    ends.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(ends[0].0 == "/big" && ends[0].1.is_cut, "{ends:?}");
    assert!(ends[1].0 == "/gate" && !ends[1].1.is_cut, "{ends:?}");
}

#[test]
fn a_single_request_is_reported_by_its_call_and_a_stream_by_a_later_one() {
    let (site, told) = site();
    let server = secured(HttpServer::builder(site))
        .bind("127.0.0.1:0")
        .unwrap();
    let mut client = Client::new(server.server_address());
    client.get("/stream");
    assert!(server.handle_request().unwrap());
    let stream = told.stream();
    client.head();
    told.has_no_end();
    drop(stream);
    client.get("/small");
    // The report is not the request that this call is for.
    assert!(server.handle_request().unwrap());
    client.chunk().unwrap();
    told.whole("/stream", 5);
    assert_eq!(client.response().text(), "a small file");
    told.whole("/small", 12);

    client.get("/stream");
    assert!(server.handle_request().unwrap());
    let stream = told.stream();
    server.shutdown_handle().shutdown(Duration::ZERO);
    drop(stream);
    assert!(server.handle_request().is_err());
    told.whole("/stream", 5);
}

/// An override of `handle` that answers three requests, one after the other, by itself.
#[test]
fn a_handle_that_goes_on_by_itself_reports_each_request_before_the_next() {
    struct Own(Site);
    impl Layer for Own {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn handle(&self, conn: &mut Connection) -> Result<Next> {
            for _ in 0..3 {
                RequestHandler::handle_one_request(self, conn)?;
            }
            Ok(Next::Close)
        }
    }
    for is_single in [true, false] {
        let (site, told) = site();
        let own = Own(site);
        let server = match is_single {
            true => spawn_single(own),
            false => spawn(own, |_| ()),
        };
        let mut client = Client::slow(server.addr());
        client
            .send(get("/big") + &get("/small") + &get("/big"))
            .hurry();
        assert_eq!(client.response().body.len(), BIG);
        assert_eq!(client.response().text(), "a small file");
        assert_eq!(client.response().body.len(), BIG);
        client.assert_end();
        for (path, length) in [("/big", BIG), ("/small", 12), ("/big", BIG)] {
            told.whole(path, length);
        }
        told.has_no_end();
    }
}

/// An override of `handle` that ends each connection after its first response.
struct Brief(Site);

impl Layer for Brief {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        match conn.answered() {
            0 => servette::base::handle(self, conn),
            _ => Ok(Next::Close),
        }
    }
}

#[test]
fn a_handle_that_closes_after_one_request_reports_it_and_ends_in_order() {
    for is_single in [true, false] {
        let (site, told) = site();
        let server = match is_single {
            true => spawn_single(Brief(site)),
            false => spawn(Brief(site), |_| ()),
        };
        let mut client = Client::slow(server.addr());
        // The second request is never read, so without a linger it would cause a reset.
        client.send(get("/big") + &get("/small")).hurry();
        assert_eq!(client.response().body.len(), BIG);
        client.assert_end();
        told.whole("/big", BIG);
        told.has_no_end();
    }
}

#[test]
fn a_stream_in_memory_is_reported_at_its_end_to_a_handle_that_closes() {
    let (site, told) = site();
    let writer = thread::spawn(move || {
        drop(told.stream());
        told.whole("/stream", 5);
        told
    });
    let answer = respond(&Brief(site), get("/stream") + &get("/small"));
    assert!(answer.ends_with(b"\r\n\r\n0\r\n\r\n"));
    writer.join().unwrap().has_no_end();
}

/// An override of `handle` that answers one request at a time, and leaves the next one to the server.
#[test]
fn the_request_behind_a_report_is_not_forgotten() {
    struct Own(Site);
    impl Layer for Own {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn handle(&self, conn: &mut Connection) -> Result<Next> {
            RequestHandler::handle_one_request(self, conn)?;
            Ok(Next::Park)
        }
    }
    let (site, told) = site();
    let server = spawn(Own(site), |_| ());
    let mut client = Client::new(server.addr());
    client.send(get("/stream") + &get("/small"));
    let stream = told.stream();
    client.head();
    drop(stream);
    client.chunk().unwrap();
    told.whole("/stream", 5);
    assert_eq!(client.response().text(), "a small file");
    told.whole("/small", 12);
}

#[test]
fn a_stream_in_memory_is_reported_at_its_end() {
    let (site, told) = site();
    let writer = thread::spawn(move || {
        for _ in 0..2 {
            let stream = told.stream();
            told.has_no_end();
            stream.send("0123456789").unwrap();
            drop(stream);
            told.whole("/stream", 1 + 2 + 10 + 2 + 5);
        }
        told
    });
    let close = "GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = respond(&site, get("/stream") + close);
    assert!(answer.ends_with(b"a\r\n0123456789\r\n0\r\n\r\n"));
    writer.join().unwrap().has_no_end();
}

#[test]
fn the_log_line_comes_at_the_end_and_says_how_much_was_sent() {
    let root = WebRoot::new();
    root.file("big", vec![b'b'; BIG]);
    let path = root.join("server.log");
    let log = Log::file(&path).unwrap().with_format(LogFormat::Json);
    let files = SimpleHandler::new(root.path()).with_protocol_version("HTTP/1.1");
    let server = secured(ThreadingHttpServer::builder(files)).log(log);
    let server = server.bind("127.0.0.1:0").unwrap().spawn().unwrap();
    let lines = |count: usize| {
        let mut lines = Vec::new();
        until("the lines", || {
            let text = fs::read_to_string(&path).unwrap();
            let parsed = text.lines().map(serde_json::from_str::<serde_json::Value>);
            // Messages are lines, too, such as one of a handler that is stopped.
            let parsed = parsed.map_while(std::result::Result::ok);
            lines = parsed.filter(|line| line.get("status").is_some()).collect();
            lines.len() >= count
        });
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    };
    let mut client = asking(&server, &get("/big"));
    thread::park_timeout(SHORT);
    lines(0);
    client.hurry().response();
    let whole = &lines(1)[0];
    assert_eq!(whole["bytes"], BIG);
    assert!(whole["ms"].as_f64().unwrap() >= 300.0 && whole.get("cut").is_none());
    asking(&server, &get("/big")).reset();
    let cut = &lines(2)[1];
    assert_eq!(cut["status"], 200);
    assert!(cut["bytes"].as_u64().unwrap() < BIG as u64, "{cut}");
    assert_eq!(cut["cut"], true);
    let _client = asking(&server, &get("/big"));
    server.shutdown(SHORT).unwrap();
    assert_eq!(lines(3)[2]["cut"], true);
}
