//! One thread at a time serves a server, and the others are told so.

use crate::client::Client;
use crate::lifesupport::Gate;
use crate::support::{PATIENCE, echo, handler, until};
use servette::{HttpServer, RequestHandler, Result, ServerInfo, ThreadingHttpServer};

/// A server of either kind.
trait Serves: Sync {
    fn info(&self) -> &ServerInfo;
    fn serve_forever(&self) -> Result<()>;
    fn handle_request(&self) -> Result<bool>;
}

macro_rules! serves {
    ($server:ident) => {
        impl<H: RequestHandler + Sync> Serves for $server<H> {
            fn info(&self) -> &ServerInfo {
                self.info()
            }
            fn serve_forever(&self) -> Result<()> {
                self.serve_forever()
            }
            fn handle_request(&self) -> Result<bool> {
                self.handle_request()
            }
        }
    };
}

serves!(HttpServer);
serves!(ThreadingHttpServer);

/// One of each kind, whose handlers wait at the gate.
fn servers(gate: &Gate) -> [Box<dyn Serves>; 2] {
    let gated = |gate: Gate| {
        handler(move |h, x| {
            gate.pass();
            echo(h, x)
        })
    };
    let single = HttpServer::bind("127.0.0.1:0", gated(gate.clone())).unwrap();
    let several = ThreadingHttpServer::bind("127.0.0.1:0", gated(gate.clone())).unwrap();
    [Box::new(single), Box::new(several)]
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(result: Result<T>) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains("already runs"), "{error}");
}

#[test]
fn beside_serve_forever_nobody_else_serves() {
    let gate = Gate::default();
    gate.open();
    for server in servers(&gate) {
        let info = server.info();
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| server.serve_forever());
            let mut client = Client::new(info.server_address);
            assert_eq!(client.get("/before").response().text(), "/before");
            is_refused(server.serve_forever());
            is_refused(server.handle_request());
            assert_eq!(client.get("/after").response().text(), "/after");
            assert_eq!(info.shutdown_handle().shutdown(PATIENCE), 0);
            serving.join().unwrap().unwrap();
        });
        // It has stopped, which is no error.
        server.serve_forever().unwrap();
    }
}

#[test]
fn beside_handle_request_nobody_else_serves_until_it_returns() {
    for index in [0, 1] {
        let gate = Gate::default();
        let server = &servers(&gate)[index];
        let mut client = Client::new(server.info().server_address);
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| server.handle_request());
            client.get("/first");
            gate.await_comers(1);
            is_refused(server.handle_request());
            is_refused(server.serve_forever());
            gate.open();
            assert!(serving.join().unwrap().unwrap());
        });
        assert_eq!(client.response().text(), "/first");
        std::thread::scope(|scope| {
            let serving = scope.spawn(|| server.handle_request());
            client.get("/second");
            assert!(serving.join().unwrap().unwrap());
        });
        assert_eq!(client.response().text(), "/second");
    }
}

#[test]
fn of_many_that_begin_at_the_same_time_one_serves() {
    let gate = Gate::default();
    gate.open();
    for server in servers(&gate) {
        std::thread::scope(|scope| {
            let begin = |_| scope.spawn(|| server.serve_forever());
            let beginning: Vec<_> = (0..8).map(begin).collect();
            let refused = || beginning.iter().filter(|of| of.is_finished()).count();
            until("all but one are refused", || refused() == 7);
            let mut client = Client::new(server.info().server_address);
            assert_eq!(client.get("/x").response().text(), "/x");
            assert_eq!(server.info().shutdown_handle().shutdown(PATIENCE), 0);
            let results = beginning.into_iter().map(|of| of.join().unwrap());
            assert_eq!(results.filter(Result::is_ok).count(), 1);
        });
    }
}
