//! [`Credentials`]: user name and password of HTTP Basic authentication (RFC 7617).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::Exchange;

/// User name and password of HTTP Basic authentication (RFC 7617); returned by [`Exchange::basic_auth`].
///
/// `Debug` does not show the password.
///
/// ```
/// use servette::{Status, handler_fn, respond};
///
/// let handler = handler_fn(|_, x| match x.basic_auth() {
///     Some(credentials) if credentials.is("ada", "secret") => {
///         x.send_content(Status::OK, "text/plain", credentials.user)
///     }
///     _ => x.send_error(Status::FORBIDDEN),
/// });
/// // ada:secret
/// let request = "GET / HTTP/1.0\r\nAuthorization: Basic YWRhOnNlY3JldA==\r\n\r\n";
/// assert!(respond(&handler, request).ends_with(b"\r\n\r\nada"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// The user name; it contains no colon.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    fn parse(authorization: &str) -> Option<Self> {
        let (scheme, encoded) = authorization.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim_matches(' ')).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        (!text.contains(char::is_control)).then(|| Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    /// Compares user name and password, and returns true if both are equal. The comparison takes constant time, so its
    /// duration reveals nothing but the lengths.
    pub fn is(&self, user: &str, password: &str) -> bool {
        let user = self.user.as_bytes().ct_eq(user.as_bytes());
        bool::from(user & self.password.as_bytes().ct_eq(password.as_bytes()))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Exchange<'_> {
    /// Returns the user name and the password of the `Authorization` field, if its scheme is `Basic`. (Feature `auth`.)
    ///
    /// Returns `None` without such a field, or if its value is not base64 of UTF-8 with a colon.
    ///
    /// ```
    /// use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, Status, respond};
    ///
    /// struct Members<H>(H);
    ///
    /// impl<H: RequestHandler> Layer for Members<H> {
    ///     fn inner(&self) -> &dyn RequestHandler {
    ///         &self.0
    ///     }
    ///     fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
    ///         if x.basic_auth().is_some_and(|who| who.is("anna", "secret")) {
    ///             return self.0.do_method(x);
    ///         }
    ///         x.send_header("WWW-Authenticate", "Basic realm=\"members\", charset=\"UTF-8\"");
    ///         x.send_error(Status::UNAUTHORIZED)
    ///     }
    /// }
    ///
    /// let members = Members(SimpleHandler::new("."));
    /// let answer = String::from_utf8(respond(&members, "GET / HTTP/1.0\r\n\r\n")).unwrap();
    /// assert!(answer.starts_with("HTTP/1.0 401 ") && answer.contains("\r\nWWW-Authenticate: Basic "));
    /// let known = "GET / HTTP/1.0\r\nAuthorization: Basic YW5uYTpzZWNyZXQ=\r\n\r\n";
    /// assert!(respond(&members, known).starts_with(b"HTTP/1.0 200 "));
    /// ```
    pub fn basic_auth(&self) -> Option<Credentials> {
        Credentials::parse(self.headers.get("Authorization")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_basic_is_ignored() {
        let parse = |text: &str| Credentials::parse(text).map(|who| (who.user, who.password));
        let some = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(parse("Basic YW5uYTpzZWNyZXQ="), some("anna", "secret"));
        assert_eq!(parse("bASIC  YW5uYTpzZWNyZXQ= "), some("anna", "secret"));
        assert_eq!(
            parse(&format!("Basic {}", STANDARD.encode("a:b:c"))),
            some("a", "b:c")
        );
        assert_eq!(
            parse(&format!("Basic {}", STANDARD.encode(":"))),
            some("", "")
        );
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Bearer YW5uYTpzZWNyZXQ=",
            "Basic YW5uYTpzZWNyZXQ",
            "Basic YW5u*TpzZWNyZXQ=",
            &format!("Basic {}", STANDARD.encode("no colon")),
            &format!("Basic {}", STANDARD.encode(b"\xff:x")),
            &format!("Basic {}", STANDARD.encode("a:b\n")),
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn both_must_be_right_and_the_password_is_not_shown() {
        let who = Credentials::parse("Basic YW5uYTpzZWNyZXQ=").unwrap();
        assert!(who.is("anna", "secret"));
        for (user, password) in [
            ("anna", "secre"),
            ("anna", ""),
            ("ann", "secret"),
            ("anna", "secreT"),
        ] {
            assert!(!who.is(user, password));
        }
        assert!(!format!("{who:?}").contains("secret"));
    }
}
