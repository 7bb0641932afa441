use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use peakdrill_collector::Folded;
use peakdrill_collector::counters::{Counters, counter};
use peakdrill_drill_model::verdict::{AnalysisState, AnalysisSummary, Finding, FindingKind};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const MS: i64 = 1_000_000;

fn ranking(second: i64) -> Ranking {
    let summary = AnalysisSummary {
        state: AnalysisState::Withheld,
        tested_to_per_s: None,
        because: vec![format!("second {second}")],
        knees: Vec::new(),
    };
    Ranking { summary, bottlenecks: Vec::new(), dependencies: Vec::new(), findings: Vec::new() }
}

/// A view with spans.
fn view(number: u64, newest_ms: i64, first_ms: i64, waiting_ms: Option<i64>) -> View {
    let mut counters = Counters::default();
    counters.add(counter::SPANS, 1);
    let folded = Folded {
        view: number,
        newest_ns: Some(newest_ms * MS),
        first_ns: Some(first_ms * MS),
        waiting_ns: waiting_ms.map(|ms| ms * MS),
    };
    View { folded, counters, ..View::default() }
}

fn moment(at_ms: i64, second: i64) -> Moment {
    // Far enough ahead of one another for every rest to be over.
    let now = Instant::now() + Duration::from_secs(3_600) * second.max(0) as u32;
    Moment { now, at_ns: at_ms * MS, taken_ns: None, second }
}

fn input() -> AnalysisInput {
    AnalysisInput { load_seconds: 60, ..AnalysisInput::default() }
}

/// Turns until there is an answer, and the answer.
fn answer(analysis: &mut LiveAnalysis, at: Moment, view: &View) -> Result<Ranking, &'static str> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(answer) = analysis.turn(at, view, &input).transpose() {
            return answer;
        }
        std::thread::yield_now();
    }
    panic!("no answer")
}

/// What a turn comes to in which there is nothing to be taken.
fn nothing(analysis: &mut LiveAnalysis, at: Moment, view: &View) {
    assert_eq!(analysis.turn(at, view, &input), Ok(None));
}

#[test]
fn a_new_view_is_looked_at_and_its_age_is_that_of_the_oldest_new_thing() {
    let mut analysis = LiveAnalysis::with(|_, input| ranking(input.load_seconds));
    let second = |answer: Result<Ranking, _>| answer.unwrap().summary.because[0].clone();
    nothing(&mut analysis, moment(0, 0), &View::default());
    assert_eq!(analysis.asked, None, "no second is over");
    assert_eq!((analysis.age_ns(0), analysis.behind_ns(0)), (None, 0), "nothing was received");
    let first = view(1, 1_000, 900, None);
    assert_eq!(second(answer(&mut analysis, moment(1_300, 1), &first)), "second 1");
    assert_eq!(analysis.behind_ns(1_300 * MS), 0, "all is shown");
    assert_eq!(analysis.age_ns(1_300 * MS), Some(300_000_000));
    nothing(&mut analysis, moment(1_310, 1), &first);
    assert!(analysis.analyst.as_ref().unwrap().is_free(moment(0, 1).now), "nothing new is not asked about");
    let left = view(2, 1_200, 1_200, Some(1_300));
    assert_eq!(second(answer(&mut analysis, moment(2_000, 2), &left)), "second 2");
    assert_eq!(analysis.behind_ns(2_000 * MS), 700_000_000, "the view lacks it");
    let kept_up = analysis.kept_up(1_300 * MS).unwrap();
    assert_eq!(kept_up.looks, 2);
    let about = |ms: Option<f64>, is: f64| ms.is_some_and(|ms| (ms / is - 1.0).abs() < 0.01);
    assert!(about(kept_up.age_ms.p50, 400.0) && about(kept_up.age_ms.max, 800.0), "{kept_up:?}");
    // A second without anything new is looked at and is no age.
    assert_eq!(second(answer(&mut analysis, moment(3_000, 3), &left)), "second 3");
    assert_eq!(analysis.kept_up(1_300 * MS), Some(kept_up));
    let never_shown = analysis.kept_up(9_300 * MS).unwrap();
    assert!(never_shown.looks == 2 && about(never_shown.age_ms.max, 8_000.0), "{never_shown:?}");
}

#[test]
fn what_is_no_span_has_no_age() {
    let mut analysis = LiveAnalysis::with(|_, _| ranking(0));
    let rows = View { counters: Counters::default(), ..view(1, 10, 10, None) };
    assert!(answer(&mut analysis, moment(900, 1), &rows).is_ok());
    assert_eq!((analysis.age_ns(900 * MS), analysis.behind_ns(900 * MS)), (None, 0));
    assert_eq!(analysis.kept_up(900 * MS), None);
}

#[test]
fn nothing_is_asked_while_a_look_is_under_way() {
    let (go, wait) = channel::<()>();
    let wait: Mutex<Receiver<()>> = Mutex::new(wait);
    let mut analysis = LiveAnalysis::with(move |_, input| {
        wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        ranking(input.load_seconds)
    });
    let asked = |analysis: &LiveAnalysis| analysis.asked.map(|asked| asked.view);
    for number in [1, 2, 3] {
        nothing(&mut analysis, moment(0, 1), &view(number, 10, 10, None));
        assert_eq!(asked(&analysis), Some(1));
    }
    go.send(()).unwrap();
    // Asked about view 3 in the turn in which the answer is taken.
    assert!(answer(&mut analysis, moment(0, 2), &view(3, 10, 10, None)).is_ok());
    assert_eq!(asked(&analysis), Some(3));
    go.send(()).unwrap();
}

#[test]
fn a_bug_in_the_analysis_is_told_once_and_what_is_shown_grows_old() {
    let mut analysis = LiveAnalysis::with(|_, input| {
        assert!(input.load_seconds < 2, "a bug on purpose");
        ranking(input.load_seconds)
    });
    assert!(answer(&mut analysis, moment(0, 1), &view(1, 10, 10, None)).is_ok());
    let told = answer(&mut analysis, moment(0, 2), &view(2, 20, 20, None)).unwrap_err();
    assert!(told.starts_with("the live analysis ended") && told.contains("the report"), "{told}");
    nothing(&mut analysis, moment(0, 3), &view(3, 30, 30, None));
    assert_eq!(
        (analysis.age_ns(5_000 * MS), analysis.behind_ns(5_000 * MS)),
        (Some(4_990_000_000), 4_980_000_000)
    );
    let kept_up = analysis.kept_up(5_000 * MS).unwrap();
    assert!(kept_up.looks == 1 && kept_up.age_ms.max.is_some_and(|ms| ms > 4_900.0), "{kept_up:?}");
}

#[test]
fn without_a_thread_it_is_told_that_there_is_none() {
    let mut analysis = LiveAnalysis { analyst: None, untold: Some("none"), ..LiveAnalysis::start() };
    assert_eq!(analysis.turn(moment(0, 1), &View::default(), &input), Err("none"));
    nothing(&mut analysis, moment(0, 1), &View::default());
}

#[test]
fn after_the_end_nothing_is_asked() {
    let mut analysis = LiveAnalysis::with(|_, _| ranking(0));
    analysis.end();
    nothing(&mut analysis, moment(0, 1), &view(1, 10, 10, None));
    assert_eq!(analysis.asked, None);
}

#[test]
fn the_most_pressing_findings_are_told() {
    let finding = |kind, node: String| Finding { kind, node, text: String::new(), action: String::new() };
    let mut all = vec![finding(FindingKind::RetryStorm, "stock".into())];
    all.extend((0..9).map(|n| finding(FindingKind::HotKey, n.to_string())));
    let told = told_live(Ranking { findings: all, ..ranking(0) }).findings;
    assert_eq!((told.len(), told[0].kind), (FINDINGS_MAX, FindingKind::RetryStorm));
}

#[test]
fn a_live_look_leaves_out_what_may_be_on_its_way() {
    let live = live_input(input(), 20);
    assert_eq!((live.load_seconds, live.settled_before), (20, Some(17)));
    assert!(live.settings.resamples < AnalysisInput::default().settings.resamples);
    assert_eq!(live_input(input(), 99).load_seconds, 60, "not beyond the load");
}
