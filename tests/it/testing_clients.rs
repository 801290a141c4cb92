//! Every fault is seen by real clients as what it is: ureq, curl, and Python's urllib.

use std::io::Read;
use std::process::Command;
use std::time::Duration;

use servette::testing::{
    ChunkFault, Reply, ReservedPort, Stubs, TestServer, any, close, hang, raw, reset, status,
};

/// What a client says about an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Ok,
    Refused,
    Reset,
    EarlyEnd,
    Timeout,
    /// Not HTTP, or not this way.
    Malformed,
    Other,
    /// One thing or another, depending on the version of the client.
    Any,
}

use Seen::{Any, EarlyEnd, Malformed, Ok as Fine, Refused, Reset, Timeout};

struct Case {
    name: &'static str,
    reply: Reply,
    /// What ureq, curl and urllib see.
    seen: [Seen; 3],
    /// What of the body arrives at a client that shows what it got; `*` for one thing or another.
    body: &'static str,
}

/// The faults, each with what the three clients see of it.
fn cases() -> Vec<Case> {
    let hello = || status(200).body("hello");
    let case = |name, reply: Reply, seen, body| Case {
        name,
        reply,
        seen,
        body,
    };
    let all = |seen| [seen; 3];
    // ureq makes an end of a reset within a body.
    let of_body = [EarlyEnd, Reset, Reset];
    // urllib says that a body is incomplete, whatever is wrong with its chunks.
    let of_chunks = [Malformed, Malformed, EarlyEnd];
    let chunks = |fault| hello().chunk_fault(fault).into();
    vec![
        case("nothing wrong", hello().into(), all(Fine), "hello"),
        case("silence", hang().into(), all(Timeout), ""),
        case("the end before the head", close().into(), all(EarlyEnd), ""),
        // urllib takes the line for the answer of a server of HTTP/0.9, or for a bad line.
        case(
            "the end in the status line",
            hello().at_head(10, close()).into(),
            [EarlyEnd, EarlyEnd, Malformed],
            "",
        ),
        case(
            "the end in the body",
            hello().at(3, close()).into(),
            all(EarlyEnd),
            "hel",
        ),
        case("a reset before the head", reset().into(), all(Reset), ""),
        case(
            "a reset in the head",
            hello().at_head(20, reset()).into(),
            all(Reset),
            "",
        ),
        case(
            "a reset behind the head",
            hello().at(0, reset()).into(),
            of_body,
            "",
        ),
        case(
            "a reset in the body",
            hello().at(3, reset()).into(),
            of_body,
            "hel",
        ),
        case(
            "a stall in the body",
            hello().at(3, hang()).into(),
            all(Timeout),
            "hel",
        ),
        case(
            "a stall in the head",
            hello().at_head(20, hang()).into(),
            all(Timeout),
            "",
        ),
        case(
            "a length that is too long",
            hello().content_length(9).into(),
            all(EarlyEnd),
            "hello",
        ),
        case(
            "a length that is too short",
            hello().content_length(4).into(),
            all(Fine),
            "hell",
        ),
        case(
            "a chunk size that is no number",
            chunks(ChunkFault::BadSize),
            of_chunks,
            "",
        ),
        case(
            "an unfinished chunk",
            chunks(ChunkFault::Unfinished),
            all(EarlyEnd),
            "hello",
        ),
        case(
            "an oversized chunk",
            chunks(ChunkFault::Oversized),
            of_chunks,
            "*",
        ),
        case(
            "chunks without an end",
            chunks(ChunkFault::NoEnd),
            all(EarlyEnd),
            "hello",
        ),
        case(
            "a wrong status line",
            hello().status_line("HTTP/1.1 ok").into(),
            all(Malformed),
            "",
        ),
        case(
            "two lengths",
            hello()
                .header("Content-Length", "5")
                .header("Content-Length", "4")
                .into(),
            [Malformed, Any, Any],
            "*",
        ),
        case(
            "another protocol",
            raw("220 ready\r\n").into(),
            all(Malformed),
            "",
        ),
        case(
            "interim responses",
            hello().interim(100, 3).into(),
            all(Fine),
            "hello",
        ),
        case(
            "a connection that stays",
            hello().keep_open().into(),
            all(Fine),
            "hello",
        ),
        case(
            "a drip",
            hello().drip(9, Duration::from_millis(1)).into(),
            all(Fine),
            "hello",
        ),
    ]
}

#[test]
fn each_fault_is_seen_by_each_client_as_what_it_is() {
    let mut stubs = Stubs::new();
    let cases = cases();
    for (index, case) in cases.iter().enumerate() {
        stubs = stubs.on(any(&format!("/{index}")).answer(case.reply.clone()));
    }
    let server = TestServer::start(stubs);
    let port = ReservedPort::new().unwrap();
    // Only those that are to end by it have a short timeout.
    let timeouts = cases.iter().map(|case| match case.seen {
        [Timeout, ..] => 0.3,
        _ => 20.0,
    });
    let urls: Vec<(String, f32)> = (0..cases.len())
        .map(|index| server.url(&format!("/{index}")))
        .chain([port.url("/")])
        .zip(timeouts.chain([20.0]))
        .collect();

    let mut wrong = Vec::new();
    for (who, client) in [ureq, curl, urllib].into_iter().enumerate() {
        let Some(all) = client(&urls) else { continue };
        let expected = cases
            .iter()
            .map(|case| (case.name, case.seen[who], case.body));
        let refused = ("a refused connection", Refused, "");
        for ((name, seen, body), (is_seen, is_body)) in expected.chain([refused]).zip(all) {
            let is_other_body = is_body.as_ref().is_some_and(|is_body| is_body != body);
            if (is_seen != seen && seen != Any) || (is_other_body && body != "*") {
                let client = ["ureq", "curl", "urllib"][who];
                wrong.push(format!(
                    "{client}: {name}: {is_seen:?}, not {seen:?}; {is_body:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_connection_that_is_reset_when_it_is_accepted_is_seen_as_that() {
    // curl says that it could not connect, if the reset comes before it looks.
    let seen_by = [&[Reset][..], &[Refused, Reset], &[Reset]];
    for (client, first) in [ureq, curl, urllib].into_iter().zip(seen_by) {
        let server = TestServer::builder()
            .reset_connections(1)
            .start(status(200));
        let urls = [(server.url("/"), 20.0), (server.url("/"), 20.0)];
        if let Some(seen) = client(&urls) {
            assert!(first.contains(&seen[0].0), "{seen:?}");
            assert_eq!(seen[1].0, Fine);
        }
    }
}

/// What a client says about each URL, within so many seconds, and the body it got, where it shows one.
type Sightings = Option<Vec<(Seen, Option<String>)>>;

fn ureq(urls: &[(String, f32)]) -> Sightings {
    let see = |(url, seconds): &(String, f32)| {
        let config = ureq::config::Config::builder()
            .timeout_global(Some(Duration::from_secs_f32(*seconds)))
            .proxy(None);
        let mut got = Vec::new();
        let result = config
            .build()
            .new_agent()
            .get(url)
            .call()
            .and_then(|mut answer| {
                let mut body = answer.body_mut().as_reader();
                body.read_to_end(&mut got).map_err(ureq::Error::from)
            });
        let seen = match &result {
            Ok(_) => Fine,
            Err(error) => of_ureq(error),
        };
        if seen == Seen::Other {
            eprintln!("ureq: {result:?}");
        }
        (seen, Some(String::from_utf8(got).unwrap()))
    };
    Some(urls.iter().map(see).collect())
}

fn of_ureq(error: &ureq::Error) -> Seen {
    use std::io::ErrorKind as Kind;
    match error {
        ureq::Error::Timeout(_) => Timeout,
        ureq::Error::ConnectionFailed => Refused,
        ureq::Error::Protocol(_) => Malformed,
        ureq::Error::Io(error) => {
            let inner = error
                .get_ref()
                .and_then(|e| e.downcast_ref::<ureq::Error>());
            match (error.kind(), inner) {
                (_, Some(inner)) => of_ureq(inner),
                (Kind::ConnectionRefused, _) => Refused,
                (Kind::ConnectionReset | Kind::BrokenPipe, _) => Reset,
                (Kind::UnexpectedEof, _) => EarlyEnd,
                (Kind::TimedOut, _) => Timeout,
                _ => Seen::Other,
            }
        }
        _ => Seen::Other,
    }
}

fn curl(urls: &[(String, f32)]) -> Sightings {
    if !is_here("curl", "--version") {
        return None;
    }
    let see = |(url, seconds): &(String, f32)| {
        let seconds = seconds.to_string();
        let output = Command::new("curl")
            .args(["-sSN", "--noproxy", "*", "--max-time", &seconds, url])
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        let seen = match output.status.code() {
            Some(0) => Fine,
            Some(7) => Refused,
            Some(18 | 52) => EarlyEnd,
            Some(28) => Timeout,
            Some(56) if message.contains("reset by peer") => Reset,
            Some(1 | 8) => Malformed,
            Some(56) if !message.contains("Recv failure") => Malformed,
            _ => Seen::Other,
        };
        if seen == Seen::Other {
            eprintln!("curl: {:?} {message}", output.status);
        }
        (seen, Some(String::from_utf8(output.stdout).unwrap()))
    };
    Some(urls.iter().map(see).collect())
}

const URLLIB: &str = r#"
import http.client, sys, urllib.error, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for url, seconds in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        opener.open(url, timeout=float(seconds)).read()
        print("Ok")
    except Exception as error:
        error = getattr(error, "reason", error) if isinstance(error, urllib.error.URLError) else error
        print(", ".join(kind.__name__ for kind in type(error).__mro__))
"#;

fn urllib(urls: &[(String, f32)]) -> Sightings {
    if !is_here("python3", "--version") {
        return None;
    }
    let output = Command::new("python3")
        .args(["-c", URLLIB])
        .args(
            urls.iter()
                .flat_map(|(url, seconds)| [url.clone(), seconds.to_string()]),
        )
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        lines.lines().count(),
        urls.len(),
        "{lines}{:?}",
        output.stderr
    );
    let see = |line: &str| {
        let is = |name: &str| line.split(", ").any(|own| own == name);
        if is("Ok") {
            Fine
        } else if is("TimeoutError") {
            Timeout
        } else if is("ConnectionRefusedError") {
            Refused
        } else if is("RemoteDisconnected") || is("IncompleteRead") {
            EarlyEnd
        } else if is("ConnectionResetError") || is("BrokenPipeError") {
            Reset
        } else if is("HTTPException") || is("ValueError") {
            Malformed
        } else {
            eprintln!("urllib: {line}");
            Seen::Other
        }
    };
    Some(lines.lines().map(|line| (see(line), None)).collect())
}

/// A client that is missing is skipped by name, but not where it was installed for this.
fn is_here(program: &str, argument: &str) -> bool {
    let is_here = Command::new(program)
        .arg(argument)
        .output()
        .is_ok_and(|o| o.status.success());
    if !is_here {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "{program} is not here"
        );
        eprintln!("skipped: {program} is not here");
    }
    is_here
}
