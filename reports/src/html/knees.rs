//! Where the system stops holding: one line a definition, on one axis of rates.

use peakdrill_drill_model::verdict::{Estimate, Knee};

use crate::markup::Page;
use crate::numbers::rate;
use crate::sentences::{knee_name, within};

use super::chart::pct;
use super::resources::left_out;
use super::scale::{Scale, round_step};
use super::{Report, section};

/// Definitions that are drawn.
const KNEES_MAX: usize = 12;
/// Height of a row's drawing, pixels.
const HEIGHT: u32 = 22;
/// Free room to the right of the largest rate, as a part of it.
const BEYOND: f64 = 1.06;
const LEAD: &str = "Each bar is the interval in which it lies, by that definition, with 95% certainty; the mark is the \
    estimate. An arrow points to where it may go on.";
const TESTED: &str = " The dashed line is the highest rate that was tested.";

/// Writes the section; nothing where no definition could be measured.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let (knees, tested) = (&report.verdict.analysis.knees, report.verdict.analysis.tested_to_per_s);
    if knees.is_empty() {
        return;
    }
    let lead = format!("{LEAD}{}", if tested.is_some() { TESTED } else { "" });
    section(page, "knees", "At which rate does it stop holding?", &lead);
    let ends = knees.iter().flat_map(|knee| [knee.per_s.low, knee.per_s.estimate, knee.per_s.high]);
    let largest = ends.chain([tested]).flatten().filter(|rate| rate.is_finite()).fold(0.0, f64::max);
    let x = Scale::exactly(largest * BEYOND, 4, round_step);
    page.raw("<div class=\"knees\">\n");
    for knee in knees.iter().take(KNEES_MAX) {
        row(page, knee, &x, tested);
    }
    axis(page, &x);
    page.raw("</div>\n");
    left_out(page, knees.len().min(KNEES_MAX), knees.len());
    page.raw("</section>\n");
}

fn row(page: &mut Page, knee: &Knee, x: &Scale, tested: Option<f64>) {
    page.put(
        "<div class=\"knee\"><p><b>{}</b> <span class=\"figure\">{}</span><br/><span class=\"why\">{}</span></p>\n",
        &[&knee_name(knee), &within(&knee.per_s), &knee.because],
    );
    page.put(
        "<svg role=\"img\" width=\"100%\" height=\"{}\"><title>{}: {}</title>",
        &[&HEIGHT, &knee_name(knee), &within(&knee.per_s)],
    );
    page.raw("<rect class=\"rail\" x=\"0\" y=\"9\" width=\"100%\" height=\"4\"/>");
    interval(page, &knee.per_s, x);
    if let Some(tested) = tested {
        let at = pct(x.place(tested));
        page.put("<line class=\"mark\" x1=\"{}\" x2=\"{}\" y1=\"0\" y2=\"100%\"/>", &[&at, &at]);
    }
    page.raw("</svg></div>\n");
}

fn interval(page: &mut Page, rates: &Estimate, x: &Scale) {
    let (low, high) =
        (rates.low.map_or(0.0, |low| x.place(low)), rates.high.map_or(1.0, |high| x.place(high)));
    page.put(
        "<rect class=\"span\" x=\"{}\" y=\"5\" width=\"{}\" height=\"12\"/>",
        &[&pct(low), &pct((high - low).max(0.003))],
    );
    if let Some(estimate) = rates.estimate {
        page.put("<circle class=\"dot bad\" cx=\"{}\" cy=\"11\" r=\"5\"/>", &[&pct(x.place(estimate))]);
    }
    if rates.high.is_none() {
        page.raw("<text class=\"tick\" x=\"100%\" y=\"15\" text-anchor=\"end\">→</text>");
    }
    if rates.low.is_none() {
        page.raw("<text class=\"tick\" x=\"0\" y=\"15\">←</text>");
    }
}

fn axis(page: &mut Page, x: &Scale) {
    page.raw("<svg aria-hidden=\"true\" class=\"axis\" width=\"100%\" height=\"18\">");
    for tick in &x.ticks {
        let place = x.place(*tick);
        let anchor = if place < 0.03 {
            "start"
        } else if place > 0.97 {
            "end"
        } else {
            "middle"
        };
        page.put(
            "<text class=\"tick\" x=\"{}\" y=\"13\" text-anchor=\"{}\">{}</text>",
            &[&pct(place), &anchor, &rate(Some(*tick))],
        );
    }
    page.raw("</svg>\n<p class=\"small\">Journeys a second that were offered.</p>\n");
}
