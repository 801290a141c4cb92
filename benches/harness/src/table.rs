//! Medians, and tables in Markdown.

use std::fmt::Write as _;

/// The middle one, or the mean of the two in the middle; NaN if there is none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of them lies, between the two next to it if there is none there;
/// NaN if there are no values.
pub fn quantile(values: impl IntoIterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let place = values.len().saturating_sub(1) as f64 * share;
    match (
        values.get(place.floor() as usize),
        values.get(place.ceil() as usize),
    ) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => f64::NAN,
    }
}

/// A number with three digits that count; a dash for none.
pub fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "–".into(),
        0.0 => "0".into(),
        size if size >= 100.0 => thousands(value.round() as i64),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn thousands(value: i64) -> String {
    match value / 1000 {
        0 => value.to_string(),
        rest => format!("{},{:03}", thousands(rest), value.abs() % 1000),
    }
}

/// A table; columns in which no row has a value are left out.
#[derive(Debug)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// The first column is the peer's name.
    pub fn new(columns: &[&'static str]) -> Table {
        Table {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of numbers.
    pub fn row(&mut self, peer: &str, values: &[f64]) {
        let cells = values.iter().copied().map(number).collect();
        self.rows.push((peer.into(), cells));
    }

    /// Adds a text at the end of the last row.
    pub fn note(&mut self, text: String) {
        if let Some((_, cells)) = self.rows.last_mut() {
            cells.push(text);
        }
    }

    /// The table as text.
    pub fn print(&self) -> String {
        let cell =
            |row: &(String, Vec<String>), at: usize| row.1.get(at).cloned().unwrap_or("–".into());
        let shown: Vec<usize> = (0..self.columns.len())
            .filter(|&at| self.rows.iter().any(|row| cell(row, at) != "–"))
            .collect();
        let mut text = String::from("| peer |");
        for name in shown.iter().filter_map(|&at| self.columns.get(at)) {
            let _ = write!(text, " {name} |");
        }
        let _ = write!(text, "\n|---|{}\n", "---:|".repeat(shown.len()));
        for row in &self.rows {
            let name = match row.0.as_str() {
                "servette" => "**servette**",
                name => name,
            };
            let _ = write!(text, "| {name} |");
            for &at in &shown {
                let _ = write!(text, " {} |", cell(row, at));
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, f64::NAN, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn quartiles() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(
            [0.25, 0.75].map(|share| quantile(values, share)),
            [2.0, 4.0]
        );
        assert_eq!(quantile([1.0, 2.0], 0.25), 1.25);
    }

    #[test]
    fn three_digits_count() {
        let shown = [0.0123, 1.234, 56.78, 987.6, 1_234_567.0].map(number);
        assert_eq!(shown, ["0.012", "1.23", "56.8", "988", "1,234,567"]);
    }

    #[test]
    fn empty_columns_are_left_out() {
        let mut table = Table::new(&["a", "b"]);
        table.row("x", &[f64::NAN, 1.0]);
        assert_eq!(table.print(), "| peer | b |\n|---|---:|\n| x | 1.00 |\n");
    }
}
