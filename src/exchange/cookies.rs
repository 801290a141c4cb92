//! What a request says in lists: its cookies, and what its client accepts.

use super::Exchange;

impl<'a> Exchange<'a> {
    /// The value of the first cookie of this name (RFC 6265, 4.2), without quotes around it. What is no cookie among the
    /// `Cookie` fields is ignored.
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

    /// Which of these media types the client likes best, by its `Accept` fields (RFC 9110, 12.5.1); the first of those that
    /// it likes best, and `None` if it accepts none of them. Parameters other than `q` are ignored, and so is what is no
    /// media range.
    ///
    /// ```
    /// use servette::{Status, handler_fn, respond};
    ///
    /// let handler = handler_fn(|_, x| match x.accepts(["text/html", "application/json"]) {
    ///     Some("application/json") => x.send_content(Status::OK, "application/json", "{}"),
    ///     Some(html) => x.send_content(Status::OK, html, "<p>"),
    ///     None => x.send_error(Status::NOT_ACCEPTABLE),
    /// });
    /// let accept = |value: &str| respond(&handler, format!("GET / HTTP/1.0\r\nAccept: {value}\r\n\r\n"));
    /// assert!(accept("application/json").ends_with(b"{}"));
    /// assert!(accept("text/*;q=0.5, */*;q=0.1").ends_with(b"<p>"));
    /// assert!(accept("image/png").starts_with(b"HTTP/1.0 406 "));
    /// assert!(respond(&handler, "GET / HTTP/1.0\r\n\r\n").ends_with(b"<p>"));
    /// ```
    pub fn accepts<'o>(&self, offers: impl IntoIterator<Item = &'o str>) -> Option<&'o str> {
        let mut offers = offers.into_iter();
        if self.headers.get("Accept").is_none() {
            return offers.next();
        }
        let mut best = None;
        for offer in offers {
            let quality = self.quality(offer);
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((offer, quality));
            }
        }
        best.map(|(offer, _)| offer)
    }

    /// In thousandths: that of the most specific range which a media type is in.
    fn quality(&self, offer: &str) -> u16 {
        let fields = self.headers.get_all("Accept");
        let ranges = fields.flat_map(|field| field.split(','));
        let of = ranges.filter_map(|range| weigh(range, offer));
        of.max_by_key(|&(rank, _)| rank)
            .map_or(0, |(_, quality)| quality)
    }
}

/// How specific a range is, and its quality; `None` if it is none, or another.
fn weigh(range: &str, offer: &str) -> Option<(u8, u16)> {
    let mut parts = range.split(';').map(|part| part.trim_matches([' ', '\t']));
    let (of_range, of_offer) = (parts.next()?, offer.split(';').next()?.trim());
    let (kind, subtype) = of_range.split_once('/')?;
    let (offered_kind, offered_subtype) = of_offer.split_once('/')?;
    let rank = match (kind, subtype) {
        ("*", "*") => 0,
        (_, "*") if kind.eq_ignore_ascii_case(offered_kind) => 1,
        _ if kind.eq_ignore_ascii_case(offered_kind)
            && subtype.eq_ignore_ascii_case(offered_subtype) =>
        {
            2
        }
        _ => return None,
    };
    let mut weights = parts.filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("q").then_some(value)
    });
    let quality = weights.next().map_or(Some(1000), thousandths)?;
    Some((rank, quality))
}

/// A weight (RFC 9110, 12.4.2): `0.5`, at most three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = format!("{part:0<3}").parse().ok().filter(|_| is_number)?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_three_digits() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            ("0.05", Some(50)),
            ("0.999", Some(999)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("1.001", None),
            ("0.5000", None),
            (".5", None),
            ("2", None),
            ("-1", None),
            ("0.+5", None),
            ("", None),
        ] {
            assert_eq!(thousandths(text), wanted, "{text}");
        }
    }
}
