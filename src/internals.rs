//! Private parts of the crate, for its own fuzz targets. No part of the API.
//!
//! The functions here only pass on: what the targets see is what a connection sees.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::Limits;
#[cfg(feature = "tls-config")]
use crate::connection::stream::Stream;
use crate::http1::accept;
use crate::http1::date::HttpDate;
use crate::http1::framing::BodyLength;
use crate::http1::head::{self, Places, Scan, Version};
use crate::http1::{Refusal, chunked};
use crate::log::text;
use crate::simple::codings::{Accepted, Coding};
use crate::simple::conditions::{Asked, Validators, Verdict};
use crate::simple::listing::names::{Details, Kind, Line, Names};
use crate::simple::listing::{DirectoryListing, html};
use crate::simple::path;
use crate::simple::ranges::Ranges;

/// A refusal: the status code, and what is wrong.
pub type Refused = (u16, String);

fn refused(refusal: Refusal) -> Refused {
    (refusal.code, refusal.message.into_owned())
}

/// Where a head stands in `input`, of which one read after the other brings the part up to each of
/// `ends`; `None` if it is not complete.
///
/// # Errors
/// The refusal.
pub fn find_head(
    input: &[u8],
    ends: &[usize],
    limits: &Limits,
) -> Result<Option<(usize, usize)>, Refused> {
    let (mut scan, mut places, limits) = (Scan::default(), Places::default(), limits.of_head());
    for &end in ends {
        let received = input.get(..end).unwrap_or(input);
        let found = head::find(received, &mut scan, &mut places, &limits).map_err(refused)?;
        if let Some(found) = found {
            let extent = found.extent();
            return Ok(Some((extent.start, extent.end)));
        }
    }
    Ok(None)
}

/// Judge the request line of a head that is not complete, or is refused, if the line itself is complete.
///
/// # Errors
/// The refusal.
pub fn check_request_line(input: &[u8], limits: &Limits) -> Result<(), Refused> {
    let mut scan = Scan::default();
    // What it finds is known already; it is asked for where the line stands.
    let _ = scan.find(input, &limits.of_head());
    scan.check_request_line(input).map_err(refused)
}

/// What a head says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The request line without its line end.
    pub requestline: String,
    /// The method.
    pub command: String,
    /// The path with its query, `*`, or the authority of a CONNECT.
    pub path: String,
    /// The authority of the target.
    pub authority: Option<String>,
    /// The version as it was sent.
    pub request_version: String,
    /// Whether the rules of HTTP/1.1 hold, not those of 1.0.
    pub is_http11: bool,
    /// Names and values; bytes above ASCII were read as Latin-1.
    pub fields: Vec<(String, String)>,
    /// The length of the body; `None` if it is chunked.
    pub length: Option<u64>,
    /// Whether the connection may persist.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue`.
    pub expects_continue: bool,
}

/// Parse exactly one head.
///
/// # Errors
/// The refusal.
pub fn parse_head(bytes: &[u8], limits: &Limits) -> Result<Head, Refused> {
    let (mut scratch, mut places) = (String::new(), Places::default());
    let limits = limits.of_head();
    let parsed = head::parse_whole(bytes, &mut scratch, &mut places, &limits).map_err(refused)?;
    Ok(Head {
        requestline: parsed.requestline.to_owned(),
        command: parsed.command.to_owned(),
        path: parsed.target.path.to_string(),
        authority: parsed.target.authority.map(str::to_owned),
        request_version: parsed.request_version.to_owned(),
        is_http11: parsed.version == Version::Http11,
        fields: parsed
            .fields
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        length: match parsed.meta.body {
            BodyLength::Exact(length) => Some(length),
            BodyLength::Chunked => None,
        },
        keep_alive: parsed.meta.keep_alive,
        expects_continue: parsed.meta.expects_continue,
    })
}

/// What stands next in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// More input is needed.
    More,
    /// So many bytes of data.
    Data(usize),
    /// The body is over.
    End,
}

/// The decoder of chunked bodies.
#[derive(Debug)]
pub struct ChunkedDecoder(chunked::Decoder);

impl ChunkedDecoder {
    /// At the start of a body.
    pub fn new(limits: &Limits) -> Self {
        ChunkedDecoder(chunked::Decoder::new(limits.of_chunks()))
    }

    /// Consume framing: how many bytes, and what follows.
    ///
    /// # Errors
    /// The refusal.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Piece), Refused> {
        let (consumed, piece) = self.0.next(input).map_err(refused)?;
        let piece = match piece {
            chunked::Piece::More => Piece::More,
            chunked::Piece::Data(length) => Piece::Data(length),
            chunked::Piece::End => Piece::End,
        };
        Ok((consumed, piece))
    }

    /// Count so many bytes of data as consumed.
    pub fn take(&mut self, count: usize) {
        self.0.take(count);
    }

    /// How much is left of the present chunk.
    pub fn pending(&self) -> u64 {
        self.0.pending()
    }
}

/// The path below the root that a target names, and whether it ends with a slash; `None` if it has a
/// NUL byte.
pub fn relative(target: &str) -> Option<(PathBuf, bool)> {
    let relative = path::relative(target).ok()?;
    Some((relative.path, relative.trailing_slash))
}

/// Where a directory without its slash is sent.
pub fn redirect_location(target: &str) -> String {
    path::redirect_location(target)
}

/// The page of a directory with these names; each may be a directory, and may be a link.
pub fn listing_page(target: &str, names: &[(OsString, bool, bool)]) -> String {
    let mut all = Names::default();
    for (name, is_dir, is_link) in names {
        all.push(&Line {
            name: name.as_encoded_bytes(),
            kind: match is_dir {
                true => Kind::Directory,
                false => Kind::File,
            },
            is_link: *is_link,
            details: Details::default(),
        });
    }
    let listing = DirectoryListing::new(target, target, &all);
    String::from_utf8(html::page(&listing)).unwrap_or_default()
}

/// A line of the log.
pub fn log_line(address: &str, date: &str, message: std::fmt::Arguments<'_>) -> String {
    text::line(address, date, message)
}

/// What a request gets of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// 412.
    Failed,
    /// 304.
    NotModified,
    /// 416.
    Unsatisfiable,
    /// 206, from the first to the last byte of each part; 200 where there is none.
    Parts(Vec<(u64, u64)>),
}

/// What GET with these fields gets of a file with this tag, date in seconds, and size.
pub fn select(fields: &[(&str, &str)], tag: &str, modified: u64, size: u64) -> Selection {
    let at = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let modified = at(modified);
    let there = Validators {
        tag: Some(tag),
        modified,
        modified_text: &HttpDate::from(modified.unwrap_or(SystemTime::UNIX_EPOCH)),
    };
    let asked = Asked::of(fields.iter().copied());
    match asked.evaluate(&there) {
        Verdict::Failed => return Selection::Failed,
        Verdict::NotModified => return Selection::NotModified,
        Verdict::Proceed => {}
    }
    let range = asked.valid_range(&there, SystemTime::now);
    let most = Limits::default().ranges;
    let parts = match range.map(|range| Ranges::of(range, size, most)) {
        None | Some(Ranges::Whole) => Vec::new(),
        Some(Ranges::Unsatisfiable) => return Selection::Unsatisfiable,
        Some(Ranges::One(one)) => vec![one],
        Some(Ranges::Several(several)) => several,
    };
    let ends = parts.iter().map(|part| (part.first, part.last));
    Selection::Parts(ends.collect())
}

/// The codings that a client takes, the first choice first, and whether it takes none, too.
pub fn accepted_codings(accept_encoding: &[&str]) -> (Vec<&'static str>, bool) {
    let accepted = Accepted::of(accept_encoding.iter().copied());
    (
        accepted.codings().map(Coding::name).collect(),
        accepted.identity,
    )
}

/// Whether a client names a media type in `Accept`.
pub fn names_media_type(accept: &[&str], media_type: &str) -> bool {
    accept::names(accept.iter().copied(), media_type)
}

/// The header of the PROXY protocol at the start of a connection: its length and the client, `None` where it is not
/// complete.
///
/// # Errors
/// What is wrong.
#[allow(clippy::type_complexity)]
pub fn proxy_header(bytes: &[u8]) -> Result<Option<(usize, Option<String>)>, &'static str> {
    let found = crate::proxies::header::parse(bytes)?;
    let shown = |peer: crate::Peer| peer.to_string();
    Ok(found.map(|header| (header.length, header.source.map(shown))))
}

/// The client of a request with these field lines from 10.0.0.9, where 10.0.0.0/8 is trusted; then the scheme and the host,
/// as far as they are known.
///
/// # Panics
/// If the lines are no fields.
#[allow(clippy::expect_used)]
pub fn forwarded_origin(lines: &[&str]) -> String {
    let mut trusted = crate::proxies::TrustedProxies::default();
    trusted.add("10.0.0.0/8").expect("a network");
    let head = format!("GET / HTTP/1.0\r\n{}\r\n\r\n", lines.join("\r\n"));
    let (mut scan, mut places) = (Scan::default(), Places::default());
    let limits = Limits::default().of_head();
    let found = head::find(head.as_bytes(), &mut scan, &mut places, &limits);
    let found = found.ok().flatten().expect("a head");
    let bytes = head
        .as_bytes()
        .get(..found.extent().end)
        .unwrap_or_default();
    let mut scratch = String::new();
    let head = head::parse(bytes, &found, &mut scratch, &mut places, &limits).expect("fields");
    let peer = std::net::SocketAddr::from(([10, 0, 0, 9], 1));
    let origin = trusted.origin(peer.into(), &head.fields);
    let scheme = origin.is_https.map(|is| if is { "https" } else { "http" });
    let client = origin.client.to_string();
    let parts = [Some(&*client), scheme, origin.host];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    parts.join(" ")
}

/// The server's side of TLS on a socket, as a connection has it.
#[cfg(feature = "tls-config")]
#[derive(Debug)]
pub struct TlsSocket(crate::connection::tls::Tls);

#[cfg(feature = "tls-config")]
impl TlsSocket {
    /// A new session on a socket that does not block.
    ///
    /// # Panics
    /// If there can be none with this configuration.
    #[allow(clippy::expect_used)]
    pub fn new(socket: crate::sys::SignalEnd, tls: &crate::Tls) -> Self {
        let socket = Stream::of_pair(socket);
        let session = crate::connection::tls::Tls::new(socket, tls.config());
        TlsSocket(session.expect("a session"))
    }

    /// Reads plaintext, as from a socket.
    ///
    /// # Errors
    /// As of a socket.
    pub fn recv(&self, room: &mut [u8]) -> std::io::Result<usize> {
        self.0.recv(room)
    }

    /// Writes plaintext, as to a socket.
    ///
    /// # Errors
    /// As of a socket.
    pub fn send(&self, data: &[u8]) -> std::io::Result<usize> {
        self.0.send(data, &[], false)
    }

    /// Says that nothing more comes.
    pub fn close(&self) {
        self.0.close_notify(false);
    }

    /// Why the session has failed, and whether that was a panic.
    pub fn failure(&self) -> Option<(String, bool)> {
        let failure = self.0.take_failure()?;
        let is_panic = matches!(*failure, crate::connection::tls::Failure::Panic(_));
        Some((failure.to_string(), is_panic))
    }
}
