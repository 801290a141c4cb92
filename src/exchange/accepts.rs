//! [`Exchange::accepts`]: content negotiation by media type.

use super::Exchange;
use crate::http1::accept;

impl Exchange<'_> {
    /// Returns the offered media type that the client prefers, by its `Accept` fields (RFC 9110, section 12.5.1).
    ///
    /// If it prefers several types equally, or sends no `Accept` field, the first of them is returned. Returns `None`
    /// if the client accepts none of them. Parameters other than `q` and malformed media ranges are ignored.
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

    /// Returns the weight of a media type, in thousandths: the weight of the most specific range that contains it.
    fn quality(&self, offer: &str) -> u16 {
        let offer = offer.split(';').next().unwrap_or_default().trim();
        let ranked = accept::members(self.headers.get_all("Accept"))
            .filter_map(|range| Some((specificity(range.name, offer)?, range.weight)));
        ranked
            .max_by_key(|&(rank, _)| rank)
            .map_or(0, |(_, quality)| quality)
    }
}

/// Returns how specific a range is; `None` if it does not contain the media type.
fn specificity(range: &str, offer: &str) -> Option<u8> {
    let kind = |name: &str| name.split('/').next().map(str::to_ascii_lowercase);
    match range.strip_suffix("/*") {
        _ if range.eq_ignore_ascii_case(offer) => Some(2),
        Some("*") => Some(0),
        Some(of) => (kind(of) == kind(offer)).then_some(1),
        None => None,
    }
}
