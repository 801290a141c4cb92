//! Short byte strings, looked through a word at a time: the lines of a head are shorter than what the
//! searches of the standard library are made for.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// One past the first line feed at or after `from`.
pub(crate) fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let (words, tail) = rest.as_chunks::<8>();
    for (at, &word) in words.iter().enumerate() {
        let differs = u64::from_le_bytes(word) ^ (ONES * b'\n' as u64);
        // The lowest bit that is set is in the first byte that is zero; those above it may be wrong.
        let zeros = differs.wrapping_sub(ONES) & !differs & HIGH;
        if zeros != 0 {
            return Some(from + at * 8 + zeros.trailing_zeros() as usize / 8 + 1);
        }
    }
    let at = tail.iter().position(|&byte| byte == b'\n')?;
    Some(from + words.len() * 8 + at + 1)
}

/// Whether all bytes are printable ASCII or spaces.
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let refused = words.iter().fold(0, |all, &word| all | unprintable(word));
    // The last word again, with the bytes that are left; only a short text has none.
    let last = match (tail, bytes.last_chunk()) {
        ([], _) => 0,
        (_, Some(&word)) => unprintable(word),
        (_, None) => !tail
            .iter()
            .fold(true, |all, byte| all & matches!(byte, b' '..=b'~')) as u64,
    };
    refused | last == 0
}

/// Not 0 if one of the bytes is no printable ASCII. Each of the three has the high bit of a byte that is
/// refused; a borrow or a carry into the next byte comes only from such a byte.
fn unprintable(word: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(word);
    (word | word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES)) & HIGH
}

/// Whether a field name is this one, in any case; most often it is in the usual one.
pub(crate) fn is_named(name: &str, usual: &str) -> bool {
    name == usual || name.eq_ignore_ascii_case(usual)
}

/// Whether this is a token (RFC 9110, 5.6.2): the grammar of methods, field names and codings.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && are_in(text, &TOKEN)
}

/// Whether a table has all these bytes. (A loop that ends early would be slower.)
pub(crate) fn are_in(bytes: &[u8], table: &[bool; 256]) -> bool {
    bytes
        .iter()
        .fold(true, |all, &byte| all & is_in(byte, table))
}

/// Whether a table has this byte.
pub(crate) fn is_in(byte: u8, table: &[bool; 256]) -> bool {
    table.get(usize::from(byte)).is_some_and(|&is_in| is_in)
}

/// The ASCII letters and digits, and these others.
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

    proptest! {
        #[test]
        fn a_line_ends_behind_its_first_line_feed(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), 8..12_u8, any::<u8>()], 0..40),
            from in 0..42_usize,
        ) {
            let found = bytes.iter().skip(from).position(|&byte| byte == b'\n');
            prop_assert_eq!(line_end(&bytes, from), found.map(|at| from + at + 1));
        }

        #[test]
        fn printable_bytes_are_told_from_all_others(
            mut bytes in prop::collection::vec(b' '..=b'~', 0..40),
            at: prop::sample::Index,
            byte: u8,
        ) {
            prop_assert!(is_printable(&bytes));
            if !bytes.is_empty() {
                *at.get_mut(&mut bytes) = byte;
                prop_assert_eq!(is_printable(&bytes), matches!(byte, b' '..=b'~'));
            }
        }
    }
}
