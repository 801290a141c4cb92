//! A reader of responses that forgives nothing.

use super::super::{is_token, is_value, values};

/// A response.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) version: String,
    pub(super) code: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// It says itself where it ends.
    pub(super) is_delimited: bool,
    /// It does, and it did not get there.
    pub(super) is_cut: bool,
}

impl Response {
    /// Reads a response to a request with the method HEAD, or CONNECT, or another one; with what follows it.
    pub(super) fn read(input: &[u8], is_head: bool, is_connect: bool) -> (Response, &[u8]) {
        let (status_line, mut rest) = line(input).expect("a status line");
        let (version, code) = status_line.split_once(' ').unwrap();
        let (code, reason) = code.split_once(' ').unwrap();
        assert!(is_value(reason.trim_matches(' ')), "{status_line:?}");
        assert!(code.len() == 3, "{status_line:?}");
        let mut response = Response {
            version: version.to_owned(),
            code: code.parse().unwrap(),
            fields: Vec::new(),
            body: Vec::new(),
            is_delimited: true,
            is_cut: false,
        };
        loop {
            let (field, after) = line(rest).expect("a field line");
            rest = after;
            if field.is_empty() {
                break;
            }
            let (name, value) = field.split_once(": ").unwrap();
            assert!(is_token(name) && is_value(value), "{field:?}");
            response.fields.push((name.to_owned(), value.to_owned()));
        }
        rest = response.read_body(rest, is_head, is_connect);
        (response, rest)
    }

    pub(super) fn values(&self, name: &'static str) -> impl Iterator<Item = &str> {
        values(&self.fields, name)
    }

    pub(super) fn is_chunked(&self) -> bool {
        self.values("Transfer-Encoding").next().is_some()
    }

    /// RFC 9112, 6.3.
    fn read_body<'a>(&mut self, rest: &'a [u8], is_head: bool, is_connect: bool) -> &'a [u8] {
        let lengths: Vec<&str> = self.values("Content-Length").collect();
        let codings: Vec<&str> = self.values("Transfer-Encoding").collect();
        assert!(lengths.len() + codings.len() <= 1, "{self:?}");
        assert!(codings.iter().all(|&coding| coding == "chunked"));
        let is_tunnel = is_connect && (200..300).contains(&self.code);
        if self.code < 200 || self.code == 204 || is_tunnel {
            assert!(lengths.is_empty() && codings.is_empty(), "{self:?}");
        }
        let has_no_body = is_head || self.code < 200 || matches!(self.code, 204 | 304);
        match (&lengths[..], &codings[..]) {
            _ if has_no_body => rest,
            ([length], _) => {
                assert!(length.bytes().all(|byte| byte.is_ascii_digit()));
                let (body, rest) = rest.split_at(length.parse().unwrap());
                self.body = body.to_vec();
                rest
            }
            (_, [_]) => self.read_chunks(rest),
            _ => {
                self.is_delimited = false;
                self.body = rest.to_vec();
                b""
            }
        }
    }

    fn read_chunks<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        while let Some((size, after)) = line(rest) {
            assert!(size == size.trim_start_matches(['0', '+']) || size == "0");
            let size = usize::from_str_radix(&size, 16).unwrap();
            let (data, after) = after.split_at(size);
            self.body.extend_from_slice(data);
            rest = after.strip_prefix(b"\r\n").expect("the end of a chunk");
            if size == 0 {
                return rest;
            }
        }
        assert!(rest.is_empty(), "a part of a chunk");
        self.is_cut = true;
        rest
    }
}

/// The text of the first line, read as Latin-1, and what follows it. It ends with CR LF and has neither
/// of the two elsewhere.
fn line(input: &[u8]) -> Option<(String, &[u8])> {
    let end = input.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = input.split_at(end);
    assert!(!line.iter().any(|byte| b"\r\n\0".contains(byte)));
    Some((line.iter().map(|&b| char::from(b)).collect(), &rest[2..]))
}
