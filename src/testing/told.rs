//! [`Told`]: messages of a fixture to its test, in a bounded number of lines.

/// Maximum number of different lines; the first ones are kept.
const LINES: usize = 20;

/// Lines in the order of their first occurrence.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Each line with the number of its occurrences.
    lines: Vec<(String, usize)>,
    /// Number of further lines, which are not kept.
    more: usize,
}

impl Told {
    pub(super) fn tell(&mut self, line: String) {
        if let Some((_, times)) = self.lines.iter_mut().find(|(own, _)| *own == line) {
            *times += 1;
        } else if self.lines.len() < LINES {
            self.lines.push((line, 1));
        } else {
            self.more += 1;
        }
    }

    /// Returns the lines, with the number of occurrences if there are several.
    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.iter().map(|(line, times)| match times {
            1 => line.clone(),
            _ => format!("{line} ({times} times)"),
        });
        let more = (self.more > 0).then(|| format!("… and {} more", self.more));
        lines.chain(more).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_once_and_what_is_left_out_is_counted() {
        let mut told = Told::default();
        for line in ["a", "b", "a"] {
            told.tell(line.into());
        }
        assert_eq!(told.lines(), ["a (2 times)", "b"]);
        (0..LINES).for_each(|line| told.tell(line.to_string()));
        let lines = told.lines();
        assert_eq!((&*lines[19], &*lines[20]), ("17", "… and 2 more"));
    }
}
