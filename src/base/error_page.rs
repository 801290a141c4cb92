//! Error pages: a template with Python's `%(name)s` placeholders.

use std::io::Write;

use crate::log::text::push_json;
use crate::{Exchange, RequestHandler, Result, Status};

/// The style sheet of all pages of this crate.
macro_rules! page_style {
    () => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/base/page.css"))
    };
}
pub(crate) use page_style;

/// The start of all pages of this crate, up to the title, with the given style sheet. It contains no `%`.
///
/// The empty icon keeps browsers from requesting `/favicon.ico`.
macro_rules! page_head {
    ($style:expr) => {
        concat!(
            r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<style>"#,
            $style,
            "</style>\n"
        )
    };
}
pub(crate) use page_head;

/// The default template of error pages. See [`RequestHandler::error_message_format`]. Python's constant of this
/// name has another text.
pub const DEFAULT_ERROR_MESSAGE: &str = concat!(
    page_head!(page_style!()),
    r#"<title>%(code)d %(message)s</title>
</head>
<body>
<main>
<h1>%(message)s</h1>
<p>%(explain)s.</p>
<p>Error code: %(code)d</p>
<p><a href="/">To the start page</a></p>
</main>
</body>
</html>
"#
);

/// The `Content-Type` of [`DEFAULT_ERROR_MESSAGE`]: Python's `DEFAULT_ERROR_CONTENT_TYPE`.
pub const DEFAULT_ERROR_CONTENT_TYPE: &str = "text/html;charset=utf-8";

/// Default implementation of [`send_error`](super::send_error).
pub(super) fn send<H: RequestHandler + ?Sized>(
    h: &H,
    x: &mut Exchange<'_>,
    status: Status<'_>,
) -> Result<()> {
    let code = status.code();
    let page = {
        let (short, long) = h.responses(code).unwrap_or(("???", "???"));
        let message = status.message().unwrap_or(short);
        let explain = status.explain().unwrap_or(long);
        let is_page = &x.context.scope.logs_page;
        is_page.set(true);
        h.log_error(x, format_args!("code {code}, message {message}"));
        is_page.set(false);
        status
            .has_content()
            .then(|| render(h.error_message_format(), code, message, explain))
    };
    h.send_response(x, status);
    // After these statuses the server can't know where the next request starts.
    if matches!(code, 400 | 408 | 411 | 413 | 414 | 417 | 431 | 505) || x.close_connection.get() {
        h.send_header(x, "Connection", "close");
    }
    if let Some(page) = &page {
        h.send_header(x, "Content-Type", h.error_content_type());
        h.send_header(x, "Content-Length", itoa::Buffer::new().format(page.len()));
    }
    h.end_headers(x)?;
    if let Some(page) = page {
        x.wfile.write_all(page.as_bytes())?;
    }
    Ok(())
}

/// Replaces the placeholders `%(code)d`, `%(code)s`, `%(message)s`, `%(explain)s`, `%(message)j`, `%(explain)j` and
/// `%%`.
///
/// `s` escapes the value for HTML text; `j` writes a JSON string with its quotes. A value may contain text of the
/// client, so placeholders inside a value are not replaced. Any other `%` is kept, so that `width: 100%` in a template
/// does no harm.
pub(crate) fn render(format: &str, code: u16, message: &str, explain: &str) -> String {
    let mut page = String::with_capacity(format.len() + message.len() + explain.len() + 16);
    let mut rest = format;
    while let Some((text, place)) = rest.split_once('%') {
        page.push_str(text);
        rest = if let Some(after) = place.strip_prefix('%') {
            page.push('%');
            after
        } else if let Some(after) = strip_any(place, &["(code)d", "(code)s"]) {
            page.push_str(&code.to_string());
            after
        } else if let Some(after) = place.strip_prefix("(message)s") {
            push_html(&mut page, message);
            after
        } else if let Some(after) = place.strip_prefix("(explain)s") {
            push_html(&mut page, explain);
            after
        } else if let Some(after) = place.strip_prefix("(message)j") {
            push_json(&mut page, message, usize::MAX);
            after
        } else if let Some(after) = place.strip_prefix("(explain)j") {
            push_json(&mut page, explain, usize::MAX);
            after
        } else {
            page.push('%');
            place
        };
    }
    page.push_str(rest);
    page
}

fn strip_any<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    prefixes
        .iter()
        .find_map(|&prefix| text.strip_prefix(prefix))
}

/// Escapes a text for HTML text, not for an attribute: Python's `html.escape(text, quote=False)`.
fn push_html(page: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            _ => page.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_default_page_says_it_all() {
        let page = render(
            DEFAULT_ERROR_MESSAGE,
            404,
            "Not Found",
            "Nothing matches the given URI",
        );
        for part in [
            "<!DOCTYPE html>",
            "<meta charset=\"utf-8\">",
            "<meta name=\"viewport\" ",
            "content=\"light dark\"",
            "<title>404 Not Found</title>",
            "<h1>Not Found</h1>",
            "<p>Error code: 404</p>",
            "<p>Nothing matches the given URI.</p>",
            "<a href=\"/\">",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains('%'));
    }

    #[test]
    fn fills_in_the_places() {
        for (format, page) in [
            ("", ""),
            ("plain", "plain"),
            ("%(code)d %(code)s", "404 404"),
            ("%(message)s%(explain)s", "M&lt;E&amp;"),
            ("%%", "%"),
            ("%%%", "%%"),
            ("%%(code)d", "%(code)d"),
            ("%%%(code)d", "%404"),
            ("100%", "100%"),
            ("100%;", "100%;"),
            ("%é%(code)d", "%é404"),
            ("%(code)", "%(code)"),
            ("%(code)x %(message)d", "%(code)x %(message)d"),
            ("%(code%(code)d", "%(code404"),
            ("%(other)s %(Code)d %s %d", "%(other)s %(Code)d %s %d"),
        ] {
            assert_eq!(render(format, 404, "M<", "E&"), page, "{format}");
        }
    }

    #[test]
    fn a_page_may_be_json() {
        let format = r#"{"code": %(code)d, "message": %(message)j, "explain": %(explain)j}"#;
        let page = render(format, 404, "a \"b\" \\ <c>", "é\n\u{1f600}");
        let wanted = r#"{"code": 404, "message": "a \"b\" \\ \u003cc>", "explain": "é\u000a😀"}"#;
        assert_eq!(page, wanted);
    }

    #[test]
    fn a_value_is_never_a_format() {
        let page = render("%(message)s|%(explain)s", 400, "%(explain)s%%", "%(code)d");
        assert_eq!(page, "%(explain)s%%|%(code)d");
        // A value and the text after it do not form a placeholder.
        assert_eq!(render("%(message)s(code)d", 400, "%", ""), "%(code)d");
    }

    #[test]
    fn values_are_escaped_and_the_format_is_not() {
        let script = "<script>alert(\"&'\")</script>";
        assert_eq!(
            render("<p>%(message)s</p>", 400, script, ""),
            "<p>&lt;script&gt;alert(\"&amp;'\")&lt;/script&gt;</p>"
        );
        assert_eq!(
            render("%(explain)s", 400, "", "a<b>&amp;"),
            "a&lt;b&gt;&amp;amp;"
        );
    }

    proptest! {
        #[test]
        fn no_value_brings_markup(message: String, explain: String, code: u16) {
            let page = render("%(code)d%(message)s%(explain)s", code, &message, &explain);
            prop_assert!(!page.contains(['<', '>']));
            let back = page.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert_eq!(back, format!("{code}{message}{explain}"));
        }

        #[test]
        fn a_format_without_places_is_the_page(format in "[^%]*") {
            prop_assert_eq!(render(&format, 500, "m", "e"), format);
        }

        #[test]
        fn any_format_is_rendered(format in "([%()a-z]|%\\(code\\)d|%%|\\PC)*") {
            let page = render(&format, 7, "", "");
            prop_assert!(page.len() <= format.len());
        }
    }
}
