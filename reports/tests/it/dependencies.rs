//! What the HTML report says of dependencies, in words.
#![allow(clippy::expect_used, reason = "tests: a panic is the failure")]

use peakdrill_drill_model::verdict::{AnalysisState, AnalysisSummary, Estimate};
use peakdrill_reports::{Record, html, verdict};

use crate::synthetic;

fn page(record: &Record) -> String {
    html(record, &verdict(record))
}

/// The text of a section, without its markup.
fn section(page: &str, id: &str) -> String {
    let start = page.find(&format!("<section id=\"{id}\"")).expect("the section is there");
    let part = &page[start..start + page[start..].find("</section>").expect("it ends")];
    let mut text = String::new();
    for piece in part.split('<').skip(1) {
        text.push_str(piece.split_once('>').map_or("", |(_, text)| text));
        text.push(' ');
    }
    text.replace("&#39;", "'").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn holds(said: &str, wanted: &[&str]) {
    wanted.iter().for_each(|text| assert!(said.contains(text), "{text} is not in: {said}"));
}

#[test]
fn the_map_tells_the_path_and_what_nobody_waits_for() {
    let page = page(&synthetic::record());
    holds(
        &section(&page, "map"),
        &[
            "The critical path: load → gateway → order → stock → stock-db. Requests spent 58% of their time",
            "Best-effort , off the critical path: events → mailer.",
            "10 nodes and 10 kinds of calls; stock-db is the bottleneck.",
        ],
    );
    // One map for wide pages, one for narrow ones: four calls of the path in each, and one that nobody waits for.
    assert_eq!(page.matches("class=\"call path\"").count(), 8);
    assert_eq!(page.matches("class=\"call effort\"").count(), 2);
}

#[test]
fn attempts_beside_one_before_are_told_within_all() {
    let mut record = synthetic::record();
    let calls = record.analysis.as_mut().map(|part| &mut part.dependencies).unwrap();
    let call = calls.iter_mut().find(|call| call.to == "payment").unwrap();
    (call.retry_amplification, call.hedges) = (Some(1.5), Some(0.25));
    holds(&section(&page(&record), "map"), &["attempts a call", "1.5 (0.25 beside one before)"]);
}

#[test]
fn each_dependency_says_where_its_knee_is() {
    let mut record = synthetic::record();
    let nodes = record.analysis.as_mut().map(|part| &mut part.bottlenecks).unwrap();
    nodes.iter_mut().filter(|node| node.node == "payment").for_each(|node| {
        node.capacity_per_s = Estimate::default();
    });
    let said = section(&page(&record), "curves");
    holds(
        &said,
        &[
            "stock → stock-db database · bottleneck",
            "knee of stock-db: 412 journeys a second (396–429)",
            "knee of stock: 1,350 journeys a second (1,100–1,700), beyond what was tested",
            "no knee up to 450/s",
            "mailer is not ranked: no knee is known",
        ],
    );
    record.analysis.as_mut().unwrap().summary = AnalysisSummary {
        state: AnalysisState::Withheld,
        tested_to_per_s: Some(450.0),
        because: Vec::new(),
        knees: Vec::new(),
    };
    holds(&section(&page(&record), "curves"), &["no knee: the verdict is withheld"]);
}

#[test]
fn where_it_stops_holding_is_said_by_every_definition() {
    let page = page(&synthetic::record());
    let said = section(&page, "knees");
    holds(
        &said,
        &[
            "objective p99 &lt; 300ms 361/s (337–382) kept up to 337/s",
            "capacity of stock-db 412/s (396–429) it was full",
            "throughput of the whole system 405/s (401–409)",
            "objective errors &lt; 5% at least 450/s kept at every rate that was tested objective errors &lt; 5%: at least 450/s →",
        ],
    );
    // Three have an estimate; one is open.
    assert_eq!(page.matches("class=\"dot bad\"").count(), 3);
    holds(
        &section(&page, "curves"),
        &["stock-db does less with more than 49 (44–55) operations at a time: at most 530/s (500–560)"],
    );
}

#[test]
fn on_a_narrow_page_the_critical_path_is_at_the_left() {
    let page = page(&synthetic::record());
    let start = page.find("<div class=\"scroll map down\"").unwrap();
    let map = &page[start..start + page[start..].find("</svg>").unwrap()];
    // Of each node: whether it is on the path, where its name stands.
    let nodes = map.split("<g class=\"node").skip(1).map(|node| {
        let (class, rest) = node.split_once('"').unwrap();
        let x = rest.split(" x=\"").nth(1).and_then(|x| x.split_once('"')).unwrap().0;
        let y = rest.split(" y=\"").nth(1).and_then(|y| y.split_once('"')).unwrap().0;
        (y.parse::<i64>().unwrap(), class.contains("path"), x.parse::<i64>().unwrap())
    });
    let nodes: Vec<(i64, bool, i64)> = nodes.collect();
    let path: Vec<_> = nodes.iter().filter(|(_, on_path, _)| *on_path).collect();
    assert_eq!(path.len(), 4);
    for (y, _, x) in path {
        let beside = nodes.iter().filter(|(other, on_path, _)| (other - y).abs() < 12 && !on_path);
        assert!(beside.into_iter().all(|(_, _, other)| x < other), "{nodes:?}");
    }
}

#[test]
fn the_steps_of_growth_are_printed_so_that_they_add_up() {
    let page = page(&synthetic::record());
    let start = page.find("<table class=\"waterfall\">").unwrap();
    let table = &page[start..start + page[start..].find("</table>").unwrap()];
    let sums: Vec<i64> = table
        .split("<b>")
        .skip(1)
        .map(|cell| {
            cell.split('<').next().unwrap().replace('−', "-").replace(['.', ',', '+'], "").parse().unwrap()
        })
        .collect();
    let [light, steps @ .., peak] = sums.as_slice() else { panic!("{sums:?}") };
    assert_eq!(light + steps.iter().sum::<i64>(), *peak, "{sums:?}");
    assert!(steps.len() > 4 && steps.iter().any(|step| *step < 0), "{sums:?}");
}

#[test]
fn a_finding_says_why_how_sure_what_to_do_and_whom_to_tell() {
    let page = page(&synthetic::record());
    holds(
        &section(&page, "ranking"),
        &[
            "stock-db limits the system",
            "owner team-stock · criticality tier 1 · runbook",
            "Sure: at least two signs that do not depend on each other agree.",
            "71% arises here (between 64% and 78%, with 95% certainty)",
            "compare the connection pools of stock with what stock-db allows",
            "Until then keep the load below 396 journeys a second",
            "payment adds to the waiting, but one sign is not enough to blame it",
            "Nothing points at order, stock, gateway, sessions, bank.",
        ],
    );
    assert!(
        page.contains("<a href=\"https://runbooks.example.com/stock-db\" rel=\"noreferrer\">runbook</a>")
    );
}

#[test]
fn only_addresses_of_the_web_become_links() {
    let mut record = synthetic::record();
    let owner = record.owners.nodes.get_mut("stock-db").unwrap();
    owner.runbook = Some("javascript:alert(1)".to_owned());
    let page = page(&record);
    assert!(page.contains("runbook javascript:alert(1)"), "it is told as text");
    assert!(!page.contains("href=\"javascript"));
}

#[test]
fn what_was_not_measured_says_what_to_change() {
    let without = page(&synthetic::partial());
    holds(
        &section(&without, "map"),
        &["no spans of the system under test arrived", "peakdrill otel-profile"],
    );
    assert!(!without.contains("<section id=\"growth\"") && !without.contains("<section id=\"ranking\""));

    let mut record = synthetic::record();
    record.calls.iter_mut().for_each(|call| call.points.clear());
    if let Some(part) = &mut record.analysis {
        part.waterfall = Default::default();
        part.summary.state = AnalysisState::Withheld;
        part.summary.because = vec!["only 60 % of the requests have spans".to_owned()];
    }
    let page = page(&record);
    holds(&section(&page, "curves"), &["Not measured: no rate was held", "A ramp, or stairs"]);
    holds(
        &section(&page, "growth"),
        &["Not measured: too few requests", "begin with ten seconds of light load"],
    );
    holds(
        &section(&page, "ranking"),
        &["The verdict is withheld: only 60 %", "stock-db may limit the system, but that is not certain"],
    );
}

#[test]
fn a_calm_drill_says_how_to_find_the_limit() {
    let page = page(&synthetic::calm());
    holds(
        &section(&page, "ranking"),
        &[
            "No node limits the system up to 200 journeys a second. To find the limit, drill with a higher peak.",
        ],
    );
}
