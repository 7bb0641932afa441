//! What a plan wants of the machine that generates its load.

use std::collections::BTreeSet;

use peakdrill_drill_model::pass::Pass;
use peakdrill_drill_model::plan::{Journey, Node, Plan, Sharing, Subnet, Target};
use peakdrill_scenarios::is_loopback_target;
use peakdrill_timebase::NS_PER_S;
use url::Url;

/// Files that a run has open besides its connections: its record, the collector, telemetry of services.
const OWN_FILES: u64 = 256;
/// Files of one load thread besides its connections.
const SHARD_FILES: u64 = 8;
/// How long the answers of a journey take together, in seconds, for want of knowing.
const ANSWERS_S: f64 = 1.0;

/// What a drill wants of the machine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Need {
    /// Per target.
    pub targets: Vec<TargetNeed>,
    /// Load threads.
    pub shards: u32,
    /// Sockets are to be moved over `io_uring` and over nothing else.
    pub uring: bool,
}

/// What one target wants.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TargetNeed {
    /// Its name.
    pub name: String,
    /// Most connections at a time.
    pub connections: u64,
    /// All of these are opened for certain.
    pub exact: bool,
    /// New connections a second at the peak, where journeys have their own: WebSockets, and all with `per: user`;
    /// `None`: connections are kept, or the rate depends on the answers.
    pub new_per_s: Option<f64>,
    /// So many of these are open at a time: each for the pauses of its journey, and a while for answers.
    pub own_open: f64,
    /// Most connections that journeys share, at a time.
    pub shared: u64,
    /// New connections a second in place of shared ones whose lifetime has ended, with all of them open.
    pub renewed_per_s: f64,
    /// Where its connections lead to, and where they come from. Targets of which both are the same share ports.
    pub way: String,
    /// Local addresses that they come from.
    pub from: u64,
    /// Addresses that they lead to, as far as the plan says.
    pub to: u64,
    /// It is on this machine.
    pub local: bool,
}

impl Need {
    /// Of a plan that is run by so many load threads.
    #[must_use]
    pub fn of(plan: &Plan, shards: usize) -> Self {
        let one = |(place, target)| TargetNeed::of(plan, place, target);
        let targets = plan.targets.iter().enumerate().map(one).collect();
        Self { targets, ..Self::of_nothing(shards) }
    }

    /// Without a plan.
    #[must_use]
    pub fn of_nothing(shards: usize) -> Self {
        Self { targets: Vec::new(), shards: u32::try_from(shards).unwrap_or(u32::MAX), uring: false }
    }

    /// Files that are open with all connections.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.with_own(self.targets.iter())
    }

    /// The same with those connections alone that are opened for certain.
    #[must_use]
    pub fn certain_files(&self) -> u64 {
        self.with_own(self.targets.iter().filter(|target| target.exact))
    }

    fn with_own<'t>(&self, targets: impl Iterator<Item = &'t TargetNeed>) -> u64 {
        let connections: u64 = targets.map(|target| target.connections).sum();
        connections.saturating_add(OWN_FILES + SHARD_FILES * u64::from(self.shards))
    }
}

impl TargetNeed {
    fn of(plan: &Plan, place: usize, target: &Target) -> Self {
        let uses: Vec<Use> = plan.journeys.iter().map(|journey| Use::of(journey, place, target)).collect();
        // A journey has one request at a time, besides its WebSockets: without `exact`, there are never more.
        let of_one = uses.iter().map(|one| one.sockets + u64::from(one.plain)).max();
        let in_flight = plan.load.max_in_flight as u64;
        let max = target.max_connections as u64;
        let most = max.min(in_flight.saturating_mul(of_one.unwrap_or(0).max(1)));
        let connections = if target.exact_connections { max } else { most };
        let pooled = target.connections.per == Sharing::Pool && uses.iter().any(|one| one.plain);
        let shared = match (target.exact_connections, pooled) {
            (true, _) => max,
            (false, true) => max.min(in_flight),
            (false, false) => 0,
        };
        let renewed_per_s = target.connections.lifetime_ns.map_or(0.0, |ns| shared as f64 / seconds(ns));
        let rates = own_rates(plan, &uses);
        let from = target.connections.from.iter().map(|subnet: &Subnet| u64::from(subnet.size()));
        Self {
            name: target.name.clone(),
            connections,
            exact: target.exact_connections,
            new_per_s: rates.map(|(new_per_s, _)| new_per_s),
            own_open: rates.map_or(0.0, |(_, open)| open.min(connections as f64)),
            shared,
            renewed_per_s,
            way: way(target),
            from: from.sum::<u64>().max(1),
            to: target.resolve.addresses.len().max(1) as u64,
            local: is_loopback_target(target),
        }
    }

    /// New connections a second, with all that are open renewed.
    #[must_use]
    pub fn opened_per_s(&self) -> f64 {
        self.new_per_s.unwrap_or(0.0) + self.renewed_per_s
    }
}

/// What one journey opens to one target.
struct Use {
    share: f64,
    /// Its WebSockets.
    sockets: u64,
    /// Whether it has other requests.
    plain: bool,
    /// Connections of its own at a time.
    own: u64,
    /// Connections of its own from its beginning to its end.
    opened: u64,
    /// How long they are open, in seconds.
    open_s: f64,
}

impl Use {
    fn of(journey: &Journey, place: usize, target: &Target) -> Self {
        let (mut sockets, mut plain) = (BTreeSet::new(), false);
        Node::requests(&journey.steps, &mut |request| match &request.ws {
            _ if usize::from(request.target) != place => {}
            Some(ws) => _ = sockets.insert(ws.connection),
            None => plain = true,
        });
        let (sockets, pause_ns) = (sockets.len() as u64, Pass::of(&journey.steps).pause_ns);
        let users = u64::from(plain && target.connections.per == Sharing::User);
        let renewals = target.connections.lifetime_ns.map_or(0, |ns| pause_ns / ns.max(1));
        Self {
            share: journey.share,
            sockets,
            plain,
            own: sockets + users,
            opened: sockets + users * renewals.saturating_add(1),
            open_s: seconds(pause_ns) + ANSWERS_S,
        }
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / NS_PER_S as f64
}

/// Connections of journeys' own: new ones a second, and those that are open at a time, at the peaks of both. `None` where
/// there are none, or their rate depends on the answers.
fn own_rates(plan: &Plan, uses: &[Use]) -> Option<(f64, f64)> {
    if uses.iter().all(|one| one.own == 0) {
        return None;
    }
    let open = plan.load.phases.iter().filter(|phase| phase.shape.is_open());
    open.map(|phase| {
        let share = |at: usize, one: &Use| match &phase.mix {
            Some(mix) => mix.get(at).copied().unwrap_or(0.0),
            None => one.share,
        };
        let all = |of: fn(&Use) -> f64| {
            uses.iter().enumerate().map(|(at, one)| share(at, one) * of(one)).sum::<f64>()
                * phase.shape.peak()
        };
        (all(|one| one.opened as f64), all(|one| one.own as f64 * one.open_s))
    })
    .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
}

/// Where connections lead to, and where they come from.
fn way(target: &Target) -> String {
    let url = Url::parse(&target.web_url()).ok();
    let place = url.and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
    let to = if target.resolve.addresses.is_empty() {
        place.unwrap_or_else(|| target.base_url.clone())
    } else {
        format!("{:?}", target.resolve.addresses)
    };
    format!("{to} from {:?}", target.connections.from)
}

#[cfg(test)]
mod tests;
