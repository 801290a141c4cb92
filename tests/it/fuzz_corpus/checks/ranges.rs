//! Conditions and ranges of files. Input: field lines, one a line, of which the first two bytes are the size of
//! the file.

use servette::internals::{Selection, select};

const TAG: &str = "\"0123456789abcdef\"";
/// Sun, 06 Nov 1994 08:49:37 GMT
const MODIFIED: u64 = 784_111_777;

/// No field makes more of a file than it has, or something else than it asks for.
pub fn check(data: &[u8]) {
    let Some((&[high, low], text)) = data.split_first_chunk() else {
        return;
    };
    let size = u64::from(high) << 8 | u64::from(low);
    let text = String::from_utf8_lossy(text);
    let fields: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim_matches([' ', '\t'])))
        .collect();
    check_selection(&fields, size);
    let range = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("Range"));
    for &(name, value) in range {
        check_selection(&[(name, value)], size);
    }
}

fn check_selection(fields: &[(&str, &str)], size: u64) {
    let has = |wanted: &str| {
        fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    match select(fields, TAG, MODIFIED, size) {
        Selection::Failed => assert!(has("If-Match") || has("If-Unmodified-Since")),
        Selection::NotModified => assert!(has("If-None-Match") || has("If-Modified-Since")),
        Selection::Unsatisfiable => assert!(has("Range") && size > 0),
        Selection::Parts(parts) => {
            if parts.is_empty() {
                return;
            }
            assert!(has("Range") && parts.len() <= 256);
            for &(first, last) in &parts {
                assert!(first <= last && last < size, "{first}-{last} of {size}");
            }
            let lengths = parts.iter().map(|(first, last)| last - first + 1);
            assert!(lengths.sum::<u64>() <= size + 4096);
            // Who asks for what is sent gets the same.
            let again: Vec<String> = parts
                .iter()
                .map(|(first, last)| format!("{first}-{last}"))
                .collect();
            let field = format!("bytes={}", again.join(","));
            let sent = select(&[("Range", &field)], TAG, MODIFIED, size);
            assert_eq!(sent, Selection::Parts(parts), "{field} of {size}");
        }
    }
}
