//! [`Exchange::cookie`]: the cookies of a request.

use super::Exchange;

impl<'a> Exchange<'a> {
    /// Returns the value of the first cookie of this name, without quotes (RFC 6265, section 4.2); `None` if there is
    /// none. Malformed cookies are ignored.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let handler = handler_fn(|_, x| {
    ///     let visits = x.cookie("visits").and_then(|text| text.parse().ok()).unwrap_or(0);
    ///     x.send_header("Set-Cookie", &format!("visits={}; HttpOnly; SameSite=Lax", visits + 1));
    ///     x.send_content(Status::OK, "text/plain", visits.to_string())
    /// });
    /// let answer = respond(&handler, "GET / HTTP/1.0\r\nCookie: a=b; visits=7\r\n\r\n");
    /// let answer = String::from_utf8(answer).unwrap();
    /// assert!(answer.contains("\r\nSet-Cookie: visits=8; ") && answer.ends_with("\r\n\r\n7"));
    /// ```
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        let fields = self.headers.get_all("Cookie");
        let mut cookies = fields.flat_map(|field| field.split(';'));
        cookies.find_map(|cookie| {
            let (own, value) = cookie.split_once('=')?;
            let value = value.trim_matches([' ', '\t']);
            let inside = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            (own.trim_matches([' ', '\t']) == name).then_some(inside.unwrap_or(value))
        })
    }
}
