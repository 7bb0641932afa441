//! Makes the snapshots that screens read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use peakdrill_bottleneck::AnalysisInput;
use peakdrill_collector::{Collector, View, now_ns};
use peakdrill_drill_model::condition::{Measured, Selectors};
use peakdrill_drill_model::frame::Tally;
use peakdrill_drill_model::plan::{Branch, Node, Plan, StepId};
use peakdrill_drill_model::snapshot::{RunState, Snapshot, StepRow, TopError};
use peakdrill_drill_model::timeline::{Laid, Timeline};
use peakdrill_drill_model::verdict::{Isolation, LiveView, Millis};
use peakdrill_timebase::NS_PER_S;

use crate::arrivals::Arrivals;
use crate::live::analysis::{LiveAnalysis, Moment};
use crate::live::gates;
use crate::live::guards::Guards;
use crate::live::history::{History, plan_curve};
use crate::live::totals::Totals;
use crate::live::window::{IsolationNow, LONG_WINDOW_TICKS, WINDOW_TICKS, Window};
use crate::record::RecordWriter;

/// Fewer samples in a second than this: screens look back over five.
const FEW_SAMPLES: u64 = 200;
/// Error classes shown.
const TOP_ERRORS: usize = 5;
/// Event lines shown.
const EVENT_LINES: usize = 12;

/// What a look at a run needs besides the counts.
pub(crate) struct Look<'a> {
    pub(crate) state: RunState,
    pub(crate) at_ns: i64,
    pub(crate) elapsed_ns: u64,
    pub(crate) data_age_ns: u64,
    pub(crate) in_flight: u64,
    pub(crate) busiest_thread_share: Option<f64>,
    pub(crate) isolation: IsolationNow,
    /// Where the phases lie now.
    pub(crate) timeline: &'a Timeline,
    /// What a search does now.
    pub(crate) note: String,
}

/// The board that screens see.
pub(crate) struct Board {
    plan: Arc<Plan>,
    base: Snapshot,
    history: History,
    arrivals: Arrivals,
    analysis: LiveAnalysis,
    /// Teams by the names of nodes.
    owners: BTreeMap<String, String>,
    publish: Box<dyn Fn(Arc<Snapshot>) + Send>,
}

impl Board {
    pub(crate) fn new(
        plan: Arc<Plan>,
        run: &str,
        record: &Path,
        publish: Box<dyn Fn(Arc<Snapshot>) + Send>,
    ) -> Self {
        let base =
            Snapshot { plan_curve: plan_curve(&Timeline::planned(&plan.load)), ..blank(&plan, run, record) };
        Self {
            plan,
            base,
            history: History::new(),
            arrivals: Arrivals::default(),
            analysis: LiveAnalysis::start(),
            owners: BTreeMap::new(),
            publish,
        }
    }

    /// Says who owns the nodes.
    pub(crate) fn own(&mut self, teams: BTreeMap<String, String>) {
        self.owners = teams;
    }

    /// Says what preflight does.
    pub(crate) fn preflight(&mut self, at_ns: i64, activity: &str) {
        activity.clone_into(&mut self.base.activity);
        self.base.at_ns = at_ns;
        (self.publish)(Arc::new(self.base.clone()));
    }

    /// Adds a delta to the history.
    pub(crate) fn add(&mut self, second: u32, is_journeys: bool, tally: &Tally) {
        self.history.add(second, is_journeys, tally);
        if is_journeys {
            self.arrivals.add(second, tally.intended, &tally.lateness);
        }
    }

    /// Says that the run is over, with its last counts: those that came after the last tick are in no look before this.
    pub(crate) fn done(&mut self, at_ns: i64, totals: &Totals) {
        counts(&mut self.base, totals);
        self.base.state = RunState::Done;
        self.base.at_ns = at_ns;
        self.base.in_flight = 0;
        (self.publish)(Arc::new(self.base.clone()));
    }

    /// Publishes how things stand.
    pub(crate) fn show(
        &mut self,
        look: &Look<'_>,
        window: &mut Window,
        totals: &Totals,
        guards: &Guards,
        collector: Option<&Collector>,
        writer: &RecordWriter,
    ) {
        self.times(look);
        self.load(look, window, totals);
        if let Some(view) = collector.map(Collector::view) {
            self.system(look, &view);
        }
        let snapshot = &mut self.base;
        snapshot.guards = guards.rows();
        snapshot.gates = gates::rows(&self.plan, totals, look.isolation);
        snapshot.history = self.history.points(look.timeline);
        let lines: Vec<String> = writer.recent().map(|event| event.text.clone()).collect();
        snapshot.events = lines[lines.len().saturating_sub(EVENT_LINES)..].to_vec();
        (self.publish)(Arc::new(snapshot.clone()));
    }

    fn times(&mut self, look: &Look<'_>) {
        let snapshot = &mut self.base;
        snapshot.state = look.state;
        snapshot.activity = String::new();
        snapshot.phase_note.clone_from(&look.note);
        snapshot.at_ns = look.at_ns;
        snapshot.elapsed_ns = look.elapsed_ns;
        snapshot.data_age_ns = look.data_age_ns;
        let planned = look.timeline.rate_at(look.elapsed_ns);
        snapshot.target_rate = planned.and_then(|(rate, _)| rate);
        snapshot.closed_loop = false;
        if snapshot.total_ns != look.timeline.end_ns() {
            snapshot.total_ns = look.timeline.end_ns();
            snapshot.plan_curve = plan_curve(look.timeline);
        }
        let Some((_, index)) = planned else { return };
        let (phases, Some(laid)) = (&self.plan.load.phases, look.timeline.phases().get(index)) else {
            return;
        };
        snapshot.closed_loop = look.state == RunState::Running && laid.users.is_some();
        snapshot.phase.clone_from(&phases[index].name);
        snapshot.phase_elapsed_ns = look.elapsed_ns.saturating_sub(laid.start_ns);
        snapshot.phase_ns = laid.end_ns - laid.start_ns;
        snapshot.next_phase = phases.get(index + 1).map(|phase| phase.name.clone());
    }

    fn load(&mut self, look: &Look<'_>, window: &mut Window, totals: &Totals) {
        let snapshot = &mut self.base;
        snapshot.in_flight = look.in_flight;
        snapshot.generator_cpu = look.busiest_thread_share;
        counts(snapshot, totals);
        let checked = self.plan.shadow.as_ref().is_some_and(|shadow| shadow.ack_require.is_some());
        let tagged = checked.then(|| totals.tagged(&self.plan));
        let missing = tagged.and_then(|tagged| Measured::share(tagged.ack_missing, tagged.answers()));
        snapshot.ack_share = missing.map(|missing| (1.0 - missing.value).max(0.0));
        snapshot.sent_rate = window.journeys().sent as f64 / window.seconds().max(0.25);
        let all = Selectors::default();
        if window.requests(&all).completed < FEW_SAMPLES {
            window.set_span(LONG_WINDOW_TICKS);
        }
        let recent = window.requests(&all);
        snapshot.latency_ms = Millis::from(recent.latency.quantiles());
        snapshot.service_ms = Millis::from(recent.service.quantiles());
        snapshot.lateness_ms = Millis::from(window.journeys().lateness.quantiles());
        snapshot.steps =
            self.plan.steps.iter().map(|info| step_row(window, &info.journey, &info.step)).collect();
        window.set_span(WINDOW_TICKS);
        let named = |(step, class, count): (u16, peakdrill_drill_model::outcome::ErrorClass, u64)| TopError {
            step: self.plan.steps.get(usize::from(step)).map_or_else(String::new, |info| info.step.clone()),
            class: class.to_string(),
            count,
        };
        snapshot.top_errors = totals.top_errors(TOP_ERRORS).into_iter().map(named).collect();
    }

    fn system(&mut self, look: &Look<'_>, view: &View) {
        let snapshot = &mut self.base;
        snapshot.spans = Some(view.spans());
        snapshot.late_waiting = view.late_waiting();
        snapshot.span_age_ns =
            view.newest_span_end_ns.map(|end| u64::try_from(look.at_ns.saturating_sub(end)).unwrap_or(0));
        snapshot.isolation = Isolation::of(&view.ledger, &snapshot.run, Vec::new());
        self.ages(now_ns());
    }

    /// Asks for a look at the newest view, and publishes what was found since the last time, if anything. Says, once, why
    /// there will be nothing more.
    pub(crate) fn analyse(&mut self, at: Moment, timeline: &Timeline, view: &View) -> Option<&'static str> {
        let (plan, arrivals, owners) = (&self.plan, &self.arrivals, &self.owners);
        let input = || AnalysisInput { owners: owners.clone(), ..analysis_input(plan, timeline, arrivals) };
        let turn = self.analysis.turn(at, view, &input);
        let snapshot = &mut self.base;
        let ended = match turn {
            Ok(None) => return None,
            Ok(Some(found)) => {
                snapshot.analysis_note = found.summary.because.join("; ");
                snapshot.ranking = found.bottlenecks;
                snapshot.dependencies = found.dependencies;
                snapshot.findings = found.findings;
                None
            }
            Err(why) => {
                why.clone_into(&mut snapshot.analysis_ended);
                Some(why)
            }
        };
        self.ages(at.at_ns);
        (self.publish)(Arc::new(self.base.clone()));
        ended
    }

    /// `at_ns`: by the clock of receipts.
    fn ages(&mut self, at_ns: i64) {
        self.base.ranking_age_ns = self.analysis.age_ns(at_ns);
        self.base.ranking_behind_ns = self.analysis.behind_ns(at_ns);
    }

    /// The load is over: no further look is asked for. How the live view kept up.
    pub(crate) fn end_analysis(&mut self) -> Option<LiveView> {
        self.analysis.end();
        self.analysis.kept_up(now_ns())
    }
}

/// What the analysis has to know of a plan and of how it was kept.
pub(crate) fn analysis_input(plan: &Plan, timeline: &Timeline, arrivals: &Arrivals) -> AnalysisInput {
    let seconds = |laid: &Laid| ((laid.start_ns / NS_PER_S) as i64, laid.end_ns.div_ceil(NS_PER_S) as i64);
    let phases = plan.load.phases.iter().zip(timeline.phases());
    let measured = phases.filter(|(phase, _)| phase.measure).map(|(_, laid)| seconds(laid)).collect();
    AnalysisInput {
        load_seconds: timeline.end_ns().div_ceil(NS_PER_S) as i64,
        measured,
        first_steps: first_steps(plan),
        intended: arrivals.intended(),
        lateness_ms: arrivals.lateness_ms(),
        objectives: crate::objectives::objectives(plan),
        ..AnalysisInput::default()
    }
}

/// The steps with which a journey can begin.
fn first_steps(plan: &Plan) -> Vec<u16> {
    let mut found = Vec::new();
    for journey in &plan.journeys {
        begin(&journey.steps, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Adds the steps with which a pass through these nodes can begin; whether there is a pass that sends nothing, so that
/// what stands behind them can be the beginning.
fn begin(nodes: &[Node], found: &mut Vec<StepId>) -> bool {
    nodes.iter().all(|node| match node {
        Node::Request(request) => {
            found.push(request.step);
            false
        }
        Node::Choose(branches) => {
            let every = |empty, branch: &Branch| begin(&branch.steps, found) | empty;
            branches.iter().fold(branches.is_empty(), every)
        }
        Node::Loop(turns) => begin(&turns.steps, found) | (turns.min == 0),
        Node::Think { .. } | Node::ThinkLognormal { .. } => true,
    })
}

/// What was sent and answered since the start.
fn counts(snapshot: &mut Snapshot, totals: &Totals) {
    let (journeys, requests) = (totals.journeys(), totals.requests());
    (snapshot.intended, snapshot.sent, snapshot.missed) = (journeys.intended, journeys.sent, journeys.missed);
    (snapshot.completed, snapshot.errors) = (requests.completed, requests.error_count());
}

fn step_row(window: &Window, journey: &str, step: &str) -> StepRow {
    let select = Selectors { journey: Some(journey.to_owned()), step: Some(step.to_owned()) };
    let tally = window.requests(&select);
    StepRow {
        journey: journey.to_owned(),
        step: step.to_owned(),
        rate: tally.completed as f64 / window.seconds().max(0.25),
        error_share: (tally.completed > 0).then(|| tally.error_count() as f64 / tally.completed as f64),
        latency_ms: Millis::from(tally.latency.quantiles()),
    }
}

fn blank(plan: &Plan, run: &str, record: &Path) -> Snapshot {
    Snapshot {
        v: 1,
        drill: plan.name.clone(),
        run: run.to_owned(),
        environment: plan.environment.clone(),
        state: RunState::Preflight,
        activity: String::new(),
        at_ns: 0,
        data_age_ns: 0,
        phase: String::new(),
        phase_elapsed_ns: 0,
        phase_ns: 0,
        elapsed_ns: 0,
        total_ns: plan.duration_ns(),
        next_phase: None,
        phase_note: String::new(),
        target_rate: None,
        closed_loop: false,
        sent_rate: 0.0,
        intended: 0,
        sent: 0,
        missed: 0,
        completed: 0,
        errors: 0,
        in_flight: 0,
        max_in_flight: plan.load.max_in_flight as u64,
        latency_ms: Millis::default(),
        service_ms: Millis::default(),
        lateness_ms: Millis::default(),
        top_errors: Vec::new(),
        steps: Vec::new(),
        guards: Vec::new(),
        gates: Vec::new(),
        ranking: Vec::new(),
        dependencies: Vec::new(),
        analysis_note: String::new(),
        findings: Vec::new(),
        analysis_ended: String::new(),
        ranking_age_ns: None,
        ranking_behind_ns: 0,
        span_age_ns: None,
        spans: None,
        late_waiting: 0,
        isolation: Isolation::default(),
        ack_share: None,
        generator_cpu: None,
        history: Vec::new(),
        plan_curve: Vec::new(),
        events: Vec::new(),
        record: record.display().to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
