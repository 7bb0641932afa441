//! What holds for every record.

use std::sync::LazyLock;

use peakdrill_drill_model::event::{Event, EventKind};
use peakdrill_drill_model::ledger::{LedgerRow, Outcome};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_reports::{
    MARKDOWN_LIMIT_BYTES, Record, Together, card, html, junit, markdown, verdict, verdict_json,
};
use proptest::prelude::*;

use crate::synthetic;

/// What names are made of: everything that markup, Markdown or a terminal reads.
fn name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("\"'><img src=x onerror=y>".to_owned()),
        Just("</style>&lt;&#39;]]>".to_owned()),
        Just("\u{1b}[31m\u{202e}\u{0}\r\n".to_owned()),
        Just("| ` _*[x](y) {} {name}".to_owned()),
        ".{0,12}",
    ];
    prop::collection::vec(piece, 1..3).prop_map(|pieces| pieces.concat())
}

/// Every text of a record that someone else may have written.
fn texts(record: &mut Record) -> Vec<&mut String> {
    let mut all = vec![&mut record.plan.name, &mut record.plan.environment, &mut record.plan.scenario_sha256];
    for step in &mut record.plan.steps {
        all.extend([&mut step.journey, &mut step.step]);
    }
    all.extend(record.plan.labels.values_mut());
    all.extend(record.plan.load.phases.iter_mut().map(|phase| &mut phase.name));
    all.extend(record.plan.guards.stop.iter_mut().map(|guard| &mut guard.text));
    for gate in &mut record.plan.gates {
        all.extend([&mut gate.name, &mut gate.assert]);
    }
    all.extend(record.plan.targets.iter_mut().map(|target| &mut target.base_url));
    let environment = &mut record.environment;
    all.extend([
        &mut environment.run,
        &mut environment.version,
        &mut environment.machine.os,
        &mut environment.transport,
    ]);
    all.extend(environment.command.as_mut());
    all.extend(record.events.iter_mut().map(|event| &mut event.text));
    if let Some(part) = &mut record.analysis {
        all.extend(part.summary.because.iter_mut());
        for node in &mut part.bottlenecks {
            all.push(&mut node.node);
            all.extend(node.owner.as_mut());
            all.extend(node.evidence.iter_mut());
        }
        for call in &mut part.dependencies {
            all.extend([&mut call.from, &mut call.to]);
        }
        all.extend(part.completeness.iter_mut().map(|service| &mut service.service));
        all.extend(part.curves.iter_mut().map(|curve| &mut curve.node));
        all.extend(part.growth.iter_mut().map(|growth| &mut growth.node));
        all.extend(part.waterfall.rows.iter_mut().chain(&mut part.waterfall.behind).map(|row| &mut row.node));
    }
    for curve in &mut record.calls {
        all.extend([&mut curve.from, &mut curve.to]);
    }
    for owner in record.owners.nodes.values_mut() {
        all.push(&mut owner.team);
        all.extend(owner.runbook.iter_mut().chain(&mut owner.criticality));
    }
    if let Some(ledger) = &mut record.ledger {
        for row in &mut ledger.rows {
            all.extend([&mut row.service, &mut row.resource]);
        }
        all.extend(ledger.unobserved.iter_mut());
        all.extend(ledger.unreconciled.iter_mut());
    }
    for sample in &mut record.samples {
        all.extend([&mut sample.step, &mut sample.detail]);
        all.extend(sample.class.as_mut());
    }
    all.extend(record.missing.iter_mut());
    all
}

static BASES: LazyLock<[Record; 3]> = LazyLock::new(|| {
    [synthetic::record(), synthetic::partial(), synthetic::calm()].map(|mut record| {
        // Few frames: a case is about their variety, not their number.
        record.frames.retain(|frame| frame.second % 30 < 2);
        record
    })
});

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![prop::num::f64::ANY, -2.0..2000.0_f64, Just(0.0)]
}

/// Damage of all kinds: lost parts, wild numbers, hostile names.
fn damaged() -> impl Strategy<Value = Record> {
    let wild = (prop::collection::vec(name(), 1..6), prop::collection::vec(number(), 1..8));
    let counts = prop::collection::vec(prop_oneof![any::<u64>(), 0..1000_u64], 1..6);
    (0..3_usize, wild, counts, any::<u32>(), any::<u64>()).prop_map(
        |(base, (names, numbers), counts, second, bits)| {
            let mut record = BASES[base].clone();
            for (index, text) in texts(&mut record).into_iter().enumerate() {
                if bits.rotate_left(index as u32) & 1 == 0 {
                    text.clone_from(&names[index % names.len()]);
                }
            }
            let mut at = 0;
            let mut number = || {
                at += 1;
                numbers[at % numbers.len()]
            };
            if let Some(part) = record.analysis.as_mut().filter(|_| bits & 2 == 0) {
                for curve in &mut part.curves {
                    curve.points.iter_mut().for_each(|point| {
                        (point.offered, point.p99_ms, point.p50_ms) =
                            (number(), Some(number()), Some(number()))
                    });
                }
                part.growth
                    .iter_mut()
                    .for_each(|growth| (growth.self_ms, growth.wait_ms) = (number(), number()));
                for node in &mut part.bottlenecks {
                    (node.capacity_per_s.low, node.capacity_per_s.high) = (Some(number()), Some(number()));
                    (node.capacity_per_s.estimate, node.headroom, node.share.estimate) =
                        (Some(number()), Some(number()), Some(number()));
                }
                part.dependencies.iter_mut().for_each(|call| call.critical_path_share = Some(number()));
                for row in &mut part.waterfall.rows {
                    (row.self_ms, row.wait_ms, row.gap_ms) = (number(), number(), number());
                }
                part.waterfall.peak_ms = number();
                for curve in &mut record.calls {
                    (curve.through, curve.waited_for) = (Some(number()), Some(number()));
                    curve.points.iter_mut().for_each(|point| {
                        (point.offered, point.calls_per_s, point.p99_ms, point.own_p50_ms) =
                            (number(), number(), Some(number()), Some(number()))
                    });
                }
                part.completeness.iter_mut().for_each(|service| service.share = Some(number()));
            }
            if bits & 4 == 0
                && let Some(frame) = record.frames.first_mut()
            {
                (frame.second, frame.phase, frame.intended) = (second, second as u16, counts[0]);
                frame.errors.insert(ErrorClass::Status(second as u16), counts[counts.len() - 1]);
                frame.latency = names[0].clone();
            }
            let keep = bits >> 8 & 7;
            record.frames.retain(|frame| u64::from(frame.second) % 8 >= keep);
            if let Some(ledger) = &mut record.ledger {
                ledger.rows.iter_mut().zip(counts.iter().cycle()).for_each(|(row, n)| row.count = *n);
                let run = record.environment.run.clone();
                ledger.rows.push(LedgerRow {
                    service: names[0].clone(),
                    run,
                    resource: names[0].clone(),
                    outcome: Outcome::Leak,
                    count: counts[0],
                });
            }
            let (kind, key) =
                [(EventKind::Guard, "fired"), (EventKind::Operator, "stop"), (EventKind::Run, "x")]
                    [(bits >> 12 & 3).min(2) as usize];
            let data = serde_json::json!({ key: true, "text": names[0], "by": names[0] });
            let (prev, hash) = (String::new(), String::new());
            record.events.push(Event {
                v: 1,
                seq: 0,
                at_ns: 0,
                t_ns: second.into(),
                kind,
                text: names[0].clone(),
                data,
                prev,
                hash,
            });
            record.analysis = record.analysis.filter(|_| bits & 16 == 0);
            record.ledger = record.ledger.filter(|_| bits & 32 == 0);
            record
        },
    )
}

fn well_formed(text: &str) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => return Ok(()),
            Ok(quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag)) => {
                if tag.attributes().any(|attribute| attribute.is_err()) {
                    return Err(format!("attributes of {tag:?}"));
                }
                let name = tag.name().as_ref().to_owned();
                if ["script", "img", "iframe"].contains(&name.as_str()) {
                    return Err(format!("a {name} came in"));
                }
            }
            Ok(_) => {}
            Err(error) => return Err(format!("{error} at {}", reader.error_position())),
        }
    }
}

fn all(record: &Record) -> [String; 5] {
    let verdict = verdict(record);
    [
        verdict_json(&verdict),
        html(record, &verdict),
        junit(&verdict, record),
        markdown(&verdict, record),
        card(&verdict, 80, false, true, Some("drills/x/report.html")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn any_record_renders_and_nothing_escapes(record in damaged()) {
        let [json, html, junit, markdown, card] = all(&record);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        for page in [&html, &junit] {
            prop_assert_eq!(well_formed(page), Ok(()));
        }
        prop_assert!(!html.contains("onerror=y>") && !html.contains("</style>&lt;"));
        prop_assert!(!html.contains("href=\"javascript") && !html.contains("href=\"&"));
        prop_assert!(!html.contains("http-equiv") && !html.contains("src=\""));
        prop_assert!(!html.contains("NaN") && !html.contains("inf%"));
        prop_assert!(markdown.len() <= MARKDOWN_LIMIT_BYTES);
        let outside_code = markdown.replace("\\`", "").split('`').step_by(2).collect::<String>();
        prop_assert!(!outside_code.contains("<script") && !outside_code.contains("<img"));
        prop_assert!(card.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn the_same_record_gives_the_same_bytes(record in damaged(), turn in 0..1000_usize) {
        let mut turned = record.clone();
        let by = turn % turned.frames.len().max(1);
        turned.frames.rotate_left(by);
        for (one, two) in all(&record).iter().zip(all(&turned).iter()) {
            prop_assert_eq!(one, two, "frames may come in any order");
        }
    }

    #[test]
    fn frames_that_were_put_together_say_the_same(
        record in damaged(),
        stretch in 1..40_u32,
        turn in 0..1000_usize,
    ) {
        let mut record = record;
        record.frames.iter_mut().for_each(|frame| frame.second = frame.second.saturating_mul(stretch));
        let by = turn % record.frames.len().max(1);
        let mut read = record.frames.clone();
        read.rotate_left(by);
        let mut together = Together::new(read.iter().map(|frame| frame.second).max().unwrap_or(0));
        read.into_iter().for_each(|frame| together.add(frame));
        let less = Record { frames: together.finish(), ..record.clone() };
        for (one, two) in all(&record).iter().zip(all(&less).iter()) {
            prop_assert_eq!(one, two);
        }
    }
}

#[test]
fn a_long_summary_is_cut_and_says_so() {
    let mut record = synthetic::calm();
    record.missing =
        (0..30_000).map(|n| format!("part {n} of a record that lost very many of its parts")).collect();
    let text = markdown(&verdict(&record), &record);
    assert!(text.len() <= MARKDOWN_LIMIT_BYTES);
    assert!(text.ends_with("the rest is in the report._\n"));
}

#[test]
fn the_report_needs_nothing_from_elsewhere() {
    let record = synthetic::record();
    let page = html(&record, &verdict(&record));
    for needle in ["<script", "<link", "@import", "url(", "src=", "javascript:"] {
        assert!(!page.contains(needle), "{needle}");
    }
    assert!(page.len() < 400_000, "{} bytes", page.len());
}
