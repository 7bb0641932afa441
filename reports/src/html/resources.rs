//! How full resources were, and what follows from it.

use peakdrill_drill_model::verdict::{ResourceKind, ResourceUse, Told};

use crate::markup::Page;
use crate::numbers::{NOT_MEASURED, count, figure};
use crate::resources::{resource, used};
use crate::sentences::{whose, within};

use super::chart::pct;
use super::{Report, section};

/// Resources that are shown, the fullest first; the verdict has all.
const ROWS_MAX: usize = 60;

/// Findings that are shown; the verdict has all.
const FINDINGS_MAX: usize = 60;

/// Writes the sections; nothing where there is nothing to tell.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    findings(page, report);
    resources(page, report);
}

fn findings(page: &mut Page, report: &Report<'_>) {
    let findings = &report.verdict.findings;
    if findings.is_empty() {
        return;
    }
    section(
        page,
        "findings",
        "What else is there to know?",
        "From traces, and from the metrics of services and exporters; the most pressing first.",
    );
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">where</th><th scope=\"col\" class=\"long\">");
    page.raw("what was seen</th><th scope=\"col\" class=\"long\">what to do</th></tr></thead>\n<tbody>\n");
    for Told { finding: found, owner } in findings.iter().take(FINDINGS_MAX) {
        page.put("<tr><th scope=\"row\">{}", &[&found.node]);
        if let Some(owner) = owner {
            page.put("<small>{}</small>", &[&whose(owner)]);
        }
        page.put("</th><td>{}</td><td>{}</td></tr>\n", &[&found.text, &found.action]);
    }
    page.raw("</tbody></table></div>\n");
    left_out(page, FINDINGS_MAX, findings.len());
    page.raw("</section>\n");
}

/// Says that a table has not all.
pub(super) fn left_out(page: &mut Page, shown: usize, of: usize) {
    if of > shown {
        page.put(
            "<p class=\"small\">{} of {} are shown; <code>verdict.json</code> has all.</p>\n",
            &[&shown, &of],
        );
    }
}

fn resources(page: &mut Page, report: &Report<'_>) {
    let mut rows: Vec<&ResourceUse> = report.verdict.resources.iter().collect();
    if rows.is_empty() {
        return;
    }
    let part = |of: &ResourceUse| if of.kind == ResourceKind::Queue { 0.0 } else { of.peak.unwrap_or(0.0) };
    rows.sort_by(|a, b| b.at_limit.cmp(&a.at_limit).then(part(b).total_cmp(&part(a))));
    let lead = "In use by what may be used, at light load and at peak, and the rate of journeys at which waiting begins.";
    section(page, "resources", "How full were the resources?", lead);
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">resource</th><th scope=\"col\" class=\"n\">limit");
    page.raw("</th><th scope=\"col\" class=\"n\">light load</th><th scope=\"col\" class=\"n\">peak</th>");
    page.raw(
        "<th scope=\"col\" class=\"wide-bars\"></th><th scope=\"col\" class=\"n\">fullest instance</th>",
    );
    page.raw("<th scope=\"col\" class=\"n\">full at</th></tr></thead>\n<tbody>\n");
    for of in rows.iter().take(ROWS_MAX) {
        row(page, of, part(of));
    }
    page.raw("</tbody></table></div>\n");
    left_out(page, ROWS_MAX, rows.len());
    page.raw("</section>\n");
}

fn row(page: &mut Page, of: &ResourceUse, part: f64) {
    let class = if of.at_limit { "s2" } else { "s1" };
    let instances = count(u64::from(of.instances));
    page.put(
        "<tr><th scope=\"row\">{}<small>{} reporting</small></th><td class=\"n\">{}</td><td class=\"n\">{}</td>\
        <td class=\"n\">{}</td><td class=\"wide-bars\"><svg width=\"100%\" height=\"10\" aria-hidden=\"true\">\
        <rect class=\"rail\" width=\"100%\" height=\"10\" rx=\"2\"/><rect class=\"bar {}\" width=\"{}\" height=\"10\" \
        rx=\"2\"/></svg></td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
        &[
            &resource(of),
            &instances,
            &of.limit.map_or_else(|| NOT_MEASURED.to_owned(), figure),
            &used(of, of.light),
            &used(of, of.peak),
            &class,
            &pct(part.clamp(0.0, 1.0)),
            &used(of, of.peak_fullest),
            &within(&of.capacity_per_s),
        ],
    );
}
