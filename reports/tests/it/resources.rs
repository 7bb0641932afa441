//! Resources and findings in every rendering.

use peakdrill_drill_model::owners::Owner;
use peakdrill_drill_model::verdict::{Estimate, Finding, FindingKind, ResourceKind, ResourceUse, Verdict};
use peakdrill_reports::{Record, card, html, markdown, verdict, verdict_json};

use crate::synthetic;

fn record() -> Record {
    let mut record = synthetic::record();
    let Some(analysis) = record.analysis.as_mut() else { return record };
    analysis.resources = vec![ResourceUse {
        service: "order".to_owned(),
        node: Some("order-db".to_owned()),
        kind: ResourceKind::Pool,
        name: "<b>orders".to_owned(),
        instances: 2,
        limit: Some(10.0),
        light: Some(0.2),
        peak: Some(0.97),
        peak_fullest: Some(1.0),
        at_limit: true,
        capacity_per_s: Estimate { estimate: Some(412.0), low: Some(389.0), high: Some(431.0) },
    }];
    analysis.findings = vec![Finding {
        kind: FindingKind::PoolTooSmall,
        node: "order-db".to_owned(),
        text: "callers waited 50 ms for the connections of pool `<b>orders`".to_owned(),
        action: "raise it to 14 connections an instance".to_owned(),
    }];
    record
}

#[test]
fn findings_and_resources_are_in_every_rendering() {
    let record = record();
    let verdict = verdict(&record);
    let json: serde_json::Value = serde_json::from_str(&verdict_json(&verdict)).unwrap();
    assert_eq!(json["findings"][0]["kind"], "pool_too_small");
    assert_eq!(json["findings"][0].get("owner"), None, "nobody said whose it is");
    assert_eq!(
        (&json["resources"][0]["peak"], &json["resources"][0]["kind"]),
        (&0.97.into(), &"pool".into())
    );
    let card = card(&verdict, 80, false, true, None);
    assert!(card.contains("findings") && card.contains("it to 14 connections an instance"), "{card}");
    let page = html(&record, &verdict);
    assert!(page.contains("How full were the resources?") && page.contains("raise it to 14 connections"));
    assert!(page.contains("order: pool &lt;b&gt;orders") && !page.contains("<b>orders"));
    assert!(page.contains("412/s (389–431)"), "the rate at which it is full");
    let summary = markdown(&verdict, &record);
    assert!(
        summary.contains("order: pool &lt;b&gt;orders | 20% | 97% | 100% | 412/s (389–431)"),
        "{summary}"
    );
}

#[test]
fn of_many_findings_the_page_shows_some_and_says_so() {
    let mut record = record();
    if let Some(analysis) = record.analysis.as_mut() {
        let one = analysis.findings[0].clone();
        analysis.findings = (0..100).map(|i| Finding { node: format!("node-{i}"), ..one.clone() }).collect();
    }
    let page = html(&record, &verdict(&record));
    assert!(page.contains("node-59") && !page.contains("node-60"));
    assert!(page.contains("60 of 100 are shown"));
}

#[test]
fn a_finding_names_its_owner_in_every_rendering() {
    let mut record = record();
    let owner = Owner { team: "team-<b>orders".to_owned(), ..Owner::default() };
    record.owners.nodes.insert("order-db".to_owned(), owner);
    let verdict = verdict(&record);
    assert_eq!(verdict.owners["order-db"].team, "team-<b>orders");
    let json: serde_json::Value = serde_json::from_str(&verdict_json(&verdict)).unwrap();
    assert_eq!(json["findings"][0]["owner"]["team"], "team-<b>orders");
    assert_eq!(serde_json::from_str::<Verdict>(&verdict_json(&verdict)).unwrap(), verdict);
    assert!(card(&verdict, 80, false, true, None).contains("owner team-<b>orders"));
    assert!(html(&record, &verdict).contains("order-db<small>owner team-&lt;b&gt;orders</small>"));
    assert!(markdown(&verdict, &record).contains("**order-db** (owner team-&lt;b&gt;orders): callers"));
}

#[test]
fn without_metrics_nothing_is_said_of_them() {
    let record = synthetic::record();
    let verdict = verdict(&record);
    assert!(!verdict_json(&verdict).contains("\"resources\""));
    assert!(!html(&record, &verdict).contains("How full were the resources?"));
    assert!(!card(&verdict, 80, false, true, None).contains("findings"));
}
