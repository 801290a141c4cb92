//! A number as text, on the stack: the value of `Content-Length`.

use std::ops::Deref;

/// The decimal digits of a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    /// Behind zeros. Written a word at a time, for they are read so just afterwards: what is read from several
    /// writes has to wait until all of them are over.
    digits: [[u8; 8]; WORDS],
    start: usize,
}

/// One more than any number takes, for text of pairs of words is checked faster.
const WORDS: usize = 4;
/// A word has so many digits.
const DIGITS: usize = 8;
const ZEROS: u64 = 0x3030_3030_3030_3030;

impl From<u64> for Decimal {
    #[inline]
    fn from(number: u64) -> Self {
        const WORD: u64 = 10_u64.pow(DIGITS as u32);
        let (mut high, mut middle) = (ZEROS, ZEROS);
        let (low, mut used) = word(number % WORD);
        if number >= WORD {
            (middle, used) = word(number / WORD % WORD);
            used += DIGITS;
        }
        if number >= WORD * WORD {
            (high, used) = word(number / WORD / WORD);
            used += 2 * DIGITS;
        }
        Decimal {
            digits: [ZEROS, high, middle, low].map(u64::to_le_bytes),
            start: WORDS * DIGITS - used,
        }
    }
}

/// The text of a number, behind zeros, and how many digits it has.
#[inline]
fn word(number: u64) -> (u64, usize) {
    let (mut text, mut rest, mut used) = (ZEROS, number, 0);
    loop {
        used += 1;
        text += (rest % 10) << (64 - 8 * used);
        rest /= 10;
        if rest == 0 || used == DIGITS {
            return (text, used);
        }
    }
}

impl Decimal {
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        let digits = self.digits.as_flattened();
        digits.get(self.start..).unwrap_or_default()
    }
}

impl Deref for Decimal {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        let text = std::str::from_utf8(self.digits.as_flattened()).unwrap_or_default();
        text.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_number_is_written_whole() {
        let lengths = (0..19).map(|length| 10_u64.pow(length));
        let edges = lengths.flat_map(|first| [first - 1, first, first * 17 / 10]);
        for number in edges.chain([65_536, 10_u64.pow(19), u64::MAX]) {
            assert_eq!(&*Decimal::from(number), number.to_string());
        }
    }
}
