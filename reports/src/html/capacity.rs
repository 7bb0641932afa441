//! The search for the capacity: its probes over time.

use peakdrill_drill_model::search::{CapacityFound, Probe};

use crate::markup::Page;
use crate::numbers::{clock, rate};

use super::chart::pct;
use super::scale::{Scale, round_seconds};
use super::{Report, section};

/// Height of the drawing, pixels.
const HEIGHT: u32 = 180;
const LEAD: &str = "Each bar is a rate that was tried, for as long as it was sent; its colour and sign say whether the \
    objective held. The table says what decided it.";

/// Writes a section for all searches; nothing without one.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let found = &report.verdict.load.capacity;
    if found.is_empty() {
        return;
    }
    section(page, "capacity", "What is the highest rate that holds?", LEAD);
    for one in found {
        page.put("<p class=\"finding\">{}: {}</p>\n", &[&one.phase, &one.to_string()]);
        if !one.tried.is_empty() {
            drawing(page, one);
            table(page, one);
        }
    }
    page.raw("</section>\n");
}

fn drawing(page: &mut Page, found: &CapacityFound) {
    let start = found.tried.first().map_or(0.0, |probe| probe.from_ns as f64 / 1e9);
    let end = found.tried.last().map_or(1.0, |probe| probe.to_ns as f64 / 1e9);
    let x = |ns: u64| ((ns as f64 / 1e9 - start) / (end - start).max(1e-9)).clamp(0.0, 1.0);
    let highest = found.tried.iter().map(|probe| probe.rate).fold(0.0, f64::max);
    let y = Scale::from_zero(highest, 4);
    page.raw("<figure class=\"chart\">\n<figcaption>Rates that were tried <span>journeys a second</span></figcaption>\n");
    page.put(
        "<div class=\"plot\"><svg role=\"img\" width=\"100%\" height=\"{}\"><title>Probes of {}</title><desc>{}</desc>\n",
        &[&HEIGHT, &found.phase, &found.to_string()],
    );
    for tick in &y.ticks {
        let at = pct(1.0 - y.place(*tick));
        page.put("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{}\" y2=\"{}\"/>", &[&at, &at]);
        page.put(
            "<text class=\"tick\" x=\"0\" dx=\"-8\" y=\"{}\" dy=\"4\" text-anchor=\"end\">{}</text>\n",
            &[&at, &rate(Some(*tick))],
        );
    }
    let axis = Scale::exactly(end - start, 6, round_seconds);
    for tick in &axis.ticks {
        page.put(
            "<text class=\"tick\" x=\"{}\" y=\"100%\" dy=\"17\" text-anchor=\"middle\">{}</text>\n",
            &[&pct(tick / (end - start).max(1e-9)), &clock(start + tick)],
        );
    }
    for probe in &found.tried {
        bar(page, probe, (x(probe.from_ns), x(probe.to_ns)), 1.0 - y.place(probe.rate));
    }
    page.raw("</svg></div>\n</figure>\n");
}

fn bar(page: &mut Page, probe: &Probe, (from, to): (f64, f64), y: f64) {
    let (class, sign) = match probe.held {
        Some(true) => ("s1", "✓"),
        Some(false) => ("bad", "✗"),
        None => ("unsure", "?"),
    };
    let at = pct(y);
    page.put(
        "<line class=\"line {}\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"><title>{}</title></line>",
        &[&class, &pct(from), &pct(to), &at, &at, &format!("{}: {}", rate(Some(probe.rate)), probe.because)],
    );
    page.put(
        "<text class=\"name {}\" x=\"{}\" y=\"{}\" dy=\"-5\" text-anchor=\"middle\">{}</text>\n",
        &[&class, &pct((from + to) / 2.0), &at, &sign],
    );
}

fn table(page: &mut Page, found: &CapacityFound) {
    page.raw("<details><summary>Probes</summary><div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">probe</th>");
    page.raw("<th scope=\"col\" class=\"n\">rate</th><th scope=\"col\" class=\"n\">from</th><th scope=\"col\" class=\"n\">to</th>");
    page.raw("<th scope=\"col\">came out</th><th scope=\"col\">because</th></tr></thead>\n<tbody>\n");
    for probe in &found.tried {
        let out = match probe.held {
            Some(true) => "✓ held",
            Some(false) => "✗ failed",
            None => "? not measured",
        };
        page.put(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[
                &probe.number,
                &rate(Some(probe.rate)),
                &clock(probe.from_ns as f64 / 1e9),
                &clock(probe.to_ns as f64 / 1e9),
            ],
        );
        page.put("<td>{}</td><td>{}</td></tr>\n", &[&out, &probe.because]);
    }
    page.raw("</tbody></table></div></details>\n");
}
