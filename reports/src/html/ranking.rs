//! The ranking: what, why, how sure and what to do first, figures second.

use peakdrill_bottleneck::Growth;
use peakdrill_drill_model::owners::Owner;
use peakdrill_drill_model::verdict::{AnalysisState, Bottleneck, NodeVerdict};

use crate::advice;
use crate::markup::Page;
use crate::sentences::{capacity, headroom_signed, share, standing, tested_to};

use super::{Report, section};

/// Nodes that are told in sentences; the table has all.
const TOLD_MAX: usize = 8;

/// Writes the section; nothing without a ranking.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let nodes = &report.verdict.bottlenecks;
    if nodes.is_empty() {
        return;
    }
    section(page, "ranking", "Which node is it, how sure is that, and what to do?", &state(report));
    let (told, clear): (Vec<&Bottleneck>, Vec<&Bottleneck>) =
        nodes.iter().partition(|node| node.verdict != NodeVerdict::Clear);
    told.iter().take(TOLD_MAX).for_each(|node| finding(page, report, node));
    if told.len() > TOLD_MAX {
        page.put("<p class=\"small\">{} more are in the table.</p>\n", &[&(told.len() - TOLD_MAX)]);
    }
    rest(page, &clear);
    table(page, report);
    page.raw("</section>\n");
}

fn state(report: &Report<'_>) -> String {
    let summary = &report.verdict.analysis;
    match summary.state {
        AnalysisState::Found => "The limiting node first, then what adds to it.".to_owned(),
        AnalysisState::NoneUpTo => format!(
            "No node limits the system up to {}. To find the limit, drill with a higher peak.",
            tested_to(summary)
        ),
        AnalysisState::Withheld => {
            format!(
                "The verdict is withheld: {}. What follows is an order, no finding.",
                summary.because.join("; ")
            )
        }
    }
}

fn sign(verdict: NodeVerdict) -> (&'static str, &'static str) {
    match verdict {
        NodeVerdict::Bottleneck => ("bad", "◆"),
        NodeVerdict::Contributor => ("unsure", "◇"),
        NodeVerdict::Clear => ("quiet", "·"),
    }
}

fn finding(page: &mut Page, report: &Report<'_>, node: &Bottleneck) {
    let (class, sign) = sign(node.verdict);
    let growth: Option<&Growth> =
        report.record.analysis.as_ref().and_then(|part| part.growth.iter().find(|one| one.node == node.node));
    page.put(
        "<article class=\"told {}\">\n<h3><span aria-hidden=\"true\">{}</span> {}</h3>\n",
        &[&class, &sign, &advice::claim(report.verdict, node)],
    );
    who(page, report, node);
    page.raw("<dl>\n<dt>Why</dt><dd>");
    if node.evidence.is_empty() {
        page.raw("no evidence was kept");
    } else {
        page.raw("<ul>");
        node.evidence.iter().for_each(|text| page.put("<li>{}</li>", &[text]));
        page.raw("</ul>");
    }
    page.put(
        "</dd>\n<dt>How sure</dt><dd>{}</dd>\n<dt>What to do</dt><dd><ul>",
        &[&advice::certainty(report.verdict, node)],
    );
    advice::steps(report.verdict, node, growth).iter().for_each(|text| page.put("<li>{}</li>", &[text]));
    page.raw("</ul></dd>\n</dl>\n</article>\n");
}

/// Kind, owner and runbook of a node.
fn who(page: &mut Page, report: &Report<'_>, node: &Bottleneck) {
    let owner = report.verdict.owners.get(&node.node);
    page.put("<p class=\"who\">{}", &[&node.kind.text()]);
    match (owner, &node.owner) {
        (Some(owner), _) => {
            page.put(" · owner <b>{}</b>", &[&owner.team]);
            if let Some(criticality) = &owner.criticality {
                page.put(" · criticality {}", &[criticality]);
            }
            runbook(page, owner);
        }
        (None, Some(team)) => page.put(" · owner <b>{}</b>", &[team]),
        (None, None) if report.verdict.owners.is_empty() => {}
        (None, None) => page.raw(" · no owner is named in the files that were given"),
    }
    page.raw("</p>\n");
}

/// The runbook: a link where it is an address, else text.
pub(crate) fn runbook(page: &mut Page, owner: &Owner) {
    match (owner.link(), &owner.runbook) {
        (Some(address), _) => {
            page.put(" · <a href=\"{}\" rel=\"noreferrer\">runbook</a>", &[&address]);
        }
        (None, Some(text)) => page.put(" · runbook {}", &[text]),
        (None, None) => {}
    }
}

fn rest(page: &mut Page, clear: &[&Bottleneck]) {
    if clear.is_empty() {
        return;
    }
    let names: Vec<&str> = clear.iter().map(|node| node.node.as_str()).collect();
    page.put("<p>Nothing points at {}.</p>\n", &[&names.join(", ")]);
    page.raw("<details><summary>What was seen of them</summary><ul>");
    for node in clear.iter().filter(|node| !node.evidence.is_empty()) {
        page.put("<li><b>{}</b>: {}</li>", &[&node.node, &node.evidence.join("; ")]);
    }
    page.raw("</ul></details>\n");
}

fn table(page: &mut Page, report: &Report<'_>) {
    let owned = report.verdict.bottlenecks.iter().any(|node| node.owner.is_some());
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">node</th><th scope=\"col\">standing</th>");
    page.raw(
        "<th scope=\"col\" class=\"n\">share of the growth</th><th scope=\"col\" class=\"n\">capacity</th>",
    );
    page.raw("<th scope=\"col\" class=\"n\">over the tested peak</th>");
    page.raw(if owned { "<th scope=\"col\">owner</th>" } else { "" });
    page.raw("</tr></thead>\n<tbody>\n");
    for node in &report.verdict.bottlenecks {
        let (class, sign) = sign(node.verdict);
        page.put(
            "<tr><th scope=\"row\">{}<small>{}</small></th><td class=\"verdict {}\">{} {}</td>",
            &[&node.node, &node.kind.text(), &class, &sign, &standing(node.verdict)],
        );
        page.put(
            "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            &[&share(node), &capacity(node), &headroom_signed(node)],
        );
        if owned {
            page.put("<td>{}</td>", &[&node.owner.as_deref().unwrap_or(crate::numbers::NOT_MEASURED)]);
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
}
