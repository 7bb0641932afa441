use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use peakdrill_bottleneck::{Ranking, rank};
use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::{Journey, Loop, Phase, Request, StepInfo};
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::verdict::{Finding, FindingKind};

use super::*;

/// A look at a run that has not begun.
pub(crate) fn snapshot() -> Snapshot {
    blank(&crate::testing::plan(), "r", Path::new("rec"))
}

/// A board, and the newest look at it.
fn board(plan: Plan) -> (Board, Arc<Mutex<Option<Arc<Snapshot>>>>) {
    let newest = Arc::new(Mutex::new(None));
    let put = Arc::clone(&newest);
    let publish = Box::new(move |snapshot| *put.lock().unwrap() = Some(snapshot));
    (Board::new(Arc::new(plan), "r", Path::new("rec"), publish), newest)
}

fn look(timeline: &Timeline, state: RunState, elapsed_ns: u64) -> Look<'_> {
    Look {
        state,
        at_ns: 0,
        elapsed_ns,
        data_age_ns: 0,
        in_flight: 0,
        busiest_thread_share: None,
        isolation: IsolationNow::default(),
        timeline,
        note: String::new(),
    }
}

#[test]
fn a_closed_loop_has_no_target() {
    let mut plan = crate::testing::plan();
    let hold = plan.load.phases[0].clone();
    let users = Shape::Users { count: 8, for_ns: 10 * NS_PER_S };
    plan.load.phases = vec![Phase { shape: users, ..hold.clone() }, hold];
    let timeline = Timeline::planned(&plan.load);
    let (mut board, _) = board(plan);
    let mut at = |state, second: u64| {
        board.times(&look(&timeline, state, second * NS_PER_S));
        (board.base.target_rate, board.base.closed_loop)
    };
    assert_eq!(at(RunState::Running, 3), (None, true));
    assert_eq!(at(RunState::Draining, 3), (None, false), "nobody starts anything after a stop");
    assert_eq!(at(RunState::Running, 12), (Some(10.0), false));
    assert_eq!(at(RunState::Running, 25), (None, false), "the schedule is over");
}

#[test]
fn what_is_not_answered_acknowledges_nothing() {
    let mut plan = crate::testing::plan();
    plan.shadow = Some(crate::testing::shadow());
    plan.steps = vec![StepInfo { journey: "j".into(), step: "s".into(), ..StepInfo::default() }];
    let timeline = Timeline::planned(&plan.load);
    let (mut board, _) = board(plan.clone());
    let (mut window, mut totals) = (Window::new(&plan), Totals::default());
    let errors = BTreeMap::from([(ErrorClass::Timeout, 10)]);
    totals.add((0, 0, Some(0)), &Tally { sent: 10, completed: 10, errors, ..Tally::default() });
    let now = look(&timeline, RunState::Running, NS_PER_S);
    board.load(&now, &mut window, &totals);
    assert_eq!(board.base.ack_share, None, "all timed out");
    totals.add((0, 0, Some(0)), &Tally { sent: 4, completed: 4, ack_missing: 1, ..Tally::default() });
    board.load(&now, &mut window, &totals);
    assert_eq!(board.base.ack_share, Some(0.75));
}

#[test]
fn the_last_look_has_the_last_counts() {
    let (mut board, newest) = board(crate::testing::plan());
    let mut totals = Totals::default();
    totals.add((0, 0, None), &Tally { intended: 7, sent: 6, missed: 1, ..Tally::default() });
    let errors = BTreeMap::from([(ErrorClass::Timeout, 2)]);
    totals.add((0, 0, Some(0)), &Tally { sent: 6, completed: 5, errors, ..Tally::default() });
    board.done(1, &totals);
    let last = newest.lock().unwrap().clone().unwrap();
    assert_eq!(last.state, RunState::Done);
    assert_eq!((last.intended, last.sent, last.missed), (7, 6, 1));
    assert_eq!((last.completed, last.errors), (5, 2));
}

/// Turns until something else is published, and that.
fn published(
    board: &mut Board,
    newest: &Mutex<Option<Arc<Snapshot>>>,
    second: i64,
) -> (Arc<Snapshot>, Option<&'static str>) {
    let timeline = Timeline::planned(&crate::testing::plan().load);
    // Far enough ahead of one another for every rest to be over.
    let now = Instant::now() + Duration::from_secs(3_600) * second as u32;
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let told =
            board.analyse(Moment { now, at_ns: 0, taken_ns: None, second }, &timeline, &View::default());
        if let Some(shown) = newest.lock().unwrap().take() {
            return (shown, told);
        }
        std::thread::yield_now();
    }
    panic!("nothing is published")
}

#[test]
fn what_is_found_is_on_the_board_at_once_and_so_is_the_end_of_the_analysis() {
    let (mut board, newest) = board(crate::testing::plan());
    let storm = Finding {
        kind: FindingKind::RetryStorm,
        node: "stock".into(),
        text: "again and again".into(),
        action: String::new(),
    };
    let found = vec![storm.clone()];
    board.analysis = LiveAnalysis::with(move |cells, input| {
        assert!(input.load_seconds < 3, "a bug on purpose");
        let findings = if input.load_seconds < 2 { found.clone() } else { Vec::new() };
        Ranking { findings, ..rank(cells, input) }
    });
    let (shown, told) = published(&mut board, &newest, 1);
    assert_eq!((shown.findings.as_slice(), told), (&[storm][..], None));
    let (shown, _) = published(&mut board, &newest, 2);
    assert_eq!(shown.findings, [], "it does not hold any more");
    let (shown, told) = published(&mut board, &newest, 3);
    assert!(
        told.is_some_and(|why| why.starts_with("the live analysis ended") && shown.analysis_ended == why)
    );
    assert_eq!(board.end_analysis(), None, "no spans came");
}

fn get(step: StepId) -> Node {
    Node::Request(Box::new(Request { step, ..Request::default() }))
}

fn pause() -> Node {
    Node::Think { min_ns: 1, max_ns: 1 }
}

fn choose(branches: Vec<Vec<Node>>) -> Node {
    Node::Choose(branches.into_iter().map(|steps| Branch { weight: 1.0, steps }).collect())
}

fn turns(min: u32, steps: Vec<Node>) -> Node {
    Node::Loop(Loop { min, max: 3, again: None, steps })
}

fn begins_with(steps: Vec<Node>) -> Vec<StepId> {
    let mut plan = crate::testing::plan();
    plan.journeys = vec![Journey { name: "j".into(), steps, ..Journey::default() }];
    first_steps(&plan)
}

#[test]
fn a_journey_begins_behind_what_may_send_nothing() {
    assert_eq!(begins_with(vec![pause(), get(1), get(2)]), [1]);
    assert_eq!(begins_with(vec![choose(vec![vec![get(1)], vec![get(2)]]), get(3)]), [1, 2]);
    assert_eq!(begins_with(vec![choose(vec![vec![pause()], vec![get(1)]]), get(2), get(3)]), [1, 2]);
    assert_eq!(begins_with(vec![turns(1, vec![get(1)]), get(2)]), [1]);
    assert_eq!(begins_with(vec![turns(0, vec![get(1)]), get(2)]), [1, 2]);
    let inner = choose(vec![vec![pause()], vec![get(1)]]);
    assert_eq!(begins_with(vec![turns(1, vec![inner]), get(2)]), [1, 2]);
}
