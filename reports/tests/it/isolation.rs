//! What a record tells of isolation, whole or damaged, and in which words.

use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::ledger::{Ledger, LedgerRow, Outcome};
use peakdrill_drill_model::plan::{SqlMode, SqlStore, StepInfo};
use peakdrill_drill_model::verdict::{FindingKind, Judgement};
use peakdrill_reports::{Record, card, exit, html, verdict};

use crate::synthetic::calm;

/// A calm drill without gates, of which hops counted something besides.
fn with(outcome: Outcome, count: u64) -> Record {
    let mut record = calm();
    record.plan.gates.clear();
    record.plan.isolation.on_leak_stop = true;
    let (service, run, resource) = ("order".to_owned(), record.environment.run.clone(), "orders".to_owned());
    let row = LedgerRow { service, run, resource, outcome, count };
    record.ledger.iter_mut().for_each(|ledger| ledger.rows.push(row.clone()));
    record
}

#[test]
fn messages_over_a_websocket_are_no_probes() {
    let mut record = calm();
    record.plan.gates.clear();
    record.plan.steps[3] = StepInfo { message: true, ..record.plan.steps[3].clone() };
    let tagged = record.frames.iter().filter(|frame| frame.step.is_some_and(|step| step != 3));
    let tagged: u64 = tagged.map(|frame| frame.sent).sum();
    // Two probes of preflight besides.
    record.ledger = Some(Ledger { sent: Some(tagged + 2), handled: Some(tagged + 2), ..Ledger::default() });
    assert_eq!(verdict(&record).invalid_because, [""; 0]);
    record.ledger.as_mut().unwrap().handled = Some(tagged / 2);
    assert!(verdict(&record).invalid_because[0].contains("no first hop's ledger"));
}

#[test]
fn damaged_counts_do_not_overflow() {
    let mut record = calm();
    record.plan.gates.clear();
    for frame in record.frames.iter_mut().filter(|frame| frame.step.is_some()).take(2) {
        frame.completed = u64::MAX;
        frame.errors.clear();
    }
    let sent: u64 = record.frames.iter().filter(|frame| frame.step.is_some()).map(|frame| frame.sent).sum();
    record.ledger = Some(Ledger { sent: Some(sent + 1), handled: Some(sent + 1), ..Ledger::default() });
    let judged = verdict(&record);
    assert!(judged.invalid_because[0].contains("no first hop's ledger"), "{:?}", judged.invalid_because);
}

#[test]
fn without_its_ledger_a_drill_with_stores_decides_nothing() {
    let mut record = calm();
    record.plan.gates.clear();
    record.ledger = None;
    assert_eq!(verdict(&record).verdict, Judgement::Pass, "nothing had to be kept apart");
    record.torn_ledger = true;
    assert_eq!(verdict(&record).verdict, Judgement::Inconclusive, "what it said is not known");
    record.torn_ledger = false;
    record.plan.isolation.stores.push(SqlStore {
        kind: "postgres".to_owned(),
        service: "order".to_owned(),
        dsn: None,
        mode: SqlMode::ShadowTable { prefix: "shadow_".to_owned(), suffix: String::new() },
        tables: [("orders".to_owned(), "shadow".to_owned())].into(),
    });
    let judged = verdict(&record);
    assert_eq!((judged.verdict, exit(&judged, &record)), (Judgement::Inconclusive, Exit::Inconclusive));
    assert!(judged.invalid_because[0].contains("isolation ledger is not in the record"));
    record.plan.isolation.stores.clear();
    record.plan.environment = "production".to_owned();
    assert_eq!(verdict(&record).verdict, Judgement::Inconclusive);
    record.plan.shadow = None;
    assert_eq!(verdict(&record).verdict, Judgement::Pass, "a plain drill has no ledger");
}

#[test]
fn a_lost_tag_is_never_told_as_clean() {
    let record = with(Outcome::TagLost, 5);
    let judged = verdict(&record);
    assert_eq!(judged.verdict, Judgement::Fail);
    let page = html(&record, &judged);
    assert!(page.contains("The tag was lost 5 times: what those requests wrote"), "the section says so");
    assert!(!page.contains("No operation of this run reached live data"));
    assert!(page.contains("<div class=\"tile alarm\"><dt>Writes to live data</dt>"), "the tile is red");
    let red = "\u{1b}[1;31m";
    let card = card(&judged, 100, true, true, None);
    assert!(card.lines().any(|line| line.contains("tags lost") && line.contains(red)), "{card}");
    let clean = calm();
    assert!(html(&clean, &verdict(&clean)).contains("No operation of this run reached live data"));
}

#[test]
fn a_leak_is_named_before_a_gate_that_only_warns() {
    let mut record = calm();
    let mut gate = record.plan.gates[0].clone();
    gate.warn_only = true;
    gate.condition.limit = peakdrill_drill_model::condition::Limit::Value(-1.0);
    record.plan.gates = vec![gate];
    let said = |record: &Record| card(&verdict(record), 100, false, true, None);
    assert!(!said(&record).contains("reached live data, or"));
    let leak = with(Outcome::Leak, 1);
    record.ledger = leak.ledger;
    record.plan.isolation.on_leak_stop = true;
    assert_eq!(verdict(&record).verdict, Judgement::Fail);
    let text = said(&record);
    assert!(text.contains("operations reached live data, or a tag was lost; 1 of 1 gate failed"), "{text}");
}

#[test]
fn what_was_kept_apart_from_live_work_was_not_exercised() {
    let told = |change: &dyn Fn(&mut Record)| {
        let mut record = with(Outcome::ShadowWrite, 7);
        let store = |service: &str, tables: &[&str]| SqlStore {
            kind: "postgres".to_owned(),
            service: service.to_owned(),
            dsn: None,
            mode: SqlMode::ShadowTable { prefix: "shadow_".to_owned(), suffix: String::new() },
            tables: tables.iter().map(|table| ((*table).to_owned(), "shadow".to_owned())).collect(),
        };
        record.plan.isolation.stores =
            vec![store("order", &["public.orders", "items"]), store("stock", &["*"])];
        let tables = vec!["items".to_owned(), "orders".to_owned()];
        record.ledger.as_mut().unwrap().empty_shadows = [("order".to_owned(), tables)].into();
        change(&mut record);
        let findings = verdict(&record).findings.into_iter().map(|told| told.finding);
        let of_stores = findings.filter(|f| {
            f.kind == FindingKind::NotExercised
                && (f.text.contains("of their own") || f.text.contains("held no rows"))
        });
        of_stores.map(|found| (found.node, found.text)).collect::<Vec<_>>()
    };
    let [(_, tables), (node, connections)] = &told(&|_| ())[..] else { panic!("{:?}", told(&|_| ())) };
    assert!(tables.contains("the shadows of 1 table of order held no rows (orders),"), "{tables}");
    assert!(connections.contains("in stock, order went over connections of their own"), "{connections}");
    assert_eq!(node, "stock", "it used them most");
    let full = told(&|record| record.ledger.as_mut().unwrap().empty_shadows.clear());
    assert_eq!(full.len(), 1, "the shadows hold rows: {full:?}");
    let unused = told(&|record| {
        let rows = &mut record.ledger.as_mut().unwrap().rows;
        rows.retain(|row| row.resource != "orders");
        rows.iter_mut().filter(|row| row.service == "stock").for_each(|row| row.service = "other".to_owned());
    });
    assert_eq!(unused, [], "what was touched is no table of these stores");
    let refused = told(&|record| {
        let rows = &mut record.ledger.as_mut().unwrap().rows;
        rows.retain(|row| row.outcome == Outcome::Refused);
    });
    assert_eq!(refused, [], "nothing was read or written");
}
