//! Starting the shards, and the handle on them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use peakdrill_drill_model::plan::{FeederOrder, OnExhausted, Plan, Target};
use peakdrill_drill_model::shape::Shape;
use peakdrill_drill_model::timeline::{Change, Timeline};
use peakdrill_sockets::Sockets;
use peakdrill_timebase::{Clock as _, MonoNs, NS_PER_MS, OsClock};
use peakdrill_tls::Client;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::alarm::Alarm;
use crate::arrivals::Schedule;
use crate::batch::{BATCH_QUEUE_LEN_MAX, Batch};
use crate::connections::{Connections, Lifetime, PoolConfig};
use crate::control::{CHANGES_MAX, Control};
use crate::dial::{Dialer, Resolver, Route};
use crate::draw::chain;
use crate::error::StartError;
use crate::grpc::{self, Types};
use crate::program::Program;
use crate::secrets::Secrets;
use crate::shard::{Parts, Shard, ShardReport};
use crate::tagging::{Stamper, Tagging};
use crate::target::Address;
use crate::transport::{Chosen, Transport};

/// Most shards of one engine.
pub const SHARDS_MAX: usize = 256;
/// Most users of a closed-loop phase.
pub const USERS_MAX: u32 = 1_000_000;
/// How late everything may be ready, against the start time, in milliseconds.
pub const START_SLACK_MS: u64 = 100;

/// How far ahead the instant of a change of the schedule must be, in milliseconds: every shard hears of it before.
pub const CHANGE_LEAD_MS: u64 = 100;

/// Why the schedule was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its instant is too near.
    #[error("the instant of the change is less than {CHANGE_LEAD_MS} ms away")]
    TooSoon,
    /// There were too many.
    #[error("the schedule was changed {CHANGES_MAX} times already")]
    TooMany,
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// The load.
    pub plan: Arc<Plan>,
    /// The run's id: `${run}` in templates, and the run of every token that is accepted.
    pub run: String,
    /// Threads. Fewer are used when there are fewer connections, or journeys in flight, than that.
    pub shards: usize,
    /// The clock of all times here and in batches.
    pub clock: OsClock,
    /// When the load starts. Connections that have to be open before are opened until then.
    pub start_at: MonoNs,
    /// How requests are tagged.
    pub tagging: Tagging,
    /// How sockets are moved.
    pub transport: Transport,
    /// Values of the secrets that requests carry, by the names in the plan.
    pub secrets: Secrets,
    /// Turns names of targets into addresses.
    pub resolver: Resolver,
    /// The message types of this plan's targets, from [`types`](crate::types); without them servers that have to tell
    /// theirs are asked at the start.
    pub types: Option<Types>,
}

impl Config {
    /// One shard, no tags, no secrets.
    #[must_use]
    pub fn new(plan: Arc<Plan>, run: &str, clock: OsClock, start_at: MonoNs) -> Self {
        let (run, tagging, transport) = (run.to_owned(), Tagging::Plain, Transport::Auto);
        let (secrets, resolver) = (Secrets::default(), Resolver::default());
        Self { plan, run, shards: 1, clock, start_at, tagging, transport, secrets, resolver, types: None }
    }
}

/// The running load. Dropped, it cuts the load and waits for its threads.
#[derive(Debug)]
pub struct Engine {
    control: Arc<Control>,
    transport: Chosen,
    clock: OsClock,
    start_at: MonoNs,
    threads: Vec<JoinHandle<Result<ShardReport, StartError>>>,
}

/// What the engine did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineReport {
    /// Per shard.
    pub shards: Vec<ShardReport>,
    /// Why the run ended as failed, if it did.
    pub failed: Option<String>,
}

impl EngineReport {
    /// Processor time of all shards, in nanoseconds.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.shards.iter().map(|shard| shard.cpu_ns).sum()
    }

    /// Requests sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.shards.iter().map(|shard| shard.sent).sum()
    }

    /// Journeys that the schedule held.
    #[must_use]
    pub fn intended(&self) -> u64 {
        self.shards.iter().map(|shard| shard.intended).sum()
    }

    /// Of these, missed.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.shards.iter().map(|shard| shard.missed).sum()
    }

    /// Batches that were never taken: what was counted in them is missing from every sum over batches.
    #[must_use]
    pub fn batches_lost(&self) -> u64 {
        self.shards.iter().map(|shard| shard.batches_lost).sum()
    }

    /// Share of one processor that each shard used, 0..=1.
    #[must_use]
    pub fn cpu_shares(&self) -> Vec<f64> {
        self.shards.iter().map(|shard| shard.cpu_ns as f64 / shard.wall_ns.max(1) as f64).collect()
    }
}

impl Engine {
    /// Begins nothing more: no arrival, and no further step of a journey under way. Requests under way are awaited.
    /// Takes effect within 10 ms.
    pub fn stop(&self) {
        self.control.stop();
    }

    /// Changes the schedule from a future instant on, on every shard alike.
    ///
    /// # Errors
    /// When the instant is less than [`CHANGE_LEAD_MS`] away, or there were [`CHANGES_MAX`] changes already. Nothing has
    /// changed then. A change that does not fit the schedule, or that a shard hears of too late, ends the run as failed.
    pub fn change(&self, change: Change) -> Result<(), Refused> {
        let at = self.start_at.plus(change.at_ns());
        if at < self.clock.mono().plus(CHANGE_LEAD_MS * NS_PER_MS) {
            return Err(Refused::TooSoon);
        }
        if !self.control.change(change) {
            return Err(Refused::TooMany);
        }
        // Whoever looks at the clock from here on and finds the instant there, finds the change too.
        if self.clock.mono() >= at {
            self.control.fail("a change of the schedule was made known only after its instant".into());
        }
        Ok(())
    }

    /// Stops, and gives up the requests under way: they count as cancelled.
    pub fn cut(&self) {
        self.control.cut();
    }

    /// How sockets are moved.
    #[must_use]
    pub fn transport(&self) -> &Chosen {
        &self.transport
    }

    /// Whether all shards have ended.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the end of all shards. The receiver of batches must be emptied meanwhile, or have been dropped.
    #[must_use]
    pub fn join(mut self) -> EngineReport {
        self.join_all()
    }

    fn join_all(&mut self) -> EngineReport {
        let mut report = EngineReport::default();
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(Ok(shard)) => report.shards.push(shard),
                Ok(Err(error)) => self.control.fail(error.to_string()),
                Err(_) => self.control.fail("a shard broke down".into()),
            }
        }
        report.failed = self.control.failure();
        report
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.control.cut();
        drop(self.join_all());
    }
}

/// What all shards share.
struct Launch {
    config: Config,
    transport: Chosen,
    shards: usize,
    program: Arc<Program>,
    schedule: Arc<Schedule>,
    clients: Vec<Option<Client>>,
    routes: Vec<Arc<Route>>,
    control: Arc<Control>,
}

/// Starts the load.
///
/// Batches of all shards come from the one receiver, each shard's every 250 ms and its last with `last` set. A
/// receiver that is not emptied holds no shard up: what was not taken is in the next batch. A receiver that is dropped
/// cuts the load.
///
/// # Errors
/// [`StartError`] when the plan, a target or the machine do not allow it. Nothing has been sent then, and nothing runs.
pub fn start(config: Config) -> Result<(Engine, Receiver<Batch>), StartError> {
    let launch = Arc::new(prepare(config)?);
    let (out, batches) = sync_channel(BATCH_QUEUE_LEN_MAX);
    let (ready, readiness) = channel();
    let (control, transport) = (Arc::clone(&launch.control), launch.transport.clone());
    let Config { clock, start_at, .. } = launch.config;
    let mut engine = Engine { control, transport, clock, start_at, threads: Vec::new() };
    for shard in 0..launch.shards {
        let (launch, out, ready) = (Arc::clone(&launch), out.clone(), ready.clone());
        let builder = std::thread::Builder::new().name(format!("pd-shard-{shard}"));
        let spawned = builder.spawn(move || run_shard(&launch, shard, out, &ready));
        engine.threads.push(spawned.map_err(StartError::os("a thread"))?);
    }
    drop(ready);
    // A shard that fails before it is ready ends its thread, and so its sender.
    let mut waiting = launch.shards;
    while waiting > 0 && readiness.recv().is_ok() {
        waiting -= 1;
    }
    if waiting > 0 {
        engine.control.cut();
        return Err(first_error(&mut engine));
    }
    let late_ms = launch.config.clock.mono().since(launch.config.start_at) / NS_PER_MS;
    if late_ms > START_SLACK_MS {
        engine.control.cut();
        return Err(StartError::Late { late_ms });
    }
    engine.control.go();
    Ok((engine, batches))
}

fn first_error(engine: &mut Engine) -> StartError {
    let mut first = None;
    for thread in engine.threads.drain(..) {
        if let Ok(Err(error)) = thread.join() {
            first.get_or_insert(error);
        }
    }
    first.unwrap_or_else(|| StartError::Plan("a shard broke down at the start".into()))
}

fn prepare(config: Config) -> Result<Launch, StartError> {
    let plan = &config.plan;
    check(plan)?;
    let Config { run, tagging, resolver, types, .. } = &config;
    let schemas = grpc::schemas(types.as_ref(), plan, run, tagging, resolver)?;
    let program = Arc::new(Program::compile(plan, &config.run, &config.secrets, schemas)?);
    let clients = plan.targets.iter().zip(&program.addresses);
    let clients = clients.map(|(target, address)| crate::tls::client(target, address));
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let routes = routes(&config, &program)?;
    let connections = plan.targets.iter().map(|target| target.max_connections).min().unwrap_or(1);
    let shards = config.shards.clamp(1, SHARDS_MAX).min(connections).min(plan.load.max_in_flight).max(1);
    let start_unix_ns = config.clock.unix_of(config.start_at).0;
    let timeline =
        Timeline::new(&plan.load, start_unix_ns).map_err(|error| StartError::Plan(error.to_string()))?;
    let schedule = Arc::new(Schedule::new(&plan.load, timeline, plan.guards.limit_duration_ns));
    let transport = config.transport.choose()?;
    Ok(Launch { shards, program, schedule, clients, routes, control: Arc::default(), transport, config })
}

fn routes(config: &Config, program: &Program) -> Result<Vec<Arc<Route>>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::os("a runtime"))?;
    // Local addresses are tried out with sockets of a runtime.
    let _inside = runtime.enter();
    let targets = config.plan.targets.iter().zip(&program.addresses);
    targets
        .map(|(target, address)| Route::new(target, address, config.resolver.clone(), config.clock))
        .collect()
}

fn check(plan: &Plan) -> Result<(), StartError> {
    let bad = |text: &str| Err(StartError::Plan(text.to_owned()));
    if plan.load.max_in_flight == 0 {
        return bad("no journey may be in flight");
    }
    let users = |shape: &Shape| if let Shape::Users { count, .. } = shape { Some(*count) } else { None };
    let closed: Vec<u32> = plan.load.phases.iter().filter_map(|phase| users(&phase.shape)).collect();
    if closed.iter().any(|count| *count == 0 || *count > USERS_MAX) {
        return bad("a closed-loop phase has 1 to a million users");
    }
    let ends = plan.feeders.iter().any(|feeder| {
        let in_turn = matches!(feeder.order, FeederOrder::Sequential | FeederOrder::Shuffle);
        in_turn && feeder.on_exhausted != OnExhausted::Recycle
    });
    if ends && !closed.is_empty() && plan.load.phases.len() > 1 {
        return bad(
            "a feeder that ends cannot be used where a closed-loop phase is not the only one: rows would repeat",
        );
    }
    Ok(())
}

/// The part of a number that falls to a shard.
fn part(total: usize, shard: usize, shards: usize) -> usize {
    total / shards + usize::from(shard < total % shards)
}

fn run_shard(
    launch: &Launch,
    shard: usize,
    out: SyncSender<Batch>,
    ready: &Sender<()>,
) -> Result<ShardReport, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::os("a runtime"))?;
    // The shard is one task that moves all connections: it is not to be interrupted for having done much.
    runtime.block_on(tokio::task::unconstrained(async {
        let Config { ref plan, ref run, clock, start_at, ref tagging, .. } = launch.config;
        let alarm = Alarm::new(clock)?;
        let pools = pools(launch, shard);
        let sockets = Sockets::new(launch.transport.kind).map_err(StartError::os("sockets"))?;
        let mut driver = Connections::new(pools, sockets, clock)?;
        let failed = |(target, fault): (String, crate::extract::Fault)| {
            let because = format!("{}: {}", fault.class, fault.detail);
            StartError::Connect { target, because }
        };
        driver.preopen().await.map_err(failed)?;
        let parts = Parts {
            shard,
            shards: launch.shards,
            program: Arc::clone(&launch.program),
            control: Arc::clone(&launch.control),
            clock,
            start_at,
            pacing: plan.load.pacing,
            max_in_flight: part(plan.load.max_in_flight, shard, launch.shards),
            arrivals: launch.schedule.shard(shard, launch.shards),
            user_phases: launch.schedule.user_phases(),
            driver,
            stamper: Stamper::new(tagging, run, os_random()?)?.sampling(&plan.telemetry),
            steps: plan.steps.len(),
            out,
        };
        let shard = Shard::new(parts);
        let _ = ready.send(());
        while !launch.control.may_go() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(shard.run(alarm).await)
    }))
}

fn pools(launch: &Launch, shard: usize) -> Vec<PoolConfig> {
    let plan = &launch.config.plan;
    let ways = launch.program.addresses.iter().zip(&launch.routes).zip(&launch.clients);
    let targets = plan.targets.iter().zip(ways).enumerate();
    let pool = |(place, (target, ((address, route), client))): (usize, (&Target, Way<'_>))| {
        let dialer = Dialer::new(target, address, Arc::clone(route), client.clone());
        let max_connections = part(target.max_connections, shard, launch.shards);
        let seed = chain(plan.load.seed, (shard << 16 | place) as u64);
        PoolConfig {
            dialer,
            max_connections,
            exact: target.exact_connections,
            protocol: target.protocol,
            sharing: target.connections.per,
            lifetime: target.connections.lifetime_ns.map(|ns| Lifetime { ns, seed }),
        }
    };
    targets.map(pool).collect()
}

/// A target's address, the way to it, and its TLS.
type Way<'l> = ((&'l Address, &'l Arc<Route>), &'l Option<Client>);

/// A generator seeded by the operating system.
pub(crate) fn os_random() -> Result<ChaCha8Rng, StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| StartError::Os { what: "random numbers", source: std::io::Error::other(error) })?;
    Ok(ChaCha8Rng::from_seed(seed))
}
