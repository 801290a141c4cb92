//! [`Status`]: status codes, reason phrases and explanations; Python's `http.HTTPStatus` and
//! `BaseHTTPRequestHandler.responses`.

use std::fmt;

/// A status code, optionally with a reason phrase and an explanation.
///
/// It replaces the three arguments `code, message=None, explain=None` of Python's `send_error`. By default the phrase
/// and the explanation come from [`RequestHandler::responses`](crate::RequestHandler::responses) when the response is
/// written.
///
/// There is a constant for each code of RFC 9110 and of the IANA registry that Python knows. Codes that RFC 9110
/// renamed (413, 414, 416, 422) have the new name, as in Python 3.13.
///
/// ```
/// use servette::Status;
///
/// let status = Status::NOT_FOUND.with_message("No such page").with_explain("It was <deleted>");
/// assert_eq!((status.code(), status.message()), (404, Some("No such page")));
/// assert_eq!(Status::GONE.phrase(), "Gone");
/// assert_eq!(Status::new(999).phrase(), "");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "HTTPStatus")]
pub struct Status<'m> {
    code: u16,
    message: Option<&'m str>,
    explain: Option<&'m str>,
}

impl Status<'static> {
    /// Returns the status with this code. A code outside 100 to 999 (RFC 9110, section 15) becomes 500.
    pub const fn new(code: u16) -> Self {
        let code = if code >= 100 && code <= 999 {
            code
        } else {
            500
        };
        Status {
            code,
            message: None,
            explain: None,
        }
    }
}

impl<'m> Status<'m> {
    /// Sets the reason phrase of the status line, which the error page shows too.
    pub const fn with_message(self, message: &'m str) -> Self {
        Status {
            message: Some(message),
            ..self
        }
    }

    /// Sets the longer explanation on the error page.
    pub const fn with_explain(self, explain: &'m str) -> Self {
        Status {
            explain: Some(explain),
            ..self
        }
    }

    /// Returns the status code, from 100 to 999.
    pub const fn code(self) -> u16 {
        self.code
    }

    /// Returns the reason phrase that [`with_message`](Self::with_message) has set; `None` by default.
    pub const fn message(self) -> Option<&'m str> {
        self.message
    }

    /// Returns the explanation that [`with_explain`](Self::with_explain) has set; `None` by default.
    pub const fn explain(self) -> Option<&'m str> {
        self.explain
    }

    /// Returns the reason phrase: the phrase that was set, otherwise the standard phrase, or an empty string if there
    /// is none.
    pub fn phrase(self) -> &'m str {
        self.message
            .or_else(|| responses(self.code).map(|(phrase, _)| phrase))
            .unwrap_or("")
    }

    /// Returns true if a response with this status may have content: false for 1xx, 204, 205 and 304.
    pub const fn has_content(self) -> bool {
        self.code >= 200 && !matches!(self.code, 204 | 205 | 304)
    }
}

impl fmt::Display for Status<'_> {
    /// Writes the code and the phrase, such as `404 Not Found`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phrase() {
            "" => write!(f, "{}", self.code),
            phrase => write!(f, "{} {phrase}", self.code),
        }
    }
}

macro_rules! statuses {
    ($($code:literal $name:ident $phrase:literal, $explanation:literal;)*) => {
        impl Status<'static> {
            $(#[doc = concat!("`", $code, " ", $phrase, "`: ", $explanation, ".")]
            pub const $name: Self = Self::new($code);)*
        }

        /// Returns the phrase and the explanation of a known code: the default of
        /// [`RequestHandler::responses`](crate::RequestHandler::responses).
        pub(crate) fn responses(code: u16) -> Option<(&'static str, &'static str)> {
            match code {
                $($code => Some(($phrase, $explanation)),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const CODES: &[u16] = &[$($code),*];
    };
}

statuses! {
    100 CONTINUE "Continue", "Request received, please continue";
    101 SWITCHING_PROTOCOLS "Switching Protocols", "Switching to new protocol; obey Upgrade header";
    102 PROCESSING "Processing", "Request is being worked on, no answer yet";
    103 EARLY_HINTS "Early Hints", "Some of the final fields, ahead of the answer";
    200 OK "OK", "Request fulfilled, document follows";
    201 CREATED "Created", "Document created, URL follows";
    202 ACCEPTED "Accepted", "Request accepted, work goes on off-line";
    203 NON_AUTHORITATIVE_INFORMATION "Non-Authoritative Information", "Request fulfilled from cache";
    204 NO_CONTENT "No Content", "Request fulfilled, nothing follows";
    205 RESET_CONTENT "Reset Content", "Clear input form for further input";
    206 PARTIAL_CONTENT "Partial Content", "Partial content follows";
    207 MULTI_STATUS "Multi-Status", "One status for each of several resources";
    208 ALREADY_REPORTED "Already Reported", "Members already listed in this answer";
    226 IM_USED "IM Used", "Result of a change applied to the resource";
    300 MULTIPLE_CHOICES "Multiple Choices", "Object has several resources -- see URI list";
    301 MOVED_PERMANENTLY "Moved Permanently", "Object moved permanently -- see URI list";
    302 FOUND "Found", "Object moved temporarily -- see URI list";
    303 SEE_OTHER "See Other", "Object moved -- see Method and URL list";
    304 NOT_MODIFIED "Not Modified", "Document has not changed since given time";
    305 USE_PROXY "Use Proxy", "Resource is reached through the proxy in Location";
    307 TEMPORARY_REDIRECT "Temporary Redirect", "Object moved temporarily -- see URI list";
    308 PERMANENT_REDIRECT "Permanent Redirect", "Object moved permanently -- see URI list";
    400 BAD_REQUEST "Bad Request", "Bad request syntax or unsupported method";
    401 UNAUTHORIZED "Unauthorized", "No permission -- see authorization schemes";
    402 PAYMENT_REQUIRED "Payment Required", "No payment -- see charging schemes";
    403 FORBIDDEN "Forbidden", "Request forbidden -- authorization will not help";
    404 NOT_FOUND "Not Found", "Nothing matches the given URI";
    405 METHOD_NOT_ALLOWED "Method Not Allowed", "Specified method is invalid for this resource";
    406 NOT_ACCEPTABLE "Not Acceptable", "URI not available in preferred format";
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required", "Authenticate with the proxy first";
    408 REQUEST_TIMEOUT "Request Timeout", "Request timed out; try again later";
    409 CONFLICT "Conflict", "Request conflict";
    410 GONE "Gone", "URI no longer exists and has been permanently removed";
    411 LENGTH_REQUIRED "Length Required", "Client must specify Content-Length";
    412 PRECONDITION_FAILED "Precondition Failed", "Precondition in headers is false";
    413 CONTENT_TOO_LARGE "Content Too Large", "Entity is too large";
    414 URI_TOO_LONG "URI Too Long", "URI is too long";
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type", "Entity body in unsupported format";
    416 RANGE_NOT_SATISFIABLE "Range Not Satisfiable", "Cannot satisfy request range";
    417 EXPECTATION_FAILED "Expectation Failed", "Expect condition could not be satisfied";
    418 IM_A_TEAPOT "I'm a Teapot", "Server is a teapot and brews no coffee";
    421 MISDIRECTED_REQUEST "Misdirected Request", "Server cannot answer for this host";
    422 UNPROCESSABLE_CONTENT "Unprocessable Content", "Content is well formed but cannot be acted on";
    423 LOCKED "Locked", "Resource is locked";
    424 FAILED_DEPENDENCY "Failed Dependency", "A request that this one needs has failed";
    425 TOO_EARLY "Too Early", "Request may have been replayed";
    426 UPGRADE_REQUIRED "Upgrade Required", "Client must switch to another protocol";
    428 PRECONDITION_REQUIRED "Precondition Required", "Request must be conditional";
    429 TOO_MANY_REQUESTS "Too Many Requests", "Too many requests in a given time";
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large", "Request header fields are too large";
    451 UNAVAILABLE_FOR_LEGAL_REASONS "Unavailable For Legal Reasons", "Access denied for legal reasons";
    500 INTERNAL_SERVER_ERROR "Internal Server Error", "Server got itself in trouble";
    501 NOT_IMPLEMENTED "Not Implemented", "Server does not support this operation";
    502 BAD_GATEWAY "Bad Gateway", "Invalid answer from another server";
    503 SERVICE_UNAVAILABLE "Service Unavailable", "Server is too busy to process the request";
    504 GATEWAY_TIMEOUT "Gateway Timeout", "Gateway got no answer in time";
    505 HTTP_VERSION_NOT_SUPPORTED "HTTP Version Not Supported", "Cannot fulfill request";
    506 VARIANT_ALSO_NEGOTIATES "Variant Also Negotiates", "Negotiation ends at a resource that negotiates itself";
    507 INSUFFICIENT_STORAGE "Insufficient Storage", "No room left to store the result";
    508 LOOP_DETECTED "Loop Detected", "Resources lead back to themselves";
    510 NOT_EXTENDED "Not Extended", "Request lacks an extension that it needs";
    511 NETWORK_AUTHENTICATION_REQUIRED "Network Authentication Required", "Client must authenticate to reach the network";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_62_codes_each_with_both_texts() {
        assert_eq!(CODES.len(), 62);
        for &code in CODES {
            let (phrase, explanation) = responses(code).unwrap_or_default();
            assert!(!phrase.is_empty() && !explanation.is_empty(), "{code}");
        }
        assert_eq!(responses(299), None);
    }

    #[test]
    fn a_number_that_is_no_status_becomes_500() {
        assert_eq!(
            [0, 99, 1000, 65535].map(|n| Status::new(n).code()),
            [500; 4]
        );
        assert_eq!([100, 999].map(|n| Status::new(n).code()), [100, 999]);
    }
}
