//! What the renderings look like.

use peakdrill_reports::{card, junit, markdown, verdict, verdict_json};

use crate::synthetic;

#[test]
fn a_drill_that_went_too_far() {
    let record = synthetic::record();
    let verdict = verdict(&record);
    insta::assert_snapshot!("over_verdict", verdict_json(&verdict));
    insta::assert_snapshot!("over_markdown", markdown(&verdict, &record));
    insta::assert_snapshot!("over_junit", junit(&verdict, &record));
    insta::assert_snapshot!(
        "over_card",
        card(&verdict, 100, false, true, Some("drills/7f3a19c2/report.html"))
    );
}

#[test]
fn a_drill_whose_record_is_not_whole() {
    let record = synthetic::partial();
    let verdict = verdict(&record);
    insta::assert_snapshot!("partial_verdict", verdict_json(&verdict));
    insta::assert_snapshot!("partial_markdown", markdown(&verdict, &record));
    insta::assert_snapshot!("partial_junit", junit(&verdict, &record));
    insta::assert_snapshot!("partial_card", card(&verdict, 80, false, false, None));
}

#[test]
fn a_calm_drill() {
    let record = synthetic::calm();
    let verdict = verdict(&record);
    insta::assert_snapshot!("calm_markdown", markdown(&verdict, &record));
    insta::assert_snapshot!("calm_card_in_colour", card(&verdict, 72, true, true, None).replace('\x1b', "␛"));
}
