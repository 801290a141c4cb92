//! A number as text, on the stack: the value of `Content-Length`.

use std::io::Write;
use std::ops::Deref;

/// The decimal digits of a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    digits: [u8; 20],
    length: usize,
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        let mut digits = [0; 20];
        let mut rest = &mut digits[..];
        // The longest number has 20 digits, so writing can't fail.
        let _ = write!(rest, "{number}");
        let length = 20 - rest.len();
        Decimal { digits, length }
    }
}

impl Deref for Decimal {
    type Target = str;

    fn deref(&self) -> &str {
        let digits = self.digits.get(..self.length).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_number_is_written_whole() {
        for number in [0, 7, 10, 65_536, u64::MAX] {
            assert_eq!(&*Decimal::from(number), number.to_string());
        }
    }
}
