//! The costs of the closed loops as a chart in SVG, for `docs/performance.md`.
//!
//! The colours follow the reader's scheme, light or dark. The chart has a background of its own, so that it can be read
//! on any page, and needs neither a script nor a certain font.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::table::number;

/// One scenario: what a request costs with each server.
#[derive(Debug)]
pub struct Panel {
    pub title: &'static str,
    pub costs: Costs,
}

#[derive(Debug)]
pub struct Costs {
    /// "CPU µs / request".
    pub unit: &'static str,
    /// The peers with their medians.
    pub of: Vec<(&'static str, f64)>,
}

/// Writes a chart of these scenarios.
pub fn write(path: &Path, panels: &[Panel]) -> io::Result<()> {
    fs::write(path, draw(panels))
}

const COLUMNS: usize = 2;
const PANEL_WIDTH: f64 = 480.0;
const ROW: f64 = 22.0;
/// Above the bars of a panel, for its title and unit.
const HEAD: f64 = 52.0;
/// Below the bars of a panel.
const GAP: f64 = 20.0;
const MARGIN: f64 = 20.0;
/// Where bars begin in a panel, and how long the longest one is: names end before, numbers stand behind.
const BARS: f64 = 112.0;
const LONGEST: f64 = 270.0;

const STYLE: &str = "
  .page { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: bold }
  .unit { fill: #57606a; font-size: 12px }
  .name { text-anchor: end }
  .peer { fill: #a8b1bb }
  .limit { fill: none; stroke: #6e7781; stroke-dasharray: 4 3 }
  .servette { fill: #0969da }
  .ours { font-weight: bold }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d }
    text { fill: #e6edf3 }
    .unit { fill: #9198a1 }
    .peer { fill: #545d68 }
    .limit { stroke: #9198a1 }
    .servette { fill: #4493f8 }
  }
";

fn draw(panels: &[Panel]) -> String {
    // All panels of a line are as high as the highest one.
    let heights = panels.chunks(COLUMNS).map(|line| {
        let rows = line.iter().map(|panel| panel.costs.of.len()).max();
        HEAD + rows.unwrap_or(0) as f64 * ROW + GAP
    });
    let heights: Vec<f64> = heights.collect();
    let width = 2.0 * MARGIN + COLUMNS as f64 * PANEL_WIDTH;
    let height = 2.0 * MARGIN + heights.iter().sum::<f64>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>CPU time for each request, with servette and with \
         other servers; shorter is better</title>\n<style>{STYLE}</style>\n<rect class=\"page\" x=\"0.5\" y=\"0.5\" \
         width=\"{}\" height=\"{}\" rx=\"6\"/>\n",
        width - 1.0,
        height - 1.0
    );
    let mut top = MARGIN;
    for (line, height) in panels.chunks(COLUMNS).zip(heights) {
        for (column, panel) in line.iter().enumerate() {
            panel.draw(&mut svg, MARGIN + column as f64 * PANEL_WIDTH, top);
        }
        top += height;
    }
    svg + "</svg>\n"
}

impl Panel {
    fn draw(&self, svg: &mut String, left: f64, top: f64) {
        let (title, unit) = (escape(self.title), escape(self.costs.unit));
        let _ = write!(
            svg,
            "<g transform=\"translate({left} {top})\">\n<text class=\"title\" x=\"0\" y=\"16\">{title}</text>\n\
             <text class=\"unit\" x=\"0\" y=\"36\">{unit}, shorter is better</text>\n",
        );
        let costs = self.costs.of.iter().map(|(_, cost)| *cost);
        let most = costs.fold(f64::MIN_POSITIVE, f64::max);
        for (at, (peer, cost)) in self.costs.of.iter().enumerate() {
            let middle = HEAD + (at as f64 + 0.5) * ROW;
            let (bar, text) = match *peer {
                "servette" => ("servette", " ours"),
                "limit" => ("limit", ""),
                _ => ("peer", ""),
            };
            let length = cost / most * LONGEST;
            let _ = write!(
                svg,
                "<text class=\"name{text}\" x=\"{}\" y=\"{}\">{}</text>\n\
                 <rect class=\"{bar}\" x=\"{BARS}\" y=\"{}\" width=\"{length:.1}\" height=\"14\" rx=\"2\"/>\n\
                 <text class=\"number{text}\" x=\"{:.1}\" y=\"{}\">{}</text>\n",
                BARS - 8.0,
                middle + 4.5,
                escape(peer),
                middle - 7.0,
                BARS + length + 6.0,
                middle + 4.5,
                number(*cost),
            );
        }
        svg.push_str("</g>\n");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(title: &'static str, of: &[(&'static str, f64)]) -> Panel {
        let unit = "CPU µs / request";
        let of = of.to_vec();
        Panel {
            title,
            costs: Costs { unit, of },
        }
    }

    #[test]
    fn the_longest_bar_is_that_of_the_highest_cost() {
        let svg = draw(&[panel(
            "a < b",
            &[("limit", 2.0), ("servette", 4.0), ("other", 8.0)],
        )]);
        assert!(svg.contains(">a &lt; b</text>"));
        let lengths = ["limit", "servette", "peer"].map(|class| {
            let (_, bar) = svg.split_once(&format!("<rect class=\"{class}\"")).unwrap();
            let (_, width) = bar.split_once("width=\"").unwrap();
            width.split('"').next().unwrap().to_owned()
        });
        assert_eq!(lengths, ["67.5", "135.0", "270.0"]);
        assert!(svg.contains(">8.00</text>"));
    }

    #[test]
    fn panels_of_a_line_are_as_high_as_the_highest() {
        let (short, long) = (
            &[("limit", 1.0)][..],
            &[("limit", 1.0), ("servette", 1.0)][..],
        );
        let height = 2.0 * MARGIN + (HEAD + 2.0 * ROW + GAP) + (HEAD + ROW + GAP);
        let svg = draw(&[panel("a", short), panel("b", long), panel("c", short)]);
        assert!(svg.contains(&format!(" height=\"{height}\" viewBox")));
    }
}
