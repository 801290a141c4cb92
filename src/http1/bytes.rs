//! Short byte strings, looked through a word at a time: the lines of a head are shorter than what the
//! searches of the standard library are made for.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// One past the first line feed at or after `from`.
pub(crate) fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let at = find(bytes.get(from..)?, b'\n')?;
    Some(from + at + 1)
}

/// Where `wanted` stands first.
pub(crate) fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    for (at, &word) in words.iter().enumerate() {
        let found = equal(word, wanted);
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = tail.iter().position(|&byte| byte == wanted)?;
    Some(words.len() * 8 + at)
}

/// One past the first empty line that follows another line, and how many lines end before it.
pub(crate) fn blank_line(bytes: &[u8]) -> Option<(usize, usize)> {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut lines = 0;
    let mut is_last = |end: usize| {
        lines += 1;
        match bytes.get(end..) {
            Some([b'\n', ..]) => Some((end + 1, lines)),
            Some([b'\r', b'\n', ..]) => Some((end + 2, lines)),
            _ => None,
        }
    };
    for (at, &word) in words.iter().enumerate() {
        let mut found = equal(word, b'\n');
        while found != 0 {
            let end = at * 8 + found.trailing_zeros() as usize / 8 + 1;
            if let Some(last) = is_last(end) {
                return Some(last);
            }
            found &= found - 1;
        }
    }
    let mut ends = (words.len() * 8 + 1..).zip(tail);
    ends.find_map(|(end, &byte)| (byte == b'\n').then(|| is_last(end)).flatten())
}

/// The high bits of the bytes that are `wanted`.
fn equal(word: [u8; 8], wanted: u8) -> u64 {
    let differs = u64::from_le_bytes(word) ^ (ONES * u64::from(wanted));
    !(((differs & !HIGH) + !HIGH) | differs | !HIGH)
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
        fn a_line_ends_behind_its_first_line_feed(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), 8..12_u8, any::<u8>()], 0..40),
            from in 0..42_usize,
        ) {
            let found = bytes.iter().skip(from).position(|&byte| byte == b'\n');
            prop_assert_eq!(line_end(&bytes, from), found.map(|at| from + at + 1));
        }

        #[test]
        fn the_first_empty_line_ends_the_head(
            bytes in prop::collection::vec(prop::sample::select(vec![b'\r', b'\n', b'a', 0x0b]), 0..40),
        ) {
            let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').scan(0, |end, line| {
                *end += line.len();
                Some((*end, line))
            });
            let is_blank = |line: &[u8]| line == b"\n" || line == b"\r\n";
            let found = lines
                .by_ref()
                .enumerate()
                .skip(1)
                .find_map(|(count, (end, line))| is_blank(line).then_some((end, count)));
            prop_assert_eq!(blank_line(&bytes), found);
        }
    }
}
