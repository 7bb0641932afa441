//! Charts over time. Places are percentages and strokes do not scale, so that one drawing fits every width
//! with text that keeps its size.

use crate::markup::Page;
use crate::numbers::clock;
use crate::phases::Span;

use super::scale::{Scale, round_seconds};

/// Height of the plot, pixels.
const HEIGHT: f64 = 200.0;
/// Names on the right keep this distance, pixels.
const LABEL_GAP: f64 = 15.0;
/// A vertical mark: when, and what it says.
pub(crate) type Mark<'a> = (f64, &'a str);

/// One line of a chart: a value a point, `None` where nothing was measured.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) label: String,
    /// Class of the style sheet that gives it colour and dashes.
    pub(crate) class: &'static str,
    pub(crate) values: Vec<Option<f64>>,
    /// Filled down to the axis.
    pub(crate) area: bool,
}

/// A chart over the time of the load.
pub(crate) struct Chart<'a> {
    /// What it shows, for readers who do not see it.
    pub(crate) title: &'a str,
    /// What it shows, in figures.
    pub(crate) summary: String,
    /// Unit of the values.
    pub(crate) unit: &'a str,
    /// Length of the time axis, seconds.
    pub(crate) seconds: f64,
    pub(crate) spans: &'a [Span],
    /// Start and length of each point, seconds.
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) lines: Vec<Line>,
    pub(crate) scale: Scale,
    /// How a value reads.
    pub(crate) read: fn(f64) -> String,
    /// What a point says when it is pointed at.
    pub(crate) hints: Vec<String>,
    pub(crate) marks: Vec<Mark<'a>>,
}

pub(crate) fn pct(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

impl Chart<'_> {
    /// Writes the chart.
    pub(crate) fn write(&self, page: &mut Page) {
        let log = if self.scale.is_log() { ", log scale" } else { "" };
        page.put(
            "<figure class=\"chart\">\n<figcaption>{} <span>{}{}</span></figcaption>\n",
            &[&self.title, &self.unit, &log],
        );
        page.put("<div class=\"plot\"><svg role=\"img\" width=\"100%\" height=\"{}\"><title>{}</title><desc>{}</desc>\n", &[
            &HEIGHT,
            &self.title,
            &self.summary,
        ]);
        self.bands(page);
        self.grid(page);
        page.raw(
            "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\">\n",
        );
        self.lines.iter().for_each(|line| self.line(page, line));
        page.raw("</svg>\n");
        self.marks(page);
        self.labels(page);
        self.hints(page);
        page.raw("</svg></div>\n</figure>\n");
    }

    fn x(&self, seconds: f64) -> f64 {
        (seconds / self.seconds.max(f64::EPSILON)).clamp(0.0, 1.0)
    }

    fn bands(&self, page: &mut Page) {
        for (index, span) in self.spans.iter().enumerate().filter(|(_, span)| span.start_s < self.seconds) {
            let (from, to) = (self.x(span.start_s), self.x(span.end_s));
            let class = if index % 2 == 0 { "band even" } else { "band odd" };
            page.put(
                "<rect class=\"{}\" x=\"{}\" y=\"0\" width=\"{}\" height=\"100%\"/>",
                &[&class, &pct(from), &pct(to - from)],
            );
            // The nested viewport cuts a name that is longer than its phase.
            page.put(
                "<svg x=\"{}\" y=\"-18\" width=\"{}\" height=\"18\" class=\"cut\">",
                &[&pct(from), &pct(to - from)],
            );
            page.put(
                "<text class=\"phase\" x=\"3\" y=\"12\">{}<title>{}</title></text></svg>\n",
                &[&span.name, &span.name],
            );
        }
    }

    fn grid(&self, page: &mut Page) {
        for tick in &self.scale.ticks {
            let y = pct(1.0 - self.scale.place(*tick));
            page.put("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{}\" y2=\"{}\"/>", &[&y, &y]);
            page.put(
                "<text class=\"tick\" x=\"0\" dx=\"-8\" y=\"{}\" dy=\"4\" text-anchor=\"end\">{}</text>\n",
                &[&y, &(self.read)(*tick)],
            );
        }
        let axis = Scale::exactly(self.seconds, 6, round_seconds);
        for (index, tick) in axis.ticks.iter().enumerate() {
            let class = if index % 2 == 1 { "tick wide" } else { "tick" };
            page.put(
                "<text class=\"{}\" x=\"{}\" y=\"100%\" dy=\"17\" text-anchor=\"middle\">{}</text>\n",
                &[&class, &pct(self.x(*tick)), &clock(*tick)],
            );
        }
    }

    fn line(&self, page: &mut Page, line: &Line) {
        let at = |(index, value): (usize, &Option<f64>)| {
            let (from, len) = *self.points.get(index)?;
            let y = 1.0 - self.scale.place((*value).filter(|value| value.is_finite())?);
            Some((self.x(from + len / 2.0) * 1000.0, y * 1000.0))
        };
        let places: Vec<Option<(f64, f64)>> = line.values.iter().enumerate().map(at).collect();
        let runs = places.split(|place| place.is_none()).filter(|run| !run.is_empty());
        for run in runs {
            let run: Vec<(f64, f64)> = run.iter().flatten().copied().collect();
            let path = path(&run);
            if line.area
                && let (Some(first), Some(last)) = (run.first(), run.last())
            {
                let closed = format!("{path}L{:.1} 1000L{:.1} 1000Z", last.0, first.0);
                page.put("<path class=\"fill {}\" d=\"{}\"/>\n", &[&line.class, &closed]);
            }
            page.put(
                "<path class=\"line {}\" vector-effect=\"non-scaling-stroke\" d=\"{}\"/>\n",
                &[&line.class, &path],
            );
        }
    }

    fn marks(&self, page: &mut Page) {
        for (seconds, text) in &self.marks {
            let x = self.x(*seconds);
            let (anchor, dx) = if x > 0.5 { ("end", -5) } else { ("start", 5) };
            page.put("<line class=\"mark\" x1=\"{}\" x2=\"{}\" y1=\"0\" y2=\"100%\"/>", &[&pct(x), &pct(x)]);
            page.put(
                "<text class=\"marked\" x=\"{}\" dx=\"{}\" y=\"14\" text-anchor=\"{}\">{}</text>\n",
                &[&pct(x), &dx, &anchor, text],
            );
        }
    }

    /// Names at the right ends of the lines, moved apart where they would touch.
    fn labels(&self, page: &mut Page) {
        let end = |line: &Line| line.values.iter().rev().flatten().find(|v| v.is_finite()).copied();
        let mut places: Vec<(f64, &Line)> = self
            .lines
            .iter()
            .filter(|line| !line.label.is_empty())
            .filter_map(|line| Some(((1.0 - self.scale.place(end(line)?)) * HEIGHT, line)))
            .collect();
        places.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = 0.0;
        for (y, _) in &mut places {
            *y = y.max(free);
            free = *y + LABEL_GAP;
        }
        let mut limit = HEIGHT;
        for (y, line) in places.iter().rev() {
            let y = y.min(limit);
            limit = y - LABEL_GAP;
            page.put(
                "<text class=\"name {}\" x=\"100%\" dx=\"8\" y=\"{}\" dy=\"4\">{}</text>\n",
                &[&line.class, &format!("{y:.1}"), &line.label],
            );
        }
    }

    fn hints(&self, page: &mut Page) {
        for ((from, len), hint) in self.points.iter().zip(&self.hints) {
            let (from, to) = (self.x(*from), self.x(from + len));
            page.put("<rect class=\"hint\" x=\"{}\" y=\"0\" width=\"{}\" height=\"100%\"><title>{}</title></rect>\n", &[
                &pct(from),
                &pct(to - from),
                hint,
            ]);
        }
    }
}

/// A path through points; a single point becomes a short dash.
pub(crate) fn path(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        path.push_str(&format!("{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' }));
    }
    if points.len() == 1 {
        path.push_str("h2");
    }
    path
}
