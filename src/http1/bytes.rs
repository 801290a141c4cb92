//! Searches in short byte strings, a word at a time. The lines of a head are shorter than the strings for which the
//! searches of the standard library are optimized.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Returns the position after the first line feed at or after `from`.
pub(crate) fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let at = find(bytes.get(from..)?, b'\n')?;
    Some(from + at + 1)
}

/// Returns the first position of `wanted`. This takes 63 instructions for a line of 6 bytes, 73 for 20 and 234 for 100;
/// the crate `memchr` takes 78, 64 and 91.
pub(crate) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    for (at, &word) in words.iter().enumerate() {
        let found = equal(word, wanted);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    // The last word overlaps the previous one. A text shorter than a word has none.
    let at = match bytes.last_chunk() {
        Some(&word) => match equal(word, wanted) {
            0 => return None,
            found => bytes.len() - 8 + found.trailing_zeros() as usize / 8,
        },
        None => tail.iter().position(|&byte| byte == wanted)?,
    };
    Some(at)
}

/// Returns the position of the first byte that is not printable ASCII, from `FIRST` on.
#[inline]
pub(crate) fn first_outside<const FIRST: u8>(bytes: &[u8]) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    for (at, &word) in words.iter().enumerate() {
        // The lowest mark is right, whatever the higher ones are.
        let found = outside::<FIRST>(word);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = tail
        .iter()
        .position(|byte| !(FIRST..=b'~').contains(byte))?;
    Some(words.len() * 8 + at)
}

/// Returns the length of the token at the start of the bytes; 0 if there is none.
#[inline]
pub(crate) fn token_end(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|&byte| !is_in(byte, &TOKEN));
    end.unwrap_or(bytes.len())
}

/// Marks the high bit of each byte that is `wanted`.
fn equal(word: [u8; 8], wanted: u8) -> u64 {
    let differs = u64::from_le_bytes(word) ^ (ONES * u64::from(wanted));
    !(((differs & !HIGH) + !HIGH) | differs | !HIGH)
}

/// Returns true if all bytes are printable ASCII or spaces.
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let refused = words.iter().fold(0, |all, &word| all | unprintable(word));
    // The last word overlaps the previous one. A text shorter than a word has none.
    let last = match (tail, bytes.last_chunk()) {
        ([], _) => 0,
        (_, Some(&word)) => unprintable(word),
        (_, None) => short(tail).map_or(1, unprintable),
    };
    refused | last == 0
}

/// Fills a word with the bytes of a text that is shorter than a word and not empty. Each byte occurs at least once.
fn short(bytes: &[u8]) -> Option<[u8; 8]> {
    match (bytes, bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (_, Some(&[a, b, c, d]), Some(&[e, f, g, h])) => Some([a, b, c, d, e, f, g, h]),
        (&[a], ..) => Some([a; 8]),
        (&[a, b], ..) => Some([a, b, a, b, a, b, a, b]),
        (&[a, b, c], ..) => Some([a, b, c, a, b, c, a, b]),
        _ => None,
    }
}

/// Returns a value other than 0 if one of the bytes is not printable ASCII.
fn unprintable(word: [u8; 8]) -> u64 {
    outside::<b' '>(word)
}

/// Marks the high bit of the first byte that is not printable ASCII, from `FIRST` on; 0 if there is none. Each of the
/// three terms has the high bit of such a byte; a borrow or a carry into the next byte comes only from such a byte.
fn outside<const FIRST: u8>(word: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(word);
    (word | word.wrapping_sub(ONES * u64::from(FIRST)) | word.wrapping_add(ONES)) & HIGH
}

/// Compares a field name without regard to case. Most names have the usual case, or start with another letter.
pub(crate) fn is_named(name: &[u8], usual: &[u8]) -> bool {
    let initial = |name: &[u8]| name.first().map(u8::to_ascii_lowercase);
    name == usual || (initial(name) == initial(usual) && name.eq_ignore_ascii_case(usual))
}

/// Returns true for a token (RFC 9110, section 5.6.2): the grammar of methods, field names and codings.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && are_in(text, &TOKEN)
}

/// Returns true if the table contains all bytes. (A loop that returns early would be slower.)
pub(crate) fn are_in(bytes: &[u8], table: &[bool; 256]) -> bool {
    bytes
        .iter()
        .fold(true, |all, &byte| all & is_in(byte, table))
}

/// Returns true if the table contains the byte.
pub(crate) fn is_in(byte: u8, table: &[bool; 256]) -> bool {
    table.get(usize::from(byte)).is_some_and(|&is_in| is_in)
}

/// Returns a table of the ASCII letters and digits and these other bytes.
#[expect(
    clippy::indexing_slicing,
    reason = "a table is made by the compiler, or not at all"
)]
pub(crate) const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut rest = others;
    while let [other, tail @ ..] = rest {
        table[*other as usize] = true;
        rest = tail;
    }
    table
}

static TOKEN: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_those_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let is_delimiter = b"\"(),/:;<=>?@[\\]{} ".contains(&byte);
            assert_eq!(is_token(&[byte]), byte.is_ascii_graphic() && !is_delimiter);
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn printable_bytes_are_told_from_all_others_in_every_place() {
        for length in 0..20 {
            let mut bytes = vec![b'a'; length];
            assert!(is_printable(&bytes));
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    bytes[at] = byte;
                    assert_eq!(
                        is_printable(&bytes),
                        matches!(byte, b' '..=b'~'),
                        "{bytes:?}"
                    );
                }
                bytes[at] = b'~';
            }
        }
    }

    proptest! {
        #[test]
        fn a_name_is_the_same_in_any_case(name in "[a-cA-C@`-]{0,3}", usual in "[a-cA-C@`-]{0,3}") {
            let is_same = name.eq_ignore_ascii_case(&usual);
            prop_assert_eq!(is_named(name.as_bytes(), usual.as_bytes()), is_same);
        }

        #[test]
        fn a_line_ends_behind_its_first_line_feed(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), 8..12_u8, any::<u8>()], 0..40),
            from in 0..42_usize,
        ) {
            let found = bytes.iter().skip(from).position(|&byte| byte == b'\n');
            prop_assert_eq!(line_end(&bytes, from), found.map(|at| from + at + 1));
        }

        #[test]
        fn the_first_byte_outside_is_found(
            bytes in prop::collection::vec(prop_oneof![4 => b'!'..=b'~', 1 => any::<u8>()], 0..40),
        ) {
            let from = |first: u8| bytes.iter().position(|byte| !(first..=b'~').contains(byte));
            prop_assert_eq!(first_outside::<b' '>(&bytes), from(b' '));
            prop_assert_eq!(first_outside::<b'!'>(&bytes), from(b'!'));
        }

        #[test]
        fn a_token_ends_before_what_is_not_in_it(
            bytes in prop::collection::vec(prop_oneof![4 => b'A'..=b'z', 1 => any::<u8>()], 0..20),
        ) {
            let end = token_end(&bytes);
            prop_assert!(bytes[..end].iter().all(|&byte| is_token(&[byte])));
            prop_assert!(bytes.get(end).is_none_or(|&byte| !is_token(&[byte])));
        }
    }
}
