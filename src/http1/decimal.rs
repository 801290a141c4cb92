//! A number as text, on the stack: the value of `Content-Length`.

use std::ops::Deref;

/// The decimal digits of a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    /// Behind zeros. Made as words and in place, since they are read as words just afterwards: what is read from
    /// several writes has to wait until all of them are over.
    digits: [[u8; 8]; WORDS],
    start: usize,
}

/// More than any number takes, for text of pairs of words is checked faster.
const WORDS: usize = 4;
const ZEROS: u64 = 0x3030_3030_3030_3030;

impl From<u64> for Decimal {
    #[inline]
    fn from(number: u64) -> Self {
        let mut decimal = Decimal {
            digits: [ZEROS.to_le_bytes(); WORDS],
            start: 8 * WORDS,
        };
        let mut rest = number;
        for word in decimal.digits.iter_mut().rev() {
            let mut text = ZEROS;
            for place in (0..8).rev() {
                text += (rest % 10) << (8 * place);
                decimal.start -= 1;
                rest /= 10;
                if rest == 0 {
                    break;
                }
            }
            *word = text.to_le_bytes();
            if rest == 0 {
                break;
            }
        }
        decimal
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
        for number in [0, 7, 10, 65_536, 12_345_678, 123_456_789, u64::MAX] {
            assert_eq!(&*Decimal::from(number), number.to_string());
        }
    }
}
