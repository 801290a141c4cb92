//! [`Forward`]: requests passed on to a real server, whose answers are recorded.

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

/// Bytes of answers that are recorded.
const MOST_RECORDED: usize = 64 << 20;
/// So long is waited for answers that are on their way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Passes requests on to a real server over plain HTTP: the start of a [`Forward`]. `to` is
/// `http://host:port` or `host:port`.
///
/// # Panics
/// If `to` is anything else: `https`, or a URL with a path.
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

/// Passes requests on to a real server, and records its answers: made by [`forward`].
///
/// It is an answer for a [`Stub`](super::Stub), and a handler of its own. Behind stubs for the faults it
/// lets a test break one request, and have the others answered by the real server. Clones share what they
/// record.
///
/// The request goes out on a new connection, with its body as a whole, with the `Host` of the real server,
/// and without the fields that belong to a connection. The answer comes back byte for byte, as it arrives,
/// and the connection ends behind it. There are no TLS, no upgrades and no timeouts. If the server can't be
/// reached, the test fails.
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
    /// An answer was passed on, or broke off.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    answers: Vec<Transcript>,
    /// Answers that are on their way.
    coming: usize,
}

/// An answer is on its way, until this is dropped.
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
    /// The requests that were passed on and their answers; at most 64 MiB of answers. A client can have all of an answer
    /// before its end is here, so this waits for those that are on their way, for 5 s at the most.
    pub fn recorded(&self) -> Vec<Transcript> {
        let entries = lock(&self.log.entries);
        let waited =
            (self.log.changed).wait_timeout_while(entries, PATIENCE, |entries| entries.coming > 0);
        let (entries, _) = waited.unwrap_or_else(PoisonError::into_inner);
        entries.answers.clone()
    }

    /// Passes the request on in a handler, and sends the answer.
    ///
    /// # Errors
    /// Those of reading the request and of writing the answer. If the server can't be reached or breaks off,
    /// the test fails, too.
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
            x.raw()?.write_all(bytes)?;
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

/// Whether a field belongs to the connection, or to what is sent anew (RFC 9110, 7.6.1).
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

/// Every request is passed on.
impl RequestHandler for Forward {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.play(x)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}
