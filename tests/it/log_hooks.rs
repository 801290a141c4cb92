//! The log of a server, in each format: which hooks decide what is in it, and what a line says.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

#[cfg(unix)]
use servette::cgi::RemoteUser;
use servette::{
    Deferred, Exchange, Layer, Log, LogFormat, RequestHandler, Result, RunningServer, Status,
    ThreadingHttpServer,
};

use crate::client::Client;
use crate::support::{self, PATIENCE, until};
use crate::webroot::WebRoot;

/// Says hello, and keeps quiet about `/health`.
struct Hello;

impl RequestHandler for Hello {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/gone" => x.send_error(Status::GONE),
            "/fails" => Err(servette::Error::other("disk \"on\" fire")),
            #[cfg(unix)]
            "/user" => {
                x.set_data(RemoteUser::new("Basic", "an na\""));
                x.send_content(Status::OK, "text/plain", "")
            }
            _ => x.send_content(Status::OK, "text/plain", "hello"),
        }
    }

    fn log_request(&self, x: &Exchange<'_>, code: u16, size: Option<u64>) {
        if x.path != "/health" {
            servette::base::log_request(self, x, code, size);
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

/// A server with a log in a file.
struct Logged {
    server: RunningServer,
    log: Log,
    path: PathBuf,
    _root: WebRoot,
}

impl Logged {
    fn new(handler: impl RequestHandler + Send + Sync + 'static, format: LogFormat) -> Self {
        let root = WebRoot::new();
        let path = root.join("server.log");
        let log = Log::file(&path).unwrap().with_format(format);
        let server = ThreadingHttpServer::builder(handler)
            .log(log.clone())
            .bind("127.0.0.1:0")
            .unwrap()
            .spawn()
            .unwrap();
        Logged {
            server,
            log,
            path,
            _root: root,
        }
    }

    fn ask(&self, requests: &[&str]) {
        let mut client = Client::new(self.server.addr());
        for request in requests {
            client.send(request).response();
        }
    }

    /// The lines, as soon as there are so many.
    fn lines(&self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        until("the lines", || {
            let text = fs::read_to_string(&self.path).unwrap();
            lines = text.lines().map(str::to_owned).collect();
            text.ends_with('\n') && lines.len() >= count
        });
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    }

    fn objects(&self, count: usize) -> Vec<serde_json::Value> {
        let lines = self.lines(count);
        lines
            .iter()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }
}

const NASTY: &str = "GET /a?\"\\ HTTP/1.1\r\nHost: a\r\nReferer: \"\\\r\nUser-Agent: \u{e9}\u{1f600}\r\n\
    X-Request-ID: id-\"7\r\n\r\n";

/// A date within brackets, blanked.
fn undated(line: &str) -> String {
    let (before, rest) = line.split_once('[').unwrap();
    let (date, after) = rest.split_once(']').unwrap();
    let form: String = date
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert!(
        form.starts_with("00/") && form[6..].starts_with("/0000:00:00:00 ") && form.len() == 26,
        "{date}"
    );
    format!("{before}[]{after}")
}

#[test]
fn common_and_combined_lines_have_user_size_and_escaped_quotes() {
    let plain = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let common = Logged::new(Hello, LogFormat::Common);
    common.ask(&[plain, "GET /user HTTP/1.1\r\nHost: a\r\n\r\n", NASTY]);
    let lines: Vec<_> = common.lines(3).iter().map(|line| undated(line)).collect();
    assert_eq!(lines[0], "127.0.0.1 - - [] \"GET /a HTTP/1.1\" 200 5");
    // Users are those of scripts, which are absent on Windows.
    let (user, size) = match cfg!(unix) {
        true => ("an\\x20na\\x22", "-"),
        false => ("-", "5"),
    };
    assert_eq!(
        lines[1],
        format!("127.0.0.1 - {user} [] \"GET /user HTTP/1.1\" 200 {size}")
    );
    assert_eq!(
        lines[2],
        "127.0.0.1 - - [] \"GET /a?\\x22\\x5c HTTP/1.1\" 200 5"
    );
    let combined = Logged::new(Hello, LogFormat::Combined);
    combined.ask(&[plain, NASTY]);
    let lines: Vec<_> = combined.lines(2).iter().map(|line| undated(line)).collect();
    assert_eq!(
        lines[0],
        "127.0.0.1 - - [] \"GET /a HTTP/1.1\" 200 5 \"-\" \"-\""
    );
    assert!(
        lines[1].ends_with("200 5 \"\\x22\\x5c\" \"\u{e9}\u{1f600}\""),
        "{}",
        lines[1]
    );
}

#[test]
fn a_json_line_has_all_keys_of_a_request() {
    let logged = Logged::new(Hello, LogFormat::Json);
    logged.ask(&[NASTY]);
    let line = &logged.objects(1)[0];
    let expected = serde_json::json!({
        "time": line["time"], "client": "127.0.0.1", "user": null, "method": "GET", "target": "/a?\"\\",
        "version": "1.1", "status": 200, "bytes": 5, "ms": line["ms"], "referer": "\"\\",
        "agent": "\u{e9}\u{1f600}", "host": "a", "request_id": "id-\"7",
    });
    assert_eq!(line, &expected);
    let time = line["time"].as_str().unwrap();
    assert!(
        time.len() == 24 && time.ends_with('Z') && &time[19..20] == ".",
        "{time}"
    );
    let millis = line["ms"].as_f64().unwrap();
    assert!((0.0..20_000.0).contains(&millis), "{millis}");
}

#[test]
fn what_is_refused_is_logged_without_a_target() {
    let logged = Logged::new(Hello, LogFormat::Json);
    logged.ask(&["GET /\x1b[31m\"x\r\n\r\n"]);
    let line = &logged.objects(1)[0];
    assert_eq!(line["status"], 400);
    assert_eq!(line["request"], "GET /\x1b[31m\"x");
    assert!(line["method"].is_null() && line["target"].is_null());
    let common = Logged::new(Hello, LogFormat::Common);
    common.ask(&["GET /\x1b[31m\"x\r\n\r\n"]);
    assert!(common.lines(1)[0].contains("] \"GET /\\x1b[31m\\x22x\" 400 "));
    // Of this there is nothing to show.
    let nothing = Logged::new(Hello, LogFormat::Json);
    nothing.ask(&["\x1b\r\n\r\n"]);
    assert!(nothing.objects(1)[0]["request"].is_null());
    let nothing = Logged::new(Hello, LogFormat::Common);
    nothing.ask(&["\x1b\r\n\r\n"]);
    assert!(nothing.lines(1)[0].contains("] \"-\" 400 "));
}

#[test]
fn messages_are_objects_too_and_those_of_error_pages_are_left_out() {
    let logged = Logged::new(Hello, LogFormat::Json);
    logged.ask(&[
        "GET /gone HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /fails HTTP/1.1\r\nHost: a\r\nX-Request-ID: 7\r\n\r\n",
    ]);
    let lines = logged.objects(3);
    assert_eq!(lines[0]["status"], 410);
    let message = lines[1]["message"].as_str().unwrap();
    assert!(message.contains("disk \"on\" fire"), "{message}");
    assert_eq!(
        (&lines[1]["request_id"], &lines[1]["client"]),
        (&"7".into(), &"127.0.0.1".into())
    );
    assert_eq!(lines[2]["status"], 500);
}

#[test]
fn pythons_format_in_a_file_has_messages_too() {
    let logged = Logged::new(Hello, LogFormat::Python);
    logged.ask(&["GET /gone HTTP/1.1\r\nHost: a\r\n\r\n"]);
    let lines = logged.lines(2);
    assert!(lines[0].ends_with("] code 410, message Gone"), "{lines:?}");
    assert!(
        lines[1].ends_with("] \"GET /gone HTTP/1.1\" 410 -"),
        "{lines:?}"
    );
}

#[test]
fn a_silent_log_request_keeps_requests_out() {
    for format in [LogFormat::Python, LogFormat::Combined, LogFormat::Json] {
        let logged = Logged::new(Hello, format);
        let health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
        logged.ask(&[health, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", health]);
        assert!(logged.lines(1)[0].contains("/a"));
    }
}

#[test]
fn every_line_passes_through_log_line() {
    struct Noted<H>(H, support::Log);

    impl<H: RequestHandler> Layer for Noted<H> {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn log_line(&self, _: &Exchange<'_>, line: &str) {
            self.1.push(line);
        }
    }

    let notes = support::Log::default();
    let logged = Logged::new(Noted(Hello, notes.clone()), LogFormat::Json);
    logged.ask(&["GET /fails HTTP/1.1\r\nHost: a\r\n\r\n"]);
    until("two lines", || notes.lines().len() == 2);
    for line in notes.lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(&line).is_ok(),
            "{line}"
        );
    }
    assert_eq!(fs::read(&logged.path).unwrap(), b"");
}

#[test]
fn the_size_is_that_of_the_body_however_it_is_framed() {
    struct Framed;

    impl RequestHandler for Framed {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            use std::io::Write;
            x.send_response(Status::OK);
            match x.path {
                "/declared" => x.send_header("Content-Length", "5"),
                "/chunked" => x.send_header("Transfer-Encoding", "chunked"),
                _ => {}
            }
            x.end_headers()?;
            Ok(x.wfile.write_all(b"hello")?)
        }
        fn protocol_version(&self) -> &str {
            "HTTP/1.1"
        }
    }

    let logged = Logged::new(Framed, LogFormat::Json);
    let ask = |method: &str, path: &str| {
        Client::new(logged.server.addr())
            .send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .response_to(method);
    };
    for (method, path) in [
        ("GET", "/declared"),
        ("GET", "/held"),
        ("GET", "/chunked"),
        ("HEAD", "/declared"),
    ] {
        ask(method, path);
    }
    let mut sizes: Vec<_> = logged
        .objects(4)
        .iter()
        .map(|line| line["bytes"].as_u64().unwrap())
        .collect();
    sizes.sort_unstable();
    // The chunk has a size line, its end, and the last chunk behind it.
    assert_eq!(sizes, [0, 5, 5, 5 + 3 + 2 + 5]);
}

#[test]
fn the_time_of_a_deferred_response_begins_with_its_request() {
    struct Later(Mutex<Sender<Deferred>>);

    impl RequestHandler for Later {
        fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
            let deferred = x.defer()?;
            self.0.lock().unwrap().send(deferred).unwrap();
            Ok(())
        }
    }

    let (sender, receiver) = channel();
    let logged = Logged::new(Later(sender.into()), LogFormat::Json);
    let mut client = Client::new(logged.server.addr());
    client.send("GET / HTTP/1.0\r\n\r\n");
    let deferred = receiver.recv_timeout(PATIENCE).unwrap();
    let start = Instant::now();
    until("a while", || start.elapsed().as_millis() > 50);
    deferred.answer(|h, x| h.send_content(x, Status::OK, "text/plain", b"late"));
    client.response();
    let line = &logged.objects(1)[0];
    assert!(line["ms"].as_f64().unwrap() > 50.0, "{line}");
}

#[test]
fn a_log_that_is_renamed_is_opened_again_and_loses_no_line() {
    let logged = Logged::new(Hello, LogFormat::Common);
    let request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| logged.ask(&[request; 400]));
        let mut turns = 0;
        while !asking.is_finished() || turns < 3 {
            let renamed = logged.path.with_extension(turns.to_string());
            fs::rename(&logged.path, renamed).unwrap();
            logged.log.reopen().unwrap();
            turns += 1;
        }
    });
    logged.ask(&[request]);
    let folder = logged.path.parent().unwrap();
    let mut lines = 0;
    until("all lines", || {
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let text: Vec<_> = files
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        let whole = text
            .iter()
            .all(|text| text.is_empty() || text.ends_with('\n'));
        lines = text.iter().map(|text| text.lines().count()).sum();
        whole && lines >= 401
    });
    assert_eq!(lines, 401);
    assert_eq!(logged.log.dropped(), 0);
}

#[test]
fn a_log_that_cannot_be_opened_again_stays_where_it_is() {
    let logged = Logged::new(Hello, LogFormat::Common);
    let kept = logged.path.with_extension("kept");
    fs::rename(&logged.path, &kept).unwrap();
    fs::create_dir(&logged.path).unwrap();
    let error = logged.log.reopen().unwrap_err().to_string();
    assert!(
        error.contains("server.log") && (cfg!(windows) || error.contains("directory")),
        "{error}"
    );
    logged.ask(&["GET /a HTTP/1.1\r\nHost: a\r\n\r\n"]);
    until("the line", || {
        fs::read_to_string(&kept).unwrap().ends_with("200 5\n")
    });
}
