//! The load is on.

mod conduct;
mod shown;
mod watch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use peakdrill_drill_model::event::EventKind;
use peakdrill_drill_model::plan::{Plan, StepId};
use peakdrill_drill_model::snapshot::RunState;
use peakdrill_drill_model::timeline::Timeline;
use peakdrill_drill_model::verdict::LiveView;
use peakdrill_latency::Sparse;
use peakdrill_loadgen::{Batch, Engine};
use peakdrill_reports::{Environment, Sample, SampleKind};
use peakdrill_shadow_tag::RunState as Registered;
use peakdrill_sockets::Kind;
use peakdrill_timebase::{Clock, MonoNs, NS_PER_S};
use serde_json::json;

use self::conduct::Covered;
use super::lease::Leases;
use super::{Command, Options};
use crate::error::ControlError;
use crate::live::guards::Guards;
use crate::live::search::SearchRun;
use crate::live::totals::Totals;
use crate::live::window::{TICK_NS, Tick, Window};
use crate::preflight::Findings;
use crate::record::RecordWriter;
use crate::registry::unix_s;
use crate::roots::Roots;
use crate::snapshot::Board;
use crate::stage::Stage;

/// Between the decision to start and the first arrival: connections are opened in it.
const START_DELAY_NS: u64 = 300_000_000;
/// Further time for each hundred connections that must be open before the start.
const START_DELAY_A_HUNDRED_NS: u64 = 200_000_000;
/// How often the loop looks at the clock when nothing comes.
const IDLE: Duration = Duration::from_millis(20);

/// A drill under load.
pub(super) struct Running {
    pub(super) stage: Stage,
    pub(super) plan: Arc<Plan>,
    pub(super) writer: RecordWriter,
    pub(super) board: Board,
    pub(super) totals: Totals,
    pub(super) findings: Findings,
    pub(super) stopped_by_person: bool,
    pub(super) busiest_thread_share: Option<f64>,
    pub(super) load_cpu_ns: u64,
    pub(super) engine_failed: Option<String>,
    /// How the live view kept up.
    pub(super) live_view: Option<LiveView>,
    /// When each service's ledger was heard of as the last request had ended.
    pub(super) heard_at_end_ns: BTreeMap<String, i64>,
    engine: Option<Engine>,
    batches: Receiver<Batch>,
    start_at: MonoNs,
    window: Window,
    guards: Guards,
    pending: Tick,
    ages: BTreeMap<usize, (u64, Vec<(StepId, Sparse)>)>,
    cpu: BTreeMap<usize, (MonoNs, u64)>,
    heard: BTreeMap<usize, MonoNs>,
    covered: MonoNs,
    pub(super) roots_dropped: u64,
    pub(super) roots: Roots,
    /// Per service: when its ledger says it was heard of, and since when that is so.
    ledgers: BTreeMap<String, (Option<i64>, MonoNs)>,
    /// How much room the journal had when that was told last.
    journal: peakdrill_collector::JournalRoom,
    next_tick: MonoNs,
    next_second: MonoNs,
    phase: Option<usize>,
    /// The phase whose conditions are looked at, and these.
    conducted: Option<usize>,
    until: Guards,
    search: Option<SearchRun>,
    /// Where the phases lie now.
    pub(super) timeline: Timeline,
    state: RunState,
    /// No new arrivals, before the planned end.
    stopped: bool,
    drain_until: Option<MonoNs>,
    known_errors: std::collections::BTreeSet<(StepId, peakdrill_drill_model::outcome::ErrorClass)>,
}

impl Running {
    #[allow(clippy::too_many_arguments, reason = "one hand-over from preflight to load, made in one place")]
    pub(super) fn start(
        stage: Stage,
        plan: Arc<Plan>,
        options: &Options,
        writer: RecordWriter,
        board: Board,
        lease: &mut Leases,
        findings: Findings,
        environment: &mut Environment,
    ) -> Result<Self, ControlError> {
        lease.renew(unix_s(&stage.clock))?;
        let start_at = stage.clock.mono().plus(start_delay(&plan));
        let origin = stage.clock.unix_at_origin().0.saturating_add_unsigned(start_at.0);
        if let Some(collector) = &stage.collector {
            collector.set_origin(origin);
        }
        let timeline =
            Timeline::new(&plan.load, origin).map_err(|error| ControlError::Plan(error.to_string()))?;
        environment.started_unix_ns = origin;
        writer.environment(environment)?;
        let config = peakdrill_loadgen::Config {
            plan: Arc::clone(&plan),
            run: stage.run.to_string(),
            shards: options.shards,
            clock: stage.clock,
            start_at,
            tagging: lease.tagging(),
            transport: options.transport,
            secrets: peakdrill_loadgen::Secrets::new(options.secrets.clone()),
            resolver: peakdrill_loadgen::Resolver::default(),
            types: findings.types.clone(),
        };
        let (engine, batches) =
            peakdrill_loadgen::start(config).map_err(|error| ControlError::Engine(error.to_string()))?;
        Ok(Self {
            window: Window::new(&plan),
            guards: Guards::new(&plan.guards.stop),
            stage,
            plan,
            writer,
            board,
            totals: Totals::default(),
            findings,
            stopped_by_person: false,
            busiest_thread_share: None,
            load_cpu_ns: 0,
            engine_failed: None,
            live_view: None,
            heard_at_end_ns: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            journal: peakdrill_collector::JournalRoom::default(),
            engine: Some(engine),
            batches,
            start_at,
            pending: Tick::default(),
            ages: BTreeMap::new(),
            cpu: BTreeMap::new(),
            heard: BTreeMap::new(),
            covered: start_at,
            roots_dropped: 0,
            roots: Roots::default(),
            next_tick: start_at.plus(TICK_NS),
            next_second: start_at.plus(NS_PER_S),
            phase: None,
            conducted: None,
            until: Guards::default(),
            search: None,
            timeline,
            state: RunState::Running,
            stopped: false,
            drain_until: None,
            known_errors: std::collections::BTreeSet::new(),
        })
    }

    /// Takes batches and ticks until every shard has ended.
    pub(super) fn until_done(
        mut self,
        commands: &Receiver<Command>,
        lease: &mut Leases,
    ) -> Result<Self, ControlError> {
        loop {
            match self.batches.recv_timeout(IDLE) {
                Ok(batch) => self.take(batch)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(command) = commands.try_recv() {
                self.obey(command)?;
            }
            let now = self.stage.clock.mono();
            // At most one tick a round: after a stall there is nothing to see in the ticks that were missed.
            if now >= self.next_tick {
                self.tick(now)?;
                self.next_tick = MonoNs(self.next_tick.plus(TICK_NS).0.max(now.0));
            }
            if now >= self.next_second {
                self.second()?;
                self.next_second = self.next_second.plus(NS_PER_S);
            }
            self.analyse(now)?;
            self.end_of_schedule(now)?;
            lease.renew(unix_s(&self.stage.clock))?;
        }
        self.second()?;
        self.live_view = self.board.end_analysis();
        let view = self.stage.collector.as_ref().map(peakdrill_collector::Collector::view);
        self.heard_at_end_ns = view.map(|view| view.ledger_heard_ns.clone()).unwrap_or_default();
        if let Some(report) = self.engine.take().map(Engine::join) {
            let opened: u64 = report.shards.iter().map(|shard| shard.connections_opened).sum();
            let data = json!({ "connections_opened": opened });
            self.event(EventKind::Run, format!("{opened} connections were opened"), data)?;
            let lost = report.batches_lost();
            self.engine_failed =
                report.failed.or_else(|| (lost > 0).then(|| format!("{lost} batches of counts were lost")));
        }
        Ok(self)
    }

    /// Nanoseconds since the start of the load; negative before it.
    pub(super) fn t_ns(&self) -> i64 {
        i64::try_from(self.stage.clock.mono().0).unwrap_or(i64::MAX)
            - i64::try_from(self.start_at.0).unwrap_or(i64::MAX)
    }

    pub(super) fn event(
        &mut self,
        kind: EventKind,
        text: impl Into<String>,
        data: serde_json::Value,
    ) -> Result<(), ControlError> {
        let (at, t) = (self.stage.clock.unix().0, self.t_ns());
        self.writer.event(at, t, kind, text, data)
    }

    /// How sockets are moved belongs to what was measured.
    pub(super) fn tell_transport(&mut self) -> Result<(), ControlError> {
        let Some(chosen) = self.engine().map(Engine::transport).cloned() else { return Ok(()) };
        // TLS is spoken over the runtime's sockets, whatever moves the others.
        let apart = self.plan.targets.iter().filter(|target| chosen.kind == Kind::Uring && target.is_tls());
        let apart: Vec<&str> = apart.map(|target| &*target.name).collect();
        let mut text = format!("sockets over {chosen}");
        let mut data = json!({ "transport": chosen.kind.name(), "because": chosen.because });
        if !apart.is_empty() {
            let _ = write!(text, "; those in TLS over epoll ({})", apart.join(", "));
            data["over_epoll"] = json!(apart);
        }
        self.event(EventKind::Run, text, data)
    }

    fn take(&mut self, batch: Batch) -> Result<(), ControlError> {
        if batch.last {
            self.heard.remove(&batch.shard);
        } else {
            self.heard.insert(batch.shard, batch.at);
        }
        self.roots_dropped += batch.roots_dropped;
        for (key, tally) in &batch.tallies {
            self.totals.add(*key, tally);
            self.board.add(key.0, key.2.is_none(), tally);
            self.pending.tallies.entry(key.2).or_default().merge(tally);
        }
        if let Some(collector) = &self.stage.collector {
            let heard = collector.view().spans() > 0;
            self.roots.take(batch.roots, heard, |rows| collector.push_roots(rows));
        }
        let (before_at, before_cpu) =
            self.cpu.insert(batch.shard, (batch.at, batch.cpu_ns)).unwrap_or((self.start_at, 0));
        let wall = batch.at.since(before_at);
        if wall >= TICK_NS / 2 {
            let share = batch.cpu_ns.saturating_sub(before_cpu) as f64 / wall as f64;
            self.busiest_thread_share = Some(self.busiest_thread_share.map_or(share, |most| most.max(share)));
        }
        self.load_cpu_ns = self.cpu.values().map(|(_, cpu)| cpu).sum();
        self.ages.insert(batch.shard, (batch.in_flight, batch.ages));
        let samples: Vec<Sample> = batch.samples.iter().map(|sample| self.sample(sample)).collect();
        self.writer.samples(&samples)
    }

    fn sample(&self, sample: &peakdrill_loadgen::Sample) -> Sample {
        Sample {
            step: self
                .plan
                .steps
                .get(usize::from(sample.step))
                .map_or_else(String::new, |info| info.step.clone()),
            kind: match sample.kind {
                peakdrill_loadgen::SampleKind::Failed => SampleKind::Failed,
                peakdrill_loadgen::SampleKind::Slowest => SampleKind::Slow,
            },
            class: sample.error.map(|class| class.to_string()),
            status: (sample.status > 0).then_some(sample.status),
            latency_ms: Some(sample.latency_ns as f64 / 1e6),
            detail: peakdrill_shadow_tag::redact(&detail(sample)),
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), ControlError> {
        match command {
            Command::Stop { by } if !self.stopped_by_person => {
                self.stopped_by_person = true;
                self.stop()?;
                let data = json!({ "stop": true, "by": by });
                self.event(EventKind::Operator, format!("stopped by {by}"), data)
            }
            Command::Stop { .. } | Command::Cut => {
                self.engine().map(Engine::stop);
                self.engine().map(Engine::cut);
                self.stopped_by_person = true;
                self.stopped = true;
                let data = json!({ "cut": true, "stop": true, "by": "a second signal or key" });
                self.event(EventKind::Operator, "connections are cut", data)
            }
        }
    }

    /// No new arrivals from now; answers are awaited for the drain time. Hops start nothing new for the run. At
    /// the planned end the run stays open instead: journeys under way finish their steps.
    pub(super) fn stop(&mut self) -> Result<(), ControlError> {
        // Before anything that may block: a full disk must not keep the load going.
        self.engine().map(Engine::stop);
        self.stopped = true;
        if let Some(authority) = &self.stage.authority {
            authority.set_state(Registered::Draining)?;
        }
        self.stage.keep_runs()?;
        self.drain();
        Ok(())
    }

    fn drain(&mut self) {
        self.drain_until = Some(self.stage.clock.mono().plus(self.plan.guards.drain_ns));
        self.state = RunState::Draining;
    }

    fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    fn end_of_schedule(&mut self, now: MonoNs) -> Result<(), ControlError> {
        let over = now >= self.start_at.plus(self.timeline.end_ns());
        match self.drain_until {
            None if over => {
                self.event(
                    EventKind::Run,
                    "the schedule is over; answers are awaited",
                    serde_json::Value::Null,
                )?;
                self.drain();
            }
            Some(until) if now >= until => {
                self.engine().map(Engine::cut);
                self.drain_until = Some(MonoNs(u64::MAX));
                self.event(
                    EventKind::Run,
                    "the drain time is over; what still waited was cut",
                    json!({ "cut": true }),
                )?;
            }
            _ => {}
        }
        Ok(())
    }

    fn tick(&mut self, now: MonoNs) -> Result<(), ControlError> {
        let t = now.since(self.start_at);
        let planned = self.timeline.rate_at(t);
        self.phase_change(planned.map(|(_, phase)| phase))?;
        let mut tick = std::mem::take(&mut self.pending);
        tick.target_rate = planned.and_then(|(rate, _)| rate);
        let covered = self.last_batch();
        tick.span_ns = covered.since(self.covered);
        let covers =
            Covered { from_ns: self.covered.since(self.start_at), to_ns: covered.since(self.start_at) };
        self.covered = covered.max(self.covered);
        self.window.push(&tick);
        let (in_flight, ages) = self.in_flight();
        self.window.set_in_flight(in_flight, ages);
        self.window.set_isolation(self.isolation());
        // After the planned end journeys still take their steps; after a stop there is nothing left to stop.
        if !self.stopped {
            self.guard(now)?;
        }
        if !self.stopped {
            self.conduct(t, &tick, covers)?;
        }
        self.new_errors()?;
        self.show(now, in_flight);
        Ok(())
    }

    /// Journeys in flight, and the ages of requests.
    fn in_flight(&self) -> (u64, BTreeMap<StepId, Sparse>) {
        let mut ages: BTreeMap<StepId, Sparse> = BTreeMap::new();
        for (step, waiting) in self.ages.values().flat_map(|(_, ages)| ages) {
            ages.entry(*step).or_default().merge(waiting);
        }
        (self.ages.values().map(|(n, _)| n).sum(), ages)
    }

    /// Up to when every shard that still runs has told what it did.
    fn last_batch(&self) -> MonoNs {
        self.heard.values().copied().min().unwrap_or(self.covered)
    }

    fn phase_change(&mut self, now: Option<usize>) -> Result<(), ControlError> {
        if now.is_some() && now != self.phase && self.state == RunState::Running {
            self.phase = now;
            let name = now
                .and_then(|index| self.plan.load.phases.get(index))
                .map_or("", |phase| &phase.name)
                .to_owned();
            self.event(EventKind::Phase, format!("phase `{name}`"), json!({ "phase": name, "index": now }))?;
        }
        Ok(())
    }

    fn new_errors(&mut self) -> Result<(), ControlError> {
        let fresh: Vec<_> =
            self.totals.error_classes().filter(|seen| !self.known_errors.contains(seen)).collect();
        for (step, class) in fresh {
            self.known_errors.insert((step, class));
            let name = self.plan.steps.get(usize::from(step)).map_or("", |info| &info.step).to_owned();
            self.event(
                EventKind::Error,
                format!("first `{class}` on `{name}`"),
                json!({ "step": name, "class": class }),
            )?;
        }
        Ok(())
    }

    /// Every second the record is brought up to date.
    fn second(&mut self) -> Result<(), ControlError> {
        let frames = self.totals.take_frames();
        self.writer.frames(&frames)?;
        if let Some(collector) = &self.stage.collector {
            let run = self.stage.run.as_ref();
            self.writer.ledger(&super::finish::ledger(
                &collector.view().ledger,
                run,
                None,
                &self.findings,
            ))?;
        }
        Ok(())
    }
}

fn detail(sample: &peakdrill_loadgen::Sample) -> String {
    let parts = [&sample.detail, &sample.head, &sample.body];
    parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("\n")
}

/// Connections that are to be open before the start take their time.
fn start_delay(plan: &Plan) -> u64 {
    let exact = plan.targets.iter().filter(|target| target.exact_connections);
    let hundreds: u64 = exact.map(|target| target.max_connections.div_ceil(100) as u64).sum();
    START_DELAY_NS + hundreds * START_DELAY_A_HUNDRED_NS
}
