//! What latency grew by, and the ranking.

use peakdrill_drill_model::verdict::{AnalysisState, NodeVerdict};

use crate::markup::Page;
use crate::numbers::{millis, rate};
use crate::sentences::{capacity, headroom_signed, kind, share, standing};
use peakdrill_bottleneck::Growth;

use super::chart::pct;
use super::{Report, section};

/// Nodes of the waterfall.
const GROWTH_MAX: usize = 40;

/// Writes the sections.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let Some(part) = report.record.analysis.as_ref() else { return };
    waterfall(page, &part.growth);
    ranking(page, report);
}

fn total(growth: &Growth) -> f64 {
    [growth.self_ms, growth.wait_ms, growth.gap_ms].into_iter().filter(|ms| ms.is_finite() && *ms > 0.0).sum()
}

fn waterfall(page: &mut Page, growth: &[Growth]) {
    let mut rows: Vec<&Growth> = growth.iter().filter(|node| total(node) > 0.0).collect();
    rows.sort_by(|a, b| total(b).total_cmp(&total(a)));
    rows.truncate(GROWTH_MAX);
    let all: f64 = rows.iter().map(|node| total(node)).sum();
    if rows.is_empty() || !all.is_finite() {
        return;
    }
    let lead = format!(
        "From the lightest load to the highest, the critical path of a journey grew by {}.",
        millis(Some(all))
    );
    section(page, "growth", "Where did the extra time come from?", &lead);
    page.raw(
        "<p class=\"legend\"><span class=\"key s1\">own work</span> <span class=\"key s2\">waiting for it: ",
    );
    page.raw("queues, pools, locks</span> <span class=\"key s0\">gap: network, unexplained</span></p>\n");
    page.raw("<div class=\"scroll\"><table class=\"waterfall\">\n<thead><tr><th scope=\"col\">node</th>");
    page.raw("<th scope=\"col\" class=\"wide-bars\">added, one after the other</th><th scope=\"col\" class=\"n\">sum");
    page.raw("</th><th scope=\"col\" class=\"n\">work</th><th scope=\"col\" class=\"n\">wait</th>");
    page.raw("<th scope=\"col\" class=\"n\">gap</th></tr></thead>\n<tbody>\n");
    let mut from = 0.0;
    for node in rows {
        page.put(
            "<tr><th scope=\"row\">{}</th><td class=\"wide-bars\"><svg width=\"100%\" height=\"18\" \
            aria-hidden=\"true\"><rect class=\"rail\" width=\"100%\" height=\"18\" rx=\"3\"/>",
            &[&node.node],
        );
        for (class, ms) in [("s1", node.self_ms), ("s2", node.wait_ms), ("s0", node.gap_ms)] {
            let ms = if ms.is_finite() { ms.max(0.0) } else { 0.0 };
            page.put(
                "<rect class=\"bar {}\" x=\"{}\" y=\"2\" width=\"{}\" height=\"14\"/>",
                &[&class, &pct(from / all), &pct(ms / all)],
            );
            from += ms;
        }
        page.put(
            "</svg></td><td class=\"n\"><b>{}</b></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
            class=\"n\">{}</td></tr>\n",
            &[
                &millis(Some(total(node))),
                &millis(Some(node.self_ms)),
                &millis(Some(node.wait_ms)),
                &millis(Some(node.gap_ms)),
            ],
        );
    }
    page.raw("</tbody></table></div>\n</section>\n");
}

fn ranking(page: &mut Page, report: &Report<'_>) {
    let nodes = &report.verdict.bottlenecks;
    let summary = &report.verdict.analysis;
    if nodes.is_empty() {
        return;
    }
    let state = match summary.state {
        AnalysisState::Found => "The limiting node first.".to_owned(),
        AnalysisState::NoneUpTo => {
            format!("No node limits the system up to {} journeys.", rate(summary.tested_to_per_s))
        }
        AnalysisState::Withheld => format!("Withheld: {}.", summary.because.join("; ")),
    };
    section(page, "ranking", "How do the nodes rank?", &state);
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">node</th><th scope=\"col\">standing</th>");
    page.raw(
        "<th scope=\"col\" class=\"n\">share of the growth</th><th scope=\"col\" class=\"n\">capacity</th>",
    );
    page.raw("<th scope=\"col\" class=\"n\">over the tested peak</th><th scope=\"col\" class=\"long\">evidence</th></tr></thead>\n<tbody>\n");
    for node in nodes {
        let (class, sign) = match node.verdict {
            NodeVerdict::Bottleneck => ("bad", "◆"),
            NodeVerdict::Contributor => ("unsure", "◇"),
            NodeVerdict::Clear => ("quiet", "·"),
        };
        let owner = node.owner.as_deref().map(|owner| format!(", {owner}")).unwrap_or_default();
        page.put(
            "<tr><th scope=\"row\">{}<small>{}{}</small></th><td class=\"verdict {}\">{} {}</td>",
            &[&node.node, &kind(node.kind), &owner, &class, &sign, &standing(node.verdict)],
        );
        page.put(
            "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>",
            &[&share(node), &capacity(node), &headroom_signed(node)],
        );
        page.put("{}</td></tr>\n", &[&node.evidence.join("; ")]);
    }
    page.raw("</tbody></table></div>\n</section>\n");
}
