//! An exchange that is put off is answered later, from any thread, and occupies none meanwhile; and a handler that waits
//! for something else can ask whether its client has left.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, get};
use crate::lifesupport::{Gate, spawn, spawn_single};
use crate::support::{
    Ask, Log, Loops, PATIENCE, echo, end_overtakes_unread, handler, serve, text, until,
};
use servette::testing::TestServer;
use servette::{
    Deferred, Exchange, HttpServer, Notice, RequestHandler, Result, RunningServer, Status, respond,
};

/// A deadline that is waited for in earnest.
const SHORT: Duration = Duration::from_millis(400);

/// Puts everything off but `/echo`.
struct Later(Mutex<Sender<Deferred>>);

impl RequestHandler for Later {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        if x.path == "/echo" {
            return echo(self, x);
        }
        let mut body = Vec::new();
        match x.path {
            "/reads" => drop(x.rfile.read_to_end(&mut body)?),
            "/some" => {
                let mut some = [0; 3];
                x.rfile.read_exact(&mut some)?;
            }
            _ => {}
        }
        self.send_response(x, Status::OK);
        self.send_header(x, "X-Dropped", "yes");
        let deferred = x.defer()?;
        assert!(x.defer().is_err());
        self.0.lock().unwrap().send(deferred).unwrap();
        match x.path {
            "/fails" => Err(Status::CONFLICT.into()),
            _ => Ok(()),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

struct Server {
    server: RunningServer,
    deferred: Receiver<Deferred>,
}

impl Server {
    fn client(&self) -> Client {
        Client::new(self.server.addr())
    }

    fn deferred(&self) -> Deferred {
        self.deferred.recv_timeout(PATIENCE).unwrap()
    }

    #[track_caller]
    fn serves(&self) {
        assert_eq!(self.client().get("/echo").response().text(), "/echo");
    }
}

fn later() -> (Later, Receiver<Deferred>) {
    let (sender, deferred) = channel();
    (Later(Mutex::new(sender)), deferred)
}

fn both() -> [Server; 2] {
    [true, false].map(|is_single| {
        let (handler, deferred) = later();
        let server = match is_single {
            true => spawn_single(handler),
            false => spawn(handler, |_| ()),
        };
        Server { server, deferred }
    })
}

/// Answers with what the exchange shows.
fn show(h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    let mut body = String::new();
    x.rfile.read_to_string(&mut body)?;
    let agent = x.headers.get("User-Agent").unwrap_or("-");
    let shown = format!(
        "{} {} {} {agent} {:?} {body}",
        x.command,
        x.path,
        x.request_version,
        x.host()
    );
    text(h, x, &shown)
}

#[test]
fn a_request_is_answered_later_with_its_own_fields_and_in_order() {
    for server in both() {
        let mut client = server.client();
        client.send(
            "GET /a?b HTTP/1.1\r\nHost: here\r\nUser-Agent: caf\u{e9}\r\n\r\n".to_owned()
                + &get("/echo"),
        );
        let deferred = server.deferred();
        server.serves();
        assert!(!deferred.is_closed() && !deferred.is_stopping());
        thread::spawn(move || deferred.answer(show)).join().unwrap();
        let response = client.response();
        assert_eq!(response.get("X-Dropped"), None);
        assert_eq!(
            response.text(),
            "GET /a?b HTTP/1.1 caf\u{c3}\u{a9} Some(\"here\") "
        );
        assert_eq!(client.response().text(), "/echo");
        // Once more on the same connection.
        client.get("/again");
        server.deferred().answer(show);
        assert!(client.response().text().starts_with("GET /again"));
        assert_eq!(client.get("/echo").response().text(), "/echo");
    }
}

#[test]
fn what_is_unread_of_its_body_is_there() {
    for server in both() {
        for (path, rest) in [("/reads", ""), ("/some", "456"), ("/none", "123456")] {
            for chunked in [false, true] {
                let mut client = server.client();
                client.send(format!("POST {path} HTTP/1.1\r\nHost: h\r\n"));
                match chunked {
                    true => client.send(
                        "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n2\r\n56\r\n0\r\n\r\n",
                    ),
                    false => client.send("Content-Length: 6\r\n\r\n123456"),
                };
                client.get("/echo");
                server.deferred().answer(show);
                let response = client.response();
                assert!(
                    response.text().ends_with(&format!(" {rest}")),
                    "{response:?}"
                );
                assert_eq!(client.response().text(), "/echo");
            }
        }
        // It comes only when it is read.
        let mut client = server.client();
        client.send(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        );
        let deferred = server.deferred();
        deferred.answer(show);
        assert_eq!(client.head().status, 100);
        client.send("abc");
        assert!(client.response().text().ends_with(" abc"));
        // Nobody reads it.
        let mut client = server.client();
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        server.deferred().answer(|h, x| text(h, x, "unread"));
        assert_eq!(client.response().text(), "unread");
        assert_eq!(client.get("/echo").response().text(), "/echo");
    }
}

#[test]
fn the_closure_of_a_deferred_response_is_treated_as_a_handler() {
    for server in both() {
        for (answer, status) in [
            (
                (|_, _| Err(Status::GONE.into()))
                    as fn(&dyn RequestHandler, &mut Exchange<'_>) -> _,
                410,
            ),
            (|_, _| Ok(()), 500),
            (|_, _| panic!("on purpose"), 500),
            (|h, x| h.do_method(&mut x.with_path("/echo")), 200),
        ] {
            let mut client = server.client();
            client.get("/");
            server.deferred().answer(answer);
            assert_eq!(client.response().status, status);
        }
        server.serves();
    }
}

#[test]
fn a_deferred_request_without_an_answer_gets_a_503_and_is_logged() {
    let server = serve(|_, x| {
        drop(x.defer()?);
        Ok(())
    });
    assert_eq!(server.answer(get("/")).status, 503);
    server.wait_for_log("code 503");
    for server in both() {
        let mut client = server.client();
        client.get("/");
        drop(server.deferred());
        assert_eq!(client.response().status, 503);
    }
}

#[test]
fn a_handler_that_fails_or_responds_has_not_deferred_its_request() {
    for server in both() {
        let mut client = server.client();
        client.get("/fails");
        let deferred = server.deferred();
        assert_eq!(client.response().status, 409);
        until("it is closed", || deferred.is_closed());
        deferred.answer(|_, _| panic!("it is never called"));
        server.serves();
    }
    let kept = Mutex::new(Vec::new());
    let server = serve(move |h, x| {
        kept.lock().unwrap().push(x.defer()?);
        text(h, x, "at once")?;
        Ok(x.wfile.flush()?)
    });
    assert_eq!(server.answer(get("/")).text(), "at once");
    let server = serve(|h, x| {
        text(h, x, "first")?;
        assert!(x.defer().is_err());
        Ok(())
    });
    assert_eq!(server.answer(get("/")).text(), "first");
}

/// Panics where it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("on purpose");
        }
    }
}

#[test]
fn a_closure_of_a_disconnected_client_may_panic_when_it_is_dropped() {
    let answering = || {
        handler(|h, x| {
            if x.path == "/echo" {
                return echo(h, x);
            }
            let deferred = x.defer()?;
            while !x.client_has_disconnected() {
                thread::park_timeout(Duration::from_millis(2));
            }
            let bomb = Bomb;
            deferred.answer(move |_, _| {
                let _bomb = bomb;
                Ok(())
            });
            Ok(())
        })
    };
    let few = |limits: &mut servette::Limits| limits.max_connections = 2;
    for server in [spawn_single(answering()), spawn(answering(), few)] {
        for _ in 0..4 {
            let mut client = Client::new(server.addr());
            client.get("/");
            drop(client);
        }
        let serves = || {
            let mut client = Client::new(server.addr());
            client.get("/echo");
            client
                .response_or_end()
                .is_some_and(|response| response.status == 200)
        };
        until("it serves", serves);
        assert_eq!(server.shutdown(PATIENCE).unwrap(), 0);
    }
}

#[test]
fn a_branch_that_fails_has_not_put_it_off() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = kept.clone();
    let branch = handler(move |_, x| {
        keeping.lock().unwrap().push(x.defer()?);
        Err(Status::CONFLICT.into())
    });
    let server = serve(move |_, x| x.delegate_to(&branch));
    assert_eq!(server.answer(get("/")).status, 409);
    until("it is closed", || {
        kept.lock().unwrap().iter().all(Deferred::is_closed)
    });
}

#[test]
fn a_client_that_disconnects_is_noticed() {
    let leaves: [fn(Client); 3] = [drop, Client::reset, |mut client| {
        client.get("/echo");
    }];
    let ways = if end_overtakes_unread() { 3 } else { 2 };
    for server in both() {
        for leaves in &leaves[..ways] {
            let mut client = server.client();
            client.get("/");
            let deferred = server.deferred();
            let log = Log::default();
            let notes = log.clone();
            deferred.notify(move |notice| notes.push(format!("{notice:?}")));
            leaves(client);
            until("it is closed", || deferred.is_closed());
            until("that was told", || log.lines() == ["Closed"]);
            deferred.answer(|_, _| panic!("it is never called"));
        }
        let mut client = server.client();
        client.get("/").get("/echo");
        let deferred = server.deferred();
        deferred.allow_half_close();
        client.finish();
        server.serves();
        deferred.answer(show);
        assert!(client.response().text().starts_with("GET /"));
        assert_eq!(client.response().text(), "/echo");
        client.assert_end();
    }
}

#[test]
fn a_deferred_response_can_start_a_stream() {
    for server in both() {
        let mut client = server.client();
        client.get("/").get("/echo");
        server.deferred().answer(|h, x| {
            h.send_response(x, Status::OK);
            h.end_headers(x)?;
            let stream = x.wfile.start_stream()?;
            thread::spawn(move || stream.send("streamed").unwrap());
            Ok(())
        });
        assert_eq!(client.response().text(), "streamed");
        assert_eq!(client.response().text(), "/echo");
        // Or be put off again.
        client.get("/");
        let (sender, again) = channel();
        server.deferred().answer(move |_, x| {
            sender.send(x.defer()?).unwrap();
            Ok(())
        });
        again.recv_timeout(PATIENCE).unwrap().answer(show);
        assert!(client.response().text().starts_with("GET / "));
    }
}

#[test]
fn a_stopping_server_waits_for_what_is_put_off_until_the_deadline() {
    for server in both() {
        let mut client = server.client();
        client.get("/");
        let deferred = Mutex::new(Some(server.deferred()));
        let all = Arc::new(deferred);
        let told = all.clone();
        let guard = all.lock().unwrap();
        guard.as_ref().unwrap().notify(move |notice| {
            assert_eq!(notice, Notice::Stopping);
            let deferred = told.lock().unwrap().take().unwrap();
            deferred.answer(|h, x| text(h, x, "goodbye"));
        });
        drop(guard);
        assert_eq!(server.server.shutdown(PATIENCE).unwrap(), 0);
        assert_eq!(client.response().text(), "goodbye");
    }
    for server in both() {
        let mut client = server.client();
        client.get("/");
        let deferred = server.deferred();
        assert_eq!(server.server.shutdown(SHORT).unwrap(), 1);
        client.is_closed_silently();
        assert!(deferred.is_closed());
    }
}

#[test]
fn a_single_request_is_not_handled_before_it_is_answered() {
    let (handler, deferred) = later();
    let server = HttpServer::bind("127.0.0.1:0", handler).unwrap();
    let mut client = Client::new(server.server_address());
    client.get("/");
    let answering = thread::spawn(move || {
        let deferred: Deferred = deferred.recv_timeout(PATIENCE).unwrap();
        thread::park_timeout(SHORT / 4);
        deferred.answer(show);
    });
    assert!(server.handle_request().unwrap());
    assert!(client.response().text().starts_with("GET / "));
    answering.join().unwrap();
}

#[test]
fn an_override_of_handle_that_goes_on_waits_for_the_response() {
    let (handler, deferred) = later();
    let server = spawn(Loops(handler), |_| ());
    let mut client = Client::new(server.addr());
    client.send(get("/late") + &get("/echo"));
    deferred.recv_timeout(PATIENCE).unwrap().answer(show);
    assert!(client.response().text().starts_with("GET /late"));
    assert_eq!(client.response().text(), "/echo");
    client.assert_end();
}

#[test]
fn it_is_answered_in_memory_and_in_a_fixture() {
    let answering = || {
        handler(|_, x| {
            let deferred = x.defer()?;
            thread::spawn(move || deferred.answer(show));
            Ok(())
        })
    };
    let answers = respond(&answering(), get("/one") + &get("/two"));
    let text = String::from_utf8(answers).unwrap();
    assert!(text.contains("\r\n\r\nGET /one ") && text.contains("\r\n\r\nGET /two "));
    let server = TestServer::start(answering());
    assert!(
        server
            .answer(get("/three"))
            .text()
            .starts_with("GET /three")
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_handler_that_waits_can_ask_whether_its_client_has_disconnected() {
    let gate = Gate::default();
    let (came, gone) = (gate.clone(), Log::default());
    let noted = gone.clone();
    let (ways, body) = match end_overtakes_unread() {
        true => (2, "body"),
        false => (1, ""),
    };
    let answering = handler(move |h, x| {
        let start = Instant::now();
        assert!(!x.client_has_disconnected());
        came.pass();
        while x.path != "/stays" && !x.client_has_disconnected() && start.elapsed() < PATIENCE {
            thread::park_timeout(Duration::from_millis(2));
        }
        noted.push(x.client_has_disconnected());
        let mut read = String::new();
        x.rfile.read_to_string(&mut read).unwrap();
        assert_eq!(read, body);
        text(h, x, "still here")
    });
    let server = spawn(answering, |_| ());
    gate.open();
    let request = |path| {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let leaves: [fn(Client); 2] = [drop, |mut client| {
        client.get("/more");
    }];
    for leaves in &leaves[..ways] {
        let (came, left) = (gate.comers(), gone.lines().len());
        let mut client = Client::new(server.addr());
        client.send(request("/"));
        gate.await_comers(came + 1);
        leaves(client);
        until("that was seen", || gone.lines().len() > left);
        assert_eq!(gone.lines().last().unwrap(), "true");
    }
    let mut client = Client::new(server.addr());
    client.send(request("/stays"));
    assert_eq!(client.response().text(), "still here");
    assert_eq!(gone.lines().last().unwrap(), "false");
    respond(
        &handler(|h, x| {
            assert!(!x.client_has_disconnected());
            echo(h, x)
        }),
        get("/"),
    );
}

/// Puts error pages off, which it must not.
struct LateErrors(Mutex<Sender<Deferred>>);

impl RequestHandler for LateErrors {
    fn send_error(&self, x: &mut Exchange<'_>, _: Status<'_>) -> Result<()> {
        self.0.lock().unwrap().send(x.defer()?).unwrap();
        Ok(())
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

#[test]
fn the_refusal_of_a_request_is_not_put_off() {
    let (sender, deferred) = channel();
    let server = spawn(LateErrors(Mutex::new(sender)), |_| ());
    let mut client = Client::new(server.addr());
    client.send("BAD\r\n\r\n");
    client.assert_end();
    assert!(deferred.recv_timeout(PATIENCE).unwrap().is_closed());
    assert!(deferred.try_recv().is_err(), "it is refused once");
}

#[test]
fn what_belongs_to_a_request_is_there_when_it_is_answered() {
    use servette::Layer;
    use servette::base::Outcome;
    struct Timed<H>(H, Log);
    impl<H: RequestHandler> Layer for Timed<H> {
        fn inner(&self) -> &dyn RequestHandler {
            &self.0
        }
        fn end_request(&self, x: &Exchange<'_>, outcome: &Outcome) {
            let is_whole = outcome.elapsed >= SHORT / 4;
            self.1.push(format!("{} {is_whole}", x.path));
        }
    }
    struct User(String);
    let shown = |_: &dyn RequestHandler, x: &mut Exchange<'_>| {
        let User(name) = x.data().ok_or(Status::FORBIDDEN)?;
        let number = x.data::<u32>().copied().unwrap_or_default();
        x.send_content(Status::OK, "text/plain", format!("{name} {number}"))
    };
    let answering = move || {
        handler(move |_, x| {
            if x.path != "/plain" {
                x.set_data(User("anna".into()));
                x.set_data(7_u32);
            }
            let deferred = x.defer()?;
            thread::spawn(move || {
                thread::park_timeout(SHORT / 3);
                deferred.answer(move |_, x| {
                    if x.path != "/twice" || x.data::<u64>().is_some() {
                        return shown(x.handler(), x);
                    }
                    x.set_data(8_u32);
                    x.set_data(1_u64);
                    x.defer()?.answer(move |h, x| shown(h, x));
                    Ok(())
                });
            });
            Ok(())
        })
    };
    let log = Log::default();
    for server in [
        spawn(Timed(answering(), log.clone()), |_| ()),
        spawn_single(Timed(answering(), log.clone())),
    ] {
        let mut client = Client::new(server.addr());
        for (path, wanted) in [("/a", "anna 7"), ("/twice", "anna 8")] {
            assert_eq!(client.get(path).response().text(), wanted);
        }
        // Nothing of one request is in the next one.
        assert_eq!(client.get("/plain").response().status, 403);
    }
    let once = ["/a true", "/twice true", "/plain true"];
    assert_eq!(log.lines(), [once, once].concat());
    let in_memory = respond(&answering(), "GET / HTTP/1.0\r\n\r\n");
    assert!(in_memory.ends_with(b"anna 7"));
}

#[test]
fn values_of_a_request_that_is_never_answered_are_dropped_once() {
    struct Counted(Arc<std::sync::atomic::AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    let (sender, deferred) = channel();
    let sender = Mutex::new(sender);
    let answering = handler(move |_, x| {
        x.set_data(Counted(counted.clone()));
        sender.lock().unwrap().send(x.defer()?).unwrap();
        Ok(())
    });
    let server = spawn(answering, |_| ());
    let mut client = Client::new(server.addr());
    client.get("/");
    let kept: Deferred = deferred.recv_timeout(PATIENCE).unwrap();
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0);
    drop(client);
    until("it is dropped", || {
        count.load(std::sync::atomic::Ordering::SeqCst) == 1
    });
    drop(kept);
}

#[test]
fn close_connection_of_the_handler_applies_to_the_deferred_response() {
    let answering = || {
        handler(|h, x| {
            if x.path == "/echo" {
                return echo(h, x);
            }
            match x.path {
                "/closes" => x.close_connection.set(true),
                "/header" => x.send_header("Connection", "close"),
                _ => {}
            }
            let deferred = x.defer()?;
            thread::spawn(move || deferred.answer(show));
            Ok(())
        })
    };
    for server in [spawn(answering(), |_| ()), spawn_single(answering())] {
        for (path, closes) in [("/closes", true), ("/header", true), ("/keeps", false)] {
            let mut client = Client::new(server.addr());
            let response = client.get(path).response();
            assert_eq!(response.says_close(), closes, "{path}");
            match closes {
                true => client.assert_end(),
                false => assert_eq!(client.get("/echo").response().text(), "/echo"),
            }
        }
    }
}

/// The heads that are kept are a part of what all connections may hold.
#[test]
fn no_more_is_deferred_than_may_be_held_in_memory() {
    let (handler, deferred) = later();
    let server = spawn(handler, |limits| limits.total_queue = 10_000);
    let ask = |length: usize| {
        let mut client = Client::new(server.addr());
        client.send(format!(
            "GET /large HTTP/1.1\r\nHost: h\r\nX-Large: {}\r\n\r\n",
            "x".repeat(length)
        ));
        client
    };
    let mut first = ask(6000);
    let kept: Deferred = deferred.recv_timeout(PATIENCE).unwrap();
    // `Later` unwraps what it defers, so a 503 is a status of the error that it returns.
    assert_eq!(ask(6000).response().status, 503);
    kept.answer(show);
    assert_eq!(first.response().status, 200);
    let mut second = ask(6000);
    deferred.recv_timeout(PATIENCE).unwrap().answer(show);
    assert_eq!(second.response().status, 200);
}
