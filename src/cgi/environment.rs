//! The environment of a script: the meta-variables of RFC 3875, 4.1, and nothing inherited from the server.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::script::{Script, encode};
#[cfg(feature = "tls-config")]
use crate::TlsInfo;
use crate::cgi::{CgiHandler, RunScripts};
use crate::{Exchange, Headers};

/// Fields without an `HTTP_` variable: they have another variable, the server has handled them, or (`HTTP_PROXY`) the
/// variable would mean something else.
const NOT_PASSED: [&str; 4] = [
    "Content-Length",
    "Content-Type",
    "Proxy",
    "Transfer-Encoding",
];
/// Fields that contain passwords.
const SECRET: [&str; 2] = ["Authorization", "Proxy-Authorization"];

/// Names and values of variables.
pub(super) type Variables = Vec<(OsString, OsString)>;

/// Returns all variables for one run. Later ones win.
pub(super) fn of(
    h: &dyn RunScripts,
    x: &Exchange<'_>,
    script: &Script,
    length: Option<u64>,
) -> Variables {
    let cgi = h.cgi();
    let mut variables = cgi.base_environment();
    let (server_name, port) = server(x, cgi, &variables);
    for (name, value) in fields(&x.headers, cgi.passes_authorization()) {
        variables.push((name.into(), OsString::from_vec(value)));
    }
    let mut set = |name: &str, value: &OsStr| variables.push((name.into(), value.to_owned()));
    let (target, query) = x.path.split_once('?').unwrap_or((x.path, ""));
    let query = query.split('#').next().unwrap_or_default();
    set("GATEWAY_INTERFACE", OsStr::new("CGI/1.1"));
    set("SERVER_SOFTWARE", OsStr::new(&*h.version_string()));
    set("SERVER_NAME", OsStr::new(&server_name));
    set("SERVER_PORT", OsStr::new(&port.to_string()));
    set("SERVER_PROTOCOL", OsStr::new(x.request_version));
    set("REQUEST_METHOD", OsStr::new(x.command));
    set("REQUEST_URI", OsStr::new(&*x.whole_path()));
    // A `?` behind a `#` begins no query.
    let has_query = !target.contains('#');
    set(
        "QUERY_STRING",
        OsStr::new(if has_query { query } else { "" }),
    );
    let mut name: Vec<u8> = percent_encoding::percent_decode_str(x.mount()).collect();
    name.extend_from_slice(&script.name);
    set("SCRIPT_NAME", OsStr::from_bytes(&name));
    set("SCRIPT_FILENAME", script.file.as_os_str());
    set("PATH_INFO", OsStr::from_bytes(&script.path_info));
    if !script.path_info.is_empty() {
        set("PATH_TRANSLATED", &translated(h, &script.path_info));
    }
    let root = std::path::absolute(h.files().directory());
    set("DOCUMENT_ROOT", root.unwrap_or_default().as_os_str());
    let client = x.client_address.ip().map(|ip| ip.to_string());
    let client = client.unwrap_or_default();
    set("REMOTE_ADDR", OsStr::new(&client));
    // RFC 3875, 4.1.9: the address stands in for a name that nobody looked up.
    set("REMOTE_HOST", OsStr::new(&client));
    set(
        "REMOTE_PORT",
        OsStr::new(&x.client_address.port().to_string()),
    );
    if x.scheme() == "https" {
        set("HTTPS", OsStr::new("on"));
    }
    #[cfg(feature = "tls-config")]
    if let Some(tls) = x.tls() {
        set_tls(tls, &mut set);
    }
    if let Some(user) = h.remote_user(x) {
        set("AUTH_TYPE", OsStr::new(&user.auth_type));
        set("REMOTE_USER", OsStr::new(&user.name));
    }
    if let Some(length) = length {
        set("CONTENT_LENGTH", OsStr::new(&length.to_string()));
        if let Some(content_type) = x.headers.get("Content-Type") {
            set("CONTENT_TYPE", OsStr::from_bytes(&latin1(content_type)));
        }
    }
    variables
}

/// Sets the variables of Apache's `mod_ssl` that are known here.
#[cfg(feature = "tls-config")]
fn set_tls(tls: &TlsInfo, set: &mut impl FnMut(&str, &OsStr)) {
    set("SSL_PROTOCOL", OsStr::new(tls.version));
    set("SSL_CIPHER", OsStr::new(&tls.cipher));
    if let Some(name) = &tls.server_name {
        set("SSL_TLS_SNI", OsStr::new(name));
    }
    if let [own, ..] = &*tls.peer_certificates {
        set("SSL_CLIENT_CERT", OsStr::new(&certificate(own)));
    }
}

/// Returns the decoded words of a query without `=`, as arguments of the script (RFC 3875, 4.4).
pub(super) fn query_arguments(path: &str) -> Vec<OsString> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    if query.is_empty() || query.contains('=') {
        return Vec::new();
    }
    let decode = |word: &str| percent_encoding::percent_decode_str(word).collect::<Vec<u8>>();
    let words: Vec<_> = query.split('+').map(decode).collect();
    match words.iter().any(|word| word.contains(&0)) {
        true => Vec::new(),
        false => words.into_iter().map(OsString::from_vec).collect(),
    }
}

/// Returns `SERVER_NAME` and `SERVER_PORT`: those that the server is bound to, or those of the request.
fn server(x: &Exchange<'_>, cgi: &CgiHandler, variables: &Variables) -> (String, u16) {
    // Also where the program says that a proxy in front speaks it.
    let is_https = |(name, value): &(OsString, OsString)| name == "HTTPS" && value == "on";
    let usual_port = match x.scheme() == "https" || variables.iter().any(is_https) {
        true => 443,
        false => 80,
    };
    let host = x.host().filter(|_| cgi.takes_server_name_from_host());
    if let Some((name, port)) = host.and_then(|host| split_host(host, usual_port)) {
        return (name.to_owned(), port);
    }
    let name = &x.server.server_name;
    let name = match name.contains(':') {
        // An address of IPv6 stands in brackets, as in a URL.
        true => format!("[{name}]"),
        false => name.clone(),
    };
    (name, x.server.server_port)
}

/// Returns a certificate in PEM.
#[cfg(feature = "tls-config")]
fn certificate(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits = three
                .iter()
                .fold(0, |bits, &byte| bits << 8 | u32::from(byte));
            let bits = bits << (8 * (3 - three.len()));
            for place in 0..4 {
                let digit = DIGITS.get((bits >> (18 - 6 * place)) as usize & 63);
                match digit {
                    Some(&digit) if place <= three.len() => pem.push(char::from(digit)),
                    _ => pem.push('='),
                }
            }
        }
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// Splits a valid host into name and port (RFC 9110, 7.2).
fn split_host(host: &str, usual_port: u16) -> Option<(&str, u16)> {
    let behind_address = host.rfind(']').map_or(0, |end| end + 1);
    let colon = host.get(behind_address..)?.find(':');
    let (name, port) = match colon {
        Some(colon) => host.split_at_checked(behind_address + colon)?,
        None => (host, ""),
    };
    let port = match port.strip_prefix(':').unwrap_or_default() {
        "" => usual_port,
        digits => digits.parse().ok()?,
    };
    (!name.is_empty()).then_some((name, port))
}

/// Returns the file that a path would name in a request of its own. The result is absolute, because the script has
/// another working directory.
fn translated(h: &dyn RunScripts, path_info: &[u8]) -> OsString {
    let path = h.translate_path(&encode(path_info));
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut path = path.into_os_string();
    let ends = |bytes: &[u8]| bytes.ends_with(b"/");
    if ends(path_info) && !ends(path.as_bytes()) && path != OsStr::new("\0") {
        path.push("/");
    }
    path
}

/// Returns the `HTTP_` variables of the request's fields. Repeated fields are joined.
///
/// A name with characters other than letters, digits and `-` is left out, because its variable could be that of
/// another field.
fn fields(headers: &Headers<'_>, with_secrets: bool) -> Vec<(String, Vec<u8>)> {
    let mut variables: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, value) in headers.iter() {
        let is = |other: &&str| name.eq_ignore_ascii_case(other);
        let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_plain || NOT_PASSED.iter().any(&is) {
            continue;
        }
        if !with_secrets && SECRET.iter().any(is) {
            continue;
        }
        let variable = format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_"));
        match variables.iter_mut().find(|(name, _)| *name == variable) {
            None => variables.push((variable, latin1(value))),
            Some((_, joined)) => {
                joined.extend_from_slice(match &*variable {
                    "HTTP_COOKIE" => b"; ",
                    // As Python joins it.
                    "HTTP_ACCEPT" => b",",
                    _ => b", ",
                });
                joined.extend(latin1(value));
            }
        }
    }
    variables
}

/// Returns the bytes of a field value as they were received.
fn latin1(value: &str) -> Vec<u8> {
    value
        .chars()
        .map(|c| u8::try_from(c).unwrap_or(b'?'))
        .collect()
}

/// Returns the working directory of a script: the directory that it is in.
pub(super) fn working_directory(script: &Path) -> &Path {
    script.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Status, handler_fn, respond};

    fn fields_of(head: &str, with_secrets: bool) -> Vec<(String, String)> {
        let found = std::cell::RefCell::default();
        let handler = handler_fn(|h, x| {
            *found.borrow_mut() = fields(&x.headers, with_secrets);
            h.send_error(x, Status::GONE)
        });
        let request: Vec<u8> = format!("GET / HTTP/1.0\r\n{head}\r\n")
            .chars()
            .map(|c| c as u32 as u8)
            .collect();
        respond(&handler, request);
        let text =
            |(name, value): (String, Vec<u8>)| (name, value.into_iter().map(char::from).collect());
        found.into_inner().into_iter().map(text).collect()
    }

    fn one(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn each_field_becomes_one_variable() {
        assert_eq!(
            fields_of(
                "X-A: 1\r\nHost: h\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\n",
                false
            ),
            [
                one("HTTP_X_A", "1, 2"),
                one("HTTP_HOST", "h"),
                one("HTTP_COOKIE", "a=1; b=2")
            ]
        );
        assert_eq!(
            fields_of(
                "Accept: text/html\r\nACCEPT: text/plain\r\nX-B: \u{e9}\r\n",
                false
            ),
            [
                one("HTTP_ACCEPT", "text/html,text/plain"),
                one("HTTP_X_B", "\u{e9}")
            ]
        );
    }

    #[test]
    fn no_field_can_pass_for_another_variable() {
        let head = "Proxy: http://evil/\r\nX_A: 1\r\nContent_Length: 9\r\nX.Y: 1\r\n\
                    Content-Length: 0\r\nContent-Type: a/b\r\nX-A: 2\r\n";
        assert_eq!(fields_of(head, true), [one("HTTP_X_A", "2")]);
    }

    #[test]
    fn secrets_are_passed_only_when_asked_for() {
        let head = "Authorization: Basic eDp5\r\nProxy-Authorization: x\r\nX: y\r\n";
        assert_eq!(fields_of(head, false), [one("HTTP_X", "y")]);
        assert_eq!(fields_of(head, true).len(), 3);
    }

    #[test]
    fn a_host_is_split_before_its_port() {
        for (host, split) in [
            ("example.org", Some(("example.org", 80))),
            ("example.org:8080", Some(("example.org", 8080))),
            ("example.org:", Some(("example.org", 80))),
            ("[::1]", Some(("[::1]", 80))),
            ("[::1]:8000", Some(("[::1]", 8000))),
            ("h:00080", Some(("h", 80))),
            ("h:65536", None),
            ("", None),
        ] {
            assert_eq!(split_host(host, 80), split, "{host}");
        }
        assert_eq!(split_host("h", 443), Some(("h", 443)));
    }

    #[test]
    fn arguments_come_of_a_query_without_an_equals_sign() {
        let arguments = |path| query_arguments(path);
        assert_eq!(arguments("/x?a+b%20c+%2d"), ["a", "b c", "-"]);
        assert_eq!(arguments("/x?a=b+c"), [""; 0]);
        assert_eq!(arguments("/x?a%3Db"), ["a=b"]);
        assert_eq!(arguments("/x?a#b"), ["a"]);
        for path in ["/x", "/x?", "/x?a%00"] {
            assert!(arguments(path).is_empty(), "{path}");
        }
    }
}
