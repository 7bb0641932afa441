//! What isolation did.

use peakdrill_drill_model::ledger::{LedgerRow, Outcome, live_writes, tag_lost};

use crate::markup::Page;
use crate::numbers::{NOT_MEASURED, count, maybe_count, plural};

use super::{Report, section};

/// Rows of the ledger that are listed; the record has all.
const ROWS_MAX: usize = 300;

/// Writes the section.
pub(crate) fn write(page: &mut Page, report: &Report<'_>) {
    let run = report.verdict.run.as_str();
    let rows: Vec<&LedgerRow> =
        report.record.ledger.iter().flat_map(|ledger| &ledger.rows).filter(|row| row.run == run).collect();
    let leaked = report.record.ledger.as_ref().map_or(0, |ledger| live_writes(&ledger.rows, run));
    let lost = report.record.ledger.as_ref().map_or(0, |ledger| tag_lost(&ledger.rows, run));
    let times = plural(lost, "time", "times");
    let lead = match (rows.is_empty(), leaked) {
        (true, _) => "Not measured: no hop reported isolation decisions for this run.".to_owned(),
        // A hop that saw no tag has taken the request as live, and tells of it as of any other.
        (_, 0) if lost > 0 => {
            format!("The tag was lost {times}: what those requests wrote before that is not known.")
        }
        (_, 0) => "No operation of this run reached live data at any hop that reports.".to_owned(),
        (_, n) => {
            let lost = if lost > 0 { format!(", and the tag was lost {times}") } else { String::new() };
            format!("{} of this run reached live data{lost}.", plural(n, "operation", "operations"))
        }
    };
    section(page, "isolation", "Was live data left alone?", &lead);
    if let Some(ledger) = &report.record.ledger {
        page.raw("<dl class=\"facts\">");
        fact(page, "tagged requests sent", &maybe_count(ledger.sent));
        fact(page, "taken in as shadow by first hops", &maybe_count(ledger.handled));
        let adds_up = match (ledger.sent, ledger.handled, ledger.unreconciled.as_slice()) {
            (None, ..) | (_, None, _) => NOT_MEASURED.to_owned(),
            (Some(sent), Some(handled), []) if sent == handled => "yes".to_owned(),
            (Some(sent), Some(handled), []) => {
                format!("{} apart, within what is known", count(sent.abs_diff(handled)))
            }
            _ => "no".to_owned(),
        };
        fact(page, "adds up", &adds_up);
        let unobserved =
            if ledger.unobserved.is_empty() { "none".to_owned() } else { ledger.unobserved.join(", ") };
        fact(page, "stores that nobody looked at", &unobserved);
        page.raw("</dl>\n");
        if !ledger.unreconciled.is_empty() {
            page.raw("<ul class=\"warnings\">");
            ledger.unreconciled.iter().for_each(|text| page.put("<li>{}</li>", &[text]));
            page.raw("</ul>\n");
        }
    }
    table(page, &rows);
    page.raw("</section>\n");
}

/// A name and its value.
pub(crate) fn fact(page: &mut Page, name: &str, value: &str) {
    page.put("<div><dt>{}</dt><dd>{}</dd></div>", &[&name, &value]);
}

fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::ShadowIn => "came in as shadow",
        Outcome::LiveIn => "came in as live",
        Outcome::UnknownIn => "came in without a stamp",
        Outcome::ShadowRead => "read shadow data",
        Outcome::ShadowWrite => "wrote shadow data",
        Outcome::ReadLive => "read live data, as declared",
        Outcome::LiveRead => "live read",
        Outcome::LiveWrite => "live write",
        Outcome::Mocked => "answered by a stub",
        Outcome::Refused => "refused",
        Outcome::TagLost => "tag lost",
        Outcome::Leak => "reached live data",
    }
}

fn table(page: &mut Page, rows: &[&LedgerRow]) {
    if rows.is_empty() {
        return;
    }
    page.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">service</th><th scope=\"col\">resource</th>");
    page.raw(
        "<th scope=\"col\">outcome</th><th scope=\"col\" class=\"n\">count</th></tr></thead>\n<tbody>\n",
    );
    let mut last = "";
    for row in rows.iter().take(ROWS_MAX) {
        let service = if row.service == last { "" } else { row.service.as_str() };
        last = &row.service;
        let alarm =
            row.count > 0 && matches!(row.outcome, Outcome::Leak | Outcome::TagLost | Outcome::LiveWrite);
        let (class, sign) = if alarm { ("verdict bad", "✗ ") } else { ("", "") };
        page.put("<tr><th scope=\"row\">{}</th><td><code>{}</code></td><td class=\"{}\">{}{}</td><td class=\"n\">{}</td>", &[
            &service,
            &row.resource,
            &class,
            &sign,
            &meaning(row.outcome),
            &count(row.count),
        ]);
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table></div>\n");
    if rows.len() > ROWS_MAX {
        page.put(
            "<p class=\"small\">The first {} of {} rows are shown; the record has all.</p>\n",
            &[&ROWS_MAX, &rows.len()],
        );
    }
}
