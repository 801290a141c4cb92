//! What a handler asks of a request: its target, form, cookies, `Accept` and `Authorization`. Input: a line for the
//! target and for each of the three fields, then the body.

use std::cell::Cell;

use servette::{Exchange, Form, ServeFiles, SimpleHandler, Status, Target, handler_fn, respond};

const OFFERS: [&str; 3] = ["text/html", "application/json", "image/png"];

/// Nothing is found that was not sent, and what is found is found again.
pub fn check(data: &[u8]) {
    let mut parts = data.splitn(5, |&byte| byte == b'\n');
    let [target, cookie, accept, authorization, body] =
        std::array::from_fn(|_| parts.next().unwrap_or_default());
    let length = body.len();
    let mut request = b"POST /".to_vec();
    for part in [
        target,
        b" HTTP/1.0\r\nCookie: ",
        cookie,
        b"\r\nAccept: ",
        accept,
        b"\r\nAuthorization: ",
        authorization,
        b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ",
        format!("{length}\r\n\r\n").as_bytes(),
        body,
    ] {
        request.extend_from_slice(part);
    }
    let was_asked = Cell::new(false);
    let handler = handler_fn(|_, x| {
        was_asked.set(true);
        look_at(x);
        look_below(x);
        let form = x.read_form(100_000)?;
        look_at_form(&form);
        let target = x.target()?;
        look_at_target(&target, x.path);
        x.send_content(Status::OK, "text/plain", "ok")
    });
    let answer = respond(&handler.quiet(), request);
    let is_ok = answer.starts_with(b"HTTP/1.0 200 ");
    // What is no path, and a body that is too long.
    let is_refused = [&b"400"[..], b"413", b"414", b"431"]
        .iter()
        .any(|code| answer.get(9..12) == Some(*code));
    assert!(
        is_ok || is_refused || !was_asked.get(),
        "{}",
        answer.escape_ascii()
    );
}

fn look_at(x: &Exchange<'_>) {
    let sent = x.headers.get("Cookie").unwrap_or_default();
    let names = sent.split(';').filter_map(|cookie| cookie.split_once('='));
    for (name, _) in names.take(100) {
        let name = name.trim_matches([' ', '\t']);
        let value = x.cookie(name).expect("a cookie that was sent");
        assert!(sent.contains(value));
    }
    let best = x.accepts(OFFERS);
    assert!(best.is_none_or(|best| OFFERS.contains(&best)));
    if let Some(who) = x.basic_auth() {
        assert!(!who.user.contains(':') && who.is(&who.user, &who.password));
        assert!(!who.is(&who.user, &format!("{}x", who.password)));
    }
}

/// A path is below a prefix just if the file that it names is.
fn look_below(x: &mut Exchange<'_>) {
    let file = SimpleHandler::new("/r").translate_path(x.path);
    for prefix in ["/a", "/a/b"] {
        let is_below = file.starts_with(format!("/r{prefix}"));
        // What no file can have as its name.
        let has_nul = x.path.contains("%00");
        match x.strip_prefix(prefix) {
            Some(inner) => {
                assert!(is_below || has_nul);
                assert!(inner.path.is_empty() || inner.path.starts_with(['/', '?', '#']));
                assert!(!inner.path.starts_with("//"));
                assert_eq!(inner.mount(), prefix);
            }
            None => assert!(!is_below),
        }
    }
}

fn look_at_form(form: &Form) {
    let pairs: Vec<_> = form.pairs().take(100).collect();
    for (name, _) in &pairs {
        let first = pairs.iter().find(|(other, _)| other == name);
        assert_eq!(form.value(name), first.map(|(_, value)| value.clone()));
    }
}

fn look_at_target(target: &Target<'_>, path: &str) {
    assert!(path.starts_with(target.path()));
    let slashes = target.path().matches('/').count();
    let segments = target.segments();
    assert!(segments.len() == slashes || (segments.is_empty() && target.path() == "/"));
    for (name, _) in target.query_pairs().take(100) {
        assert!(target.query_value(&name).is_some());
    }
}
