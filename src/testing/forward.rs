//! [`Forward`]: forwards requests to a real server and records its responses.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::answer::{latin1, problem};
use super::reply::Reply;
use super::request::Request;
use super::respond::Transcript;
use super::tap::fixture_of;
use crate::Result;
use crate::base::RequestHandler;
use crate::exchange::Exchange;
use crate::shutdown::lock;

/// Maximum number of recorded bytes of responses.
const MOST_RECORDED: usize = 64 << 20;
/// Time that `recorded` waits for responses that are not complete yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Forwards requests to the real server at `http://host:port` or `host:port`: see [`Forward`].
///
/// # Panics
/// If `to` is anything else, such as an `https` URL or a URL with a path.
#[track_caller]
#[allow(clippy::panic)] // A test that asks for what can't be should stop where it asks.
pub fn forward(to: &str) -> Forward {
    let host = to.strip_prefix("http://").unwrap_or(to);
    let host = host.strip_suffix('/').unwrap_or(host);
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    if host.contains('/') || !host.rsplit_once(':').is_some_and(|(_, port)| is_port(port)) {
        panic!("can't forward to {to:?}: expected http://host:port");
    }
    Forward {
        host: host.to_owned(),
        log: Arc::default(),
    }
}

/// An answer that forwards requests to a real server and records its responses (record and replay): made by
/// [`forward`].
///
/// Use it as the answer of a [`Stub`](super::Stub), or as a handler. Put stubs with faults before it: they break
/// some requests, and the real server answers the others. Clones share their recording.
///
/// Each request is sent on a new connection, with its whole body and the `Host` of the real server. Headers that
/// belong to a connection (RFC 9110, 7.6.1) are left out. The response is passed on byte for byte as it arrives,
/// and then the connection is closed. TLS and upgrades are not supported, and there are no timeouts. If the real
/// server can't be reached, the test fails.
///
/// ```
/// use servette::testing::{Stubs, TestServer, any, forward, get, raw, status};
///
/// // This one stands for the real server.
/// let real = TestServer::start(status(200).body("real"));
///
/// let real_answers = forward(&real.url("/"));
/// let server = TestServer::start(
///     Stubs::new()
///         .on(get("/broken").answer(status(500)))
///         .on(any("/**").answer(real_answers.clone())),
/// );
/// assert!(ureq::get(server.url("/broken")).call().is_err());
/// let body = ureq::get(server.url("/data?x=1")).call()?.body_mut().read_to_string()?;
/// assert_eq!(body, "real");
///
/// // What was recorded can be served without the real server, also from a file later.
/// let recorded = &real_answers.recorded()[0];
/// assert_eq!(recorded.request().path, "/data");
/// assert_eq!(recorded.response().status, 200);
/// let again = TestServer::start(Stubs::new().on(get("/data").answer(raw(&recorded.bytes))));
/// assert_eq!(ureq::get(again.url("/data")).call()?.body_mut().read_to_string()?, "real");
/// # Ok::<(), ureq::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Forward {
    host: String,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    entries: Mutex<Entries>,
    /// Notified when a response is complete or broken off.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    answers: Vec<Transcript>,
    /// Number of responses that are not complete yet.
    coming: usize,
}

/// Counts a response that is not complete yet, until it is dropped.
struct Coming<'a>(&'a Log);

impl<'a> Coming<'a> {
    fn of(log: &'a Log) -> Self {
        lock(&log.entries).coming += 1;
        Coming(log)
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        lock(&self.0.entries).coming -= 1;
        self.0.changed.notify_all();
    }
}

impl Forward {
    /// Returns the forwarded requests with their responses, at most 64 MiB of responses. It waits at most 5 s for
    /// responses that are not complete yet.
    pub fn recorded(&self) -> Vec<Transcript> {
        let entries = lock(&self.log.entries);
        let waited =
            (self.log.changed).wait_timeout_while(entries, PATIENCE, |entries| entries.coming > 0);
        let (entries, _) = waited.unwrap_or_else(PoisonError::into_inner);
        entries.answers.clone()
    }

    /// Forwards the request of a handler, and sends the response.
    ///
    /// # Errors
    /// If reading the request or writing the response fails. Also if the real server can't be reached or its
    /// response breaks off: in these cases the test fails, too.
    pub fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        let coming = Coming::of(&self.log);
        let mut request = Request::of(x);
        x.rfile.read_to_end(&mut request.body)?;
        request.is_complete = true;
        let failed = |x: &Exchange<'_>, what: &str, error: std::io::Error| {
            problem(x, &format!("can't {what} {}: {error}", self.host))
        };
        let mut server = match self.send(&request, x.path) {
            Ok(server) => server,
            Err(error) => return Err(failed(x, "forward it to", error)),
        };
        let (mut answer, mut piece) = (Vec::new(), [0; 16384]);
        loop {
            let count = match server.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(failed(x, "read the answer of", error)),
            };
            let bytes = piece.get(..count).unwrap_or_default();
            answer.extend_from_slice(bytes);
            x.raw_stream()?.write_all(bytes)?;
        }
        if answer.is_empty() {
            return Err(problem(
                x,
                &format!("{} closed the connection without an answer", self.host),
            ));
        }
        self.record(x, request, answer);
        drop(coming);
        Ok(())
    }

    fn send(&self, request: &Request, target: &str) -> std::io::Result<TcpStream> {
        let mut head = format!(
            "{} {target} HTTP/1.1\r\nHost: {}\r\n",
            request.command, self.host
        );
        for (name, value) in request
            .headers
            .iter()
            .filter(|(name, _)| !is_hop_by_hop(request, name))
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let frames = ["Content-Length", "Transfer-Encoding"];
        if frames.iter().any(|name| request.header(name).is_some()) {
            head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        let mut server = TcpStream::connect(&*self.host)?;
        server.write_all(&[&*latin1(head), &request.body].concat())?;
        Ok(server)
    }

    fn record(&self, x: &Exchange<'_>, request: Request, answer: Vec<u8>) {
        let recorded = &mut lock(&self.log.entries).answers;
        let total: usize = recorded.iter().map(|own| own.bytes.len()).sum();
        if total + answer.len() <= MOST_RECORDED {
            recorded.push(Transcript::of(answer, vec![request], Vec::new()));
        } else if let Some(shared) = fixture_of(x) {
            let line = x.requestline;
            shared.note(format!(
                "the answer to `{line}` is not recorded: the recording has reached 64 MiB"
            ));
        }
    }
}

/// Whether a header belongs to the connection, or is set anew (RFC 9110, 7.6.1).
fn is_hop_by_hop(request: &Request, name: &str) -> bool {
    let own = [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
    ];
    let more = [
        "Proxy-Connection",
        "Proxy-Authorization",
        "TE",
        "Upgrade",
        "Expect",
    ];
    let named = request
        .header_values("Connection")
        .flat_map(|value| value.split(','));
    let mut all = own.into_iter().chain(more).chain(named);
    all.any(|field| field.trim().eq_ignore_ascii_case(name))
}

impl From<Forward> for Reply {
    fn from(forward: Forward) -> Self {
        Reply::with(move |_, x| forward.play(x))
    }
}

/// Forwards every request.
impl RequestHandler for Forward {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.play(x)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}
