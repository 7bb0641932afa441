//! What a plan wants of the machine that generates its load.

use peakdrill_drill_model::plan::{Journey, Node, Plan, Sharing, Subnet, Target};
use peakdrill_scenarios::is_loopback_target;

/// Files that a run has open besides its connections: its record, the collector, telemetry of services.
const OWN_FILES: u64 = 256;
/// Files of one load thread besides its connections.
const SHARD_FILES: u64 = 8;

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
    /// New connections a second at the peak, where each journey has its own; `None`: connections are kept, or the rate
    /// depends on the answers.
    pub new_per_s: Option<f64>,
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
        let one = |(place, target): (usize, &Target)| TargetNeed {
            name: target.name.clone(),
            connections: connections(plan, target),
            exact: target.exact_connections,
            new_per_s: (target.connections.per == Sharing::User).then(|| peak(plan, place)).flatten(),
            from: target
                .connections
                .from
                .iter()
                .map(|subnet: &Subnet| u64::from(subnet.size()))
                .sum::<u64>()
                .max(1),
            to: target.resolve.addresses.len().max(1) as u64,
            local: is_loopback_target(target),
        };
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

/// A journey has one request at a time: without `exact`, there are never more connections than journeys in flight.
fn connections(plan: &Plan, target: &Target) -> u64 {
    let max = target.max_connections;
    let most = if target.exact_connections { max } else { max.min(plan.load.max_in_flight) };
    most as u64
}

/// Journeys a second, at the peak, that hit a target.
fn peak(plan: &Plan, place: usize) -> Option<f64> {
    let hits = |journey: &Journey| {
        let mut hit = false;
        Node::requests(&journey.steps, &mut |request| hit |= usize::from(request.target) == place);
        hit
    };
    let hits: Vec<bool> = plan.journeys.iter().map(hits).collect();
    let open = plan.load.phases.iter().filter(|phase| phase.shape.is_open());
    open.map(|phase| {
        let own = || plan.journeys.iter().map(|journey| journey.share).collect();
        let shares: Vec<f64> = phase.mix.clone().unwrap_or_else(own);
        let share: f64 = shares.iter().zip(&hits).filter(|(_, hit)| **hit).map(|(share, _)| share).sum();
        phase.shape.peak() * share
    })
    .reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use peakdrill_scenarios::{Input, parse};

    use super::*;

    struct NoFiles;

    impl peakdrill_scenarios::Files for NoFiles {
        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            Err(format!("no {path} here"))
        }
    }

    fn need(target: &str, load: &str) -> Need {
        let text = format!(
            "version: 1\nname: x\ntargets: {{ api: {target} }}\njourneys: {{ home: {{ steps: [ get: / ] }} }}\n\
             load: {{ {load}phases: [ {{ name: a, shape: {{ spike: {{ from: 10/s, to: 80/s, rise: 1s, hold: 1s, fall: 1s }} }} }} ] }}\n"
        );
        let files = NoFiles;
        let parsed = parse(&Input { name: "x", text: &text, sets: &[], env: &|_| None, files: &files });
        Need::of(&parsed.plan.unwrap(), 2)
    }

    #[test]
    fn connections_are_never_more_than_journeys_unless_they_are_to_be() {
        let ceiling = need(r#"{ base_url: "http://h", connections: { max: 5000 } }"#, "max_in_flight: 70, ");
        assert_eq!((ceiling.targets[0].connections, ceiling.targets[0].exact), (70, false));
        assert_eq!((ceiling.files(), ceiling.certain_files()), (70 + 272, 272));
        let exact = need(
            r#"{ base_url: "http://h", connections: { max: 5000, exact: true } }"#,
            "max_in_flight: 70, ",
        );
        assert_eq!((exact.files(), exact.certain_files()), (5272, 5272));
    }

    #[test]
    fn a_connection_for_each_journey_is_as_many_a_second_as_there_are_journeys() {
        let user = need(
            r#"{ base_url: "http://127.0.0.1:1", connections: { per: user, from: [127.0.0.0/29] }, resolve: { addresses: [127.0.0.1, 127.0.0.2] } }"#,
            "",
        );
        let target = &user.targets[0];
        assert_eq!((target.new_per_s, target.from, target.to, target.local), (Some(80.0), 6, 2, true));
        assert_eq!(need(r#"{ base_url: "http://h" }"#, "").targets[0].new_per_s, None);
    }
}
