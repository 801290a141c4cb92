//! `respond` answers as a server does, to the byte, whatever an override of `handle` makes of a connection.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::net::Shutdown;
use std::sync::{Arc, Mutex};

use crate::client::{Client, Text, get};
use crate::support::text;
use servette::{
    Connection, Error, Exchange, HttpServer, Next, Peer, RequestHandler, Result, Status,
    ThreadingHttpServer, base, respond,
};

/// What a call of `handle` returns, or how it fails.
#[derive(Clone, Copy, Debug)]
enum End {
    Next(Next),
    Fails,
    Panics,
}

const ENDS: [End; 5] = [
    End::Next(Next::Again),
    End::Next(Next::Park),
    End::Next(Next::Close),
    End::Fails,
    End::Panics,
];

/// A call of `handle`: so many requests, then this.
type Call = (usize, End);

/// What an override of `handle` does, call by call; then it is the default.
#[derive(Clone, Default)]
struct Override(Arc<Mutex<VecDeque<Call>>>);

impl Override {
    fn set(&self, plan: &[Call]) {
        *self.0.lock().unwrap() = plan.iter().copied().collect();
    }

    /// With this plan.
    fn answers(&self, plan: &[Call], input: &str) -> String {
        self.set(plan);
        without_dates(&respond(self, input))
    }

    /// The same behind a server.
    fn answers_at(&self, address: Peer, plan: &[Call], input: &str) -> String {
        self.set(plan);
        without_dates(&over_a_socket(address, input))
    }
}

impl RequestHandler for Override {
    fn handle(&self, conn: &mut Connection) -> Result<Next> {
        let call = self.0.lock().unwrap().pop_front();
        let Some((requests, end)) = call else {
            return base::handle(self, conn);
        };
        for _ in 0..requests {
            let handled = base::handle_one_request(self, conn);
            assert!(handled.is_ok(), "{handled:?}");
        }
        match end {
            End::Next(next) => Ok(next),
            End::Fails => Err(Error::other("enough")),
            End::Panics => panic!("enough"),
        }
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/read" => {
                let length = x.rfile.discard()?;
                text(self, x, &length.to_string())
            }
            "/long" => text(self, x, &"long".repeat(50_000)),
            "/stream" => {
                self.send_response(x, Status::OK);
                self.end_headers(x)?;
                x.wfile.write_all(b"str")?;
                x.wfile.flush()?;
                Ok(x.wfile.write_all(b"eam")?)
            }
            "/fails" => Err(Error::other("on purpose")),
            "/panics" => panic!("on purpose"),
            path => text(self, x, path),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

/// No, one or two calls.
fn plans() -> Vec<Vec<Call>> {
    let calls = ENDS.map(|end| [0, 1, 2].map(|requests| (requests, end)));
    let mut calls = calls.concat();
    // A request that is not handled then waits for more to come, and for its deadline.
    calls.retain(|call| !matches!(call, (0, End::Next(Next::Park))));
    let mut plans = vec![Vec::new()];
    for &first in &calls {
        plans.push(vec![first]);
        if matches!(first, (1, End::Next(Next::Again | Next::Park))) {
            plans.extend(calls.iter().map(|second| vec![first, *second]));
        }
    }
    plans
}

fn post(path: &str, length: usize) -> String {
    let body = "x".repeat(length);
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn post_in_chunks(path: &str, chunks: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

fn inputs() -> Vec<String> {
    let unread = || post("/unread", 9);
    vec![
        String::new(),
        get("/1"),
        [get("/1"), get("/2")].concat(),
        [get("/1"), get("/2"), get("/3"), get("/4")].concat(),
        [get("/long"), get("/stream"), get("/long")].concat(),
        [post("/read", 9), post("/read", 70_000), get("/3")].concat(),
        [unread(), unread(), unread()].concat(),
        [post("/unread", 100_000), get("/2")].concat(),
        [get("/1"), post("/unread", 300_000), get("/3")].concat(),
        [post_in_chunks("/unread", "2\r\nab\r\n0\r\n\r\n"), get("/2")].concat(),
        [post_in_chunks("/unread", "2\r\nabc\r\n"), get("/2")].concat(),
        [post_in_chunks("/read", "x\r\n"), get("/2")].concat(),
        [
            get("/1"),
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".into(),
            get("/3"),
        ]
        .concat(),
        ["GET /1 HTTP/1.0\r\n\r\n".into(), get("/2")].concat(),
        [get("/1"), "GET bad\r\n\r\n".into(), get("/3")].concat(),
        [get("/1"), "GET /2 HT".into()].concat(),
        [get("/1"), post("/read", 9)]
            .concat()
            .trim_end_matches('x')
            .into(),
        [get("/1"), post("/unread", 9)]
            .concat()
            .trim_end_matches('x')
            .into(),
        [get("/fails"), get("/2")].concat(),
        [get("/panics"), get("/2")].concat(),
    ]
}

/// What a client reads that sends this, and nothing more.
fn over_a_socket(address: Peer, input: &str) -> Vec<u8> {
    let mut client = Client::new(address);
    let mut writer = client.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A connection that ends without an answer does so with a reset.
            let _ = writer.write_all(input.as_bytes());
            let _ = writer.shutdown(Shutdown::Write);
        });
        client.rest_or_reset()
    })
}

/// Without the only thing that may differ.
fn without_dates(answers: &[u8]) -> String {
    let answers = String::from_utf8(answers.to_vec()).unwrap();
    let lines = answers.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("Date: ")).collect()
}

#[test]
fn it_responds_as_a_server_does_whatever_becomes_of_handle() {
    let handler = Override::default();
    let single = HttpServer::builder(handler.clone()).handle_error(|_, _| ());
    let several = ThreadingHttpServer::builder(handler.clone()).handle_error(|_, _| ());
    let servers = [
        single.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
        several.bind("127.0.0.1:0").unwrap().spawn().unwrap(),
    ];
    for plan in plans() {
        for input in inputs() {
            let expected = handler.answers(&plan, &input);
            for server in &servers {
                let answers = handler.answers_at(server.addr(), &plan, &input);
                assert!(
                    answers == expected,
                    "{plan:?} of {:?}: {:?}, not {:?}",
                    Text(input.as_bytes()),
                    Text(answers.as_bytes()),
                    Text(expected.as_bytes()),
                );
            }
        }
    }
}
