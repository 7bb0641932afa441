//! The HTML report: one file, no script, nothing loaded from elsewhere.

mod about;
mod capacity;
mod chart;
mod curves;
mod errors;
mod head;
mod isolation;
mod knees;
mod layout;
mod load;
mod map;
mod ranking;
mod resources;
mod scale;
mod tables;
mod waterfall;

use peakdrill_drill_model::verdict::Verdict;

use crate::Record;
use crate::fold::{Folded, fold};
use crate::markup::Page;

/// What every section is made from.
pub(crate) struct Report<'a> {
    pub(crate) record: &'a Record,
    pub(crate) verdict: &'a Verdict,
    pub(crate) load: Folded,
}

/// The whole report as one HTML file: complete without scripts, light and dark, from 380 px up.
#[must_use]
pub fn html(record: &Record, verdict: &Verdict) -> String {
    let report = Report { record, verdict, load: fold(record) };
    let mut page = Page::default();
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
    page.put(
        "<title>{}: {} · {}</title>\n",
        &[&crate::sentences::word(verdict.verdict), &verdict.drill, &verdict.run],
    );
    page.raw("<style>\n");
    page.raw(include_str!("html/style.css"));
    page.raw("</style>\n</head>\n<body>\n<main>\n");
    head::write(&mut page, &report);
    load::write(&mut page, &report);
    capacity::write(&mut page, &report);
    knees::write(&mut page, &report);
    errors::write(&mut page, &report);
    tables::gates(&mut page, &report);
    tables::timeline(&mut page, &report);
    tables::steps(&mut page, &report);
    map::write(&mut page, &report);
    curves::write(&mut page, &report);
    waterfall::write(&mut page, &report);
    ranking::write(&mut page, &report);
    resources::write(&mut page, &report);
    isolation::write(&mut page, &report);
    about::write(&mut page, &report);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

/// Opens a section with its heading and a line that says what it answers.
pub(crate) fn section(page: &mut Page, id: &'static str, title: &'static str, lead: &str) {
    page.put(
        "<section id=\"{}\" aria-labelledby=\"h-{}\">\n<h2 id=\"h-{}\">{}</h2>\n",
        &[&id, &id, &id, &title],
    );
    if !lead.is_empty() {
        page.put("<p class=\"lead\">{}</p>\n", &[&lead]);
    }
}
