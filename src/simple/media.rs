//! The charset that is added to a media type.

use std::borrow::Cow;

/// Returns the media type to send. Without a charset, browsers guess one from the language of the machine, and some
/// clients assume Latin-1. None is added to JSON, which is always UTF-8, and to XML, which declares it itself.
pub(super) fn with_charset<'a>(media_type: Cow<'a, str>, charset: Option<&str>) -> Cow<'a, str> {
    let Some(charset) = charset else {
        return media_type;
    };
    if charset == "utf-8"
        && let Some(known) = usual(&media_type)
    {
        return Cow::Borrowed(known);
    }
    match has_charset_to_say(&media_type) {
        true => Cow::Owned(format!("{media_type}; charset={charset}")),
        false => media_type,
    }
}

/// Returns the result for the most common types.
fn usual(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "text/html" => "text/html; charset=utf-8",
        "text/css" => "text/css; charset=utf-8",
        "text/javascript" => "text/javascript; charset=utf-8",
        "text/plain" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

fn has_charset_to_say(media_type: &str) -> bool {
    let begins = |with: &str| {
        let start = media_type.get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    if !begins("text/") && !begins("application/javascript") {
        return false;
    }
    let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let essence = essence.trim_end().to_ascii_lowercase();
    let is_text = match &*essence {
        "text/xml" | "text/xml-external-parsed-entity" => false,
        "application/javascript" => true,
        other => other.starts_with("text/") && !other.ends_with("+xml"),
    };
    let is_charset = |parameter: &str| {
        let name = parameter
            .split_once('=')
            .map_or(parameter, |(name, _)| name);
        name.trim().eq_ignore_ascii_case("charset")
    };
    is_text && !parameters.split(';').any(is_charset)
}

/// Returns whether files of this type become much smaller by compression.
pub(super) fn is_compressible(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let others = [
        "application/javascript",
        "application/json",
        "application/wasm",
        "application/xml",
        "font/otf",
        "font/ttf",
    ];
    essence.starts_with("text/")
        || ["+json", "+xml"]
            .iter()
            .any(|suffix| essence.ends_with(suffix))
        || others.contains(&&*essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_scripts_data_and_plain_fonts_are_compressible() {
        for media_type in [
            "text/html",
            "text/javascript; charset=utf-8",
            "TEXT/css ;x=y",
            "text/xml",
            "application/javascript",
            "application/json",
            "application/manifest+json",
            "application/xhtml+xml",
            "image/svg+xml",
            "application/wasm",
            "font/ttf",
            "font/otf",
        ] {
            assert!(is_compressible(media_type), "{media_type}");
        }
        for media_type in [
            "image/png",
            "image/jpeg",
            "video/mp4",
            "video/mp2t",
            "font/woff2",
            "font/woff",
            "application/zip",
            "application/gzip",
            "application/pdf",
            "application/octet-stream",
            "application/jsonx",
            "texts/x",
            "",
        ] {
            assert!(!is_compressible(media_type), "{media_type}");
        }
    }

    #[test]
    fn texts_and_scripts_get_a_charset() {
        for (media_type, expected) in [
            ("text/plain", "text/plain; charset=utf-8"),
            ("text/html", "text/html; charset=utf-8"),
            ("text/css", "text/css; charset=utf-8"),
            ("text/javascript", "text/javascript; charset=utf-8"),
            ("text/markdown", "text/markdown; charset=utf-8"),
            ("TEXT/x", "TEXT/x; charset=utf-8"),
            (
                "text/plain; format=flowed",
                "text/plain; format=flowed; charset=utf-8",
            ),
            (
                "application/javascript",
                "application/javascript; charset=utf-8",
            ),
            (
                "text/plain;charset=iso-8859-1",
                "text/plain;charset=iso-8859-1",
            ),
            (
                "text/plain; x=y; Charset=\"u\"",
                "text/plain; x=y; Charset=\"u\"",
            ),
            ("text/xml", "text/xml"),
            ("text/xml; x=y", "text/xml; x=y"),
            ("image/svg+xml", "image/svg+xml"),
            ("application/json", "application/json"),
            ("application/octet-stream", "application/octet-stream"),
            ("text", "text"),
            ("", ""),
        ] {
            assert_eq!(with_charset(media_type.into(), Some("utf-8")), expected);
            assert_eq!(with_charset(media_type.into(), None), media_type);
        }
        let latin = with_charset("text/html".into(), Some("iso-8859-1"));
        assert_eq!(latin, "text/html; charset=iso-8859-1");
    }
}
