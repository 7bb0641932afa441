//! JUnit XML: a test suite is a drill, a test case a gate.

use peakdrill_drill_model::verdict::{GateResult, Judgement, Verdict};

use crate::Record;
use crate::fold::outline;
use crate::gates;
use crate::markup::Page;

/// The gates as JUnit XML: failed → `failure`, inconclusive → `error`, not reached → `skipped`.
/// A gate that only warns fails nothing. A drill without gates has one test case, the run itself.
#[must_use]
pub fn junit(verdict: &Verdict, record: &Record) -> String {
    let reached = gates::reached(record, &outline(record));
    let properties = vec![
        ("peakdrill.run", verdict.run.clone()),
        ("peakdrill.scenario_sha256", record.plan.scenario_sha256.clone()),
        ("peakdrill.seed", verdict.seed.to_string()),
        ("peakdrill.verdict", verdict.verdict.text().to_owned()),
        ("peakdrill.version", record.environment.version.clone()),
    ];
    let suite = Suite {
        name: &verdict.drill,
        seconds: verdict.seconds.unwrap_or(0.0),
        started: &verdict.started,
        properties,
        cases: cases(verdict, record, &reached),
    };
    suite.xml()
}

/// One test suite.
pub(super) struct Suite<'a> {
    /// Of a drill.
    pub(super) name: &'a str,
    pub(super) seconds: f64,
    /// RFC 3339 in UTC.
    pub(super) started: &'a str,
    pub(super) properties: Vec<(&'static str, String)>,
    pub(super) cases: Vec<Case>,
}

impl Suite<'_> {
    /// A document of this suite alone.
    pub(super) fn xml(&self) -> String {
        let cases = &self.cases;
        let with = |wanted: Ending| cases.iter().filter(|case| case.ending == wanted).count();
        let time = format!("{:.3}", self.seconds);
        let (failures, errors, skipped) = (with(Ending::Failure), with(Ending::Error), with(Ending::Skipped));
        let mut page = Page::default();
        page.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        page.put(
            "<testsuites tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">\n",
            &[&cases.len(), &failures, &errors, &skipped, &time],
        );
        page.put(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\" ",
            &[&self.name, &cases.len(), &failures, &errors, &skipped, &time],
        );
        page.put("timestamp=\"{}\">\n    <properties>\n", &[&self.started.trim_end_matches('Z')]);
        for (name, value) in &self.properties {
            page.put("      <property name=\"{}\" value=\"{}\"/>\n", &[name, value]);
        }
        page.raw("    </properties>\n");
        cases.iter().for_each(|case| case.write(&mut page, self.name));
        page.raw("  </testsuite>\n</testsuites>\n");
        page.finish()
    }
}

/// How a test case ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Passed,
    Failure,
    Error,
    Skipped,
}

/// A test case.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) assert: String,
    pub(super) because: String,
    pub(super) ending: Ending,
}

fn cases(verdict: &Verdict, record: &Record, reached: &[bool]) -> Vec<Case> {
    let of_gate = |(index, gate): (usize, &GateResult)| {
        let warn_only = record.plan.gates.get(index).is_some_and(|planned| planned.warn_only);
        let ending = match gate.verdict {
            Judgement::Pass => Ending::Passed,
            _ if !reached.get(index).copied().unwrap_or(false) => Ending::Skipped,
            _ if warn_only => Ending::Passed,
            Judgement::Fail => Ending::Failure,
            Judgement::Inconclusive => Ending::Error,
        };
        Case { name: gate.name.clone(), assert: gate.assert.clone(), because: gate.because.clone(), ending }
    };
    let mut cases: Vec<Case> = verdict.gates.iter().enumerate().map(of_gate).collect();
    // What no gate speaks of would be lost: a stopped or invalid run whose gates were skipped or not set.
    let told = |wanted: &[Ending]| cases.iter().any(|case| wanted.contains(&case.ending));
    let untold = match verdict.verdict {
        Judgement::Pass => cases.is_empty(),
        Judgement::Fail => !told(&[Ending::Failure]),
        Judgement::Inconclusive => !told(&[Ending::Failure, Ending::Error]),
    };
    if untold {
        let ending = match verdict.verdict {
            Judgement::Pass => Ending::Passed,
            Judgement::Fail => Ending::Failure,
            Judgement::Inconclusive => Ending::Error,
        };
        let because = crate::sentences::headline(verdict);
        cases.insert(
            0,
            Case { name: "the run".to_owned(), assert: "valid and not stopped".to_owned(), because, ending },
        );
    }
    cases
}

impl Case {
    fn write(&self, page: &mut Page, drill: &str) {
        let head: [&dyn std::fmt::Display; 2] = [&self.name, &drill];
        page.put("    <testcase name=\"{}\" classname=\"{}\"", &head);
        let body: [&dyn std::fmt::Display; 2] = [&self.because, &self.assert];
        match self.ending {
            Ending::Passed => {
                page.put(
                    ">\n      <system-out>{}: {}</system-out>\n    </testcase>\n",
                    &[&self.assert, &self.because],
                );
                return;
            }
            Ending::Failure => page.put(">\n      <failure message=\"{}\">{}</failure>\n", &body),
            Ending::Error => page.put(">\n      <error message=\"{}\">{}</error>\n", &body),
            Ending::Skipped => page.put(">\n      <skipped message=\"{}\">{}</skipped>\n", &body),
        }
        page.raw("    </testcase>\n");
    }
}
