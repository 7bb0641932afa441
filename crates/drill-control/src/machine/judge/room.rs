//! Room for connections: files, ports, tables, memory.

use super::{Finding, Level};
use crate::machine::facts::Facts;
use crate::machine::need::{Need, TargetNeed};

/// How long the kernel keeps a port after its connection was closed here (`TIME_WAIT`), in seconds.
const TIME_WAIT_S: f64 = 60.0;
/// The same where it may use the port again for a newer connection, in seconds.
const REUSE_S: f64 = 1.0;
/// Share of what there is from which on it is short.
const SHORT_SHARE: f64 = 0.8;
/// Without a drill, fewer open files than this are few.
const FILES_FEW: u64 = 10_000;
/// What a connection takes here, in bytes: the kernel's buffers included.
const CONNECTION_BYTES: u64 = 16 * 1024;
/// What a run takes besides, in bytes.
const RUN_BYTES: u64 = 256 << 20;

fn number(value: u64) -> String {
    if value == u64::MAX { "any number".to_owned() } else { value.to_string() }
}

pub(super) fn files(facts: &Facts, need: &Need) -> Option<Finding> {
    let limits = facts.files?;
    let raised = if limits.soft < limits.hard {
        format!(" (now {}; a run raises it to that)", number(limits.soft))
    } else {
        String::new()
    };
    let found = format!("this process may have {} files open{raised}", number(limits.hard));
    let (wanted, certain) = (need.files(), need.certain_files());
    let any = !need.targets.is_empty();
    let (level, expected, least) = if any && limits.hard < certain {
        (Level::Problem, format!("at least {certain}, for connections that are all opened"), certain)
    } else if any && limits.hard < wanted {
        (Level::Warning, format!("up to {wanted}, with all connections that the drill may open"), wanted)
    } else if !any && limits.hard < FILES_FEW {
        (Level::Warning, format!("at least {FILES_FEW} for large drills"), FILES_FEW)
    } else {
        (Level::Ok, if any { format!("up to {wanted}") } else { format!("at least {FILES_FEW}") }, 0)
    };
    let limit = least.next_power_of_two();
    // A process may not raise its own hard limit.
    Some(Finding::new("files", level, found, expected).fix(format!(
        "ulimit -n {limit}   # as root; to stay: * hard nofile {limit} in /etc/security/limits.conf, or LimitNOFILE={limit} in \
         its systemd unit"
    )))
}

/// Targets that share ports, and what they hold of them.
struct Held<'n> {
    /// One of them.
    target: &'n TargetNeed,
    names: Vec<&'n str>,
    /// Ports that are held at a time for certain: of connections that are open, and that were closed.
    sure: f64,
    /// The same with all connections that may be.
    most: f64,
    new_per_s: f64,
    reused: bool,
}

impl<'n> Held<'n> {
    fn of(target: &'n TargetNeed, reuse: u8) -> Self {
        let reused = reuse == 1 || reuse == 2 && target.local;
        let wait_s = if reused { REUSE_S } else { TIME_WAIT_S };
        let (connections, new_per_s) = (target.connections as f64, target.opened_per_s());
        let own = target.new_per_s.unwrap_or(0.0) * wait_s + target.own_open.min(connections);
        let open = match target.new_per_s {
            Some(_) if !target.exact => connections.min(target.own_open + target.shared as f64),
            _ => connections,
        };
        let most = new_per_s * wait_s + open;
        let sure = if target.exact { most } else { own };
        Self { target, names: vec![&target.name], sure, most, new_per_s, reused }
    }

    fn add(&mut self, other: Self) {
        self.names.extend(other.names);
        self.sure += other.sure;
        self.most += other.most;
        self.new_per_s += other.new_per_s;
    }
}

pub(super) fn ports(facts: &Facts, need: &Need) -> Vec<Finding> {
    let Some((first, last)) = facts.ports.range else { return Vec::new() };
    let range = u64::from(last - first) + 1;
    if need.targets.is_empty() {
        let found = format!("{range} local ports ({first} to {last}) for connections to one address");
        let level = if range < 20_000 { Level::Warning } else { Level::Ok };
        return vec![Finding::new("ports", level, found, "at least 20000").fix(WIDEN)];
    }
    // Where nothing is known, ports are taken to be kept.
    let reuse = facts.ports.reuse.unwrap_or(0);
    let mut ways: Vec<Held<'_>> = Vec::new();
    for held in need.targets.iter().map(|target| Held::of(target, reuse)) {
        match ways.iter_mut().find(|known| known.target.way == held.target.way) {
            Some(known) => known.add(held),
            None => ways.push(held),
        }
    }
    ways.iter().map(|held| ports_of(held, range)).collect()
}

const WIDEN: &str = "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"";
/// Ports from 1024 to 65535.
const WIDEST: u64 = 64_512;

fn ports_of(held: &Held<'_>, range: u64) -> Finding {
    let Held { target, sure, most, new_per_s, .. } = *held;
    let ways = target.from * target.to;
    let room = range.saturating_mul(ways);
    let level = match (sure / room as f64, most / room as f64) {
        (sure, _) if sure > 1.0 => Level::Problem,
        (_, most) if most > SHORT_SHARE => Level::Warning,
        _ => Level::Ok,
    };
    let (from, to) = (of(target.from, "local address"), of(target.to, "address"));
    let targets = if held.names.len() == 1 { "target" } else { "targets" };
    let found = format!("{targets} `{}`: {room} ports, from {from} to {to}", held.names.join("`, `"));
    let up_to = if sure < most { "up to " } else { "" };
    let expected = if new_per_s > 0.0 {
        format!(
            "{up_to}{most:.0}, for {new_per_s:.0} new connections a second whose ports are kept for a while"
        )
    } else {
        format!("{up_to}{most:.0}, one for each connection")
    };
    Finding::new("ports", level, found, expected).fix(mend(held, ways))
}

fn of(count: u64, what: &str) -> String {
    if count == 1 { format!("one {what}") } else { format!("{count} {what}es") }
}

/// What helps: ports that are used again, then a wider range, then more local addresses.
fn mend(held: &Held<'_>, ways: u64) -> String {
    if held.new_per_s > 0.0 && !held.reused {
        return "sysctl -w net.ipv4.tcp_tw_reuse=1".to_owned();
    }
    if held.most <= SHORT_SHARE * WIDEST.saturating_mul(ways) as f64 {
        return WIDEN.to_owned();
    }
    let addresses = (held.most / (SHORT_SHARE * WIDEST as f64 * held.target.to as f64)).ceil();
    format!(
        "{WIDEN}   # and in the drill: connections: {{ from: [...] }} with {addresses:.0} local addresses"
    )
}

pub(super) fn tracked(facts: &Facts, need: &Need) -> Option<Finding> {
    let (used, max) = facts.network.conntrack?;
    // An entry stays for about two minutes after its connection has ended.
    let ended: f64 = need.targets.iter().map(TargetNeed::opened_per_s).sum::<f64>() * 2.0 * TIME_WAIT_S;
    let open: u64 = need.targets.iter().map(|target| target.connections).sum();
    let certain: u64 =
        need.targets.iter().filter(|target| target.exact).map(|target| target.connections).sum();
    let (wanted, sure) = (used + open + ended as u64, used + certain + ended as u64);
    let level = match (sure > max, wanted as f64 > SHORT_SHARE * max as f64) {
        (true, _) => Level::Problem,
        (_, true) => Level::Warning,
        _ => Level::Ok,
    };
    let found = format!("{used} of {max} connections are tracked by the firewall");
    let finding = Finding::new("conntrack", level, found, format!("room for {}", wanted - used));
    Some(
        finding.fix(format!("sysctl -w net.netfilter.nf_conntrack_max={}", (2 * wanted).next_power_of_two())),
    )
}

/// Of a server on this machine: connections that are opened together wait to be accepted.
pub(super) fn queue(facts: &Facts, need: &Need) -> Option<Finding> {
    let most = facts.network.somaxconn?;
    let local = need.targets.iter().filter(|target| target.local && target.exact);
    let wanted = local.map(|target| target.connections).max().unwrap_or(0);
    let found = format!("servers on this machine let at most {most} connections wait to be accepted");
    let level = if wanted > most { Level::Warning } else { Level::Ok };
    let expected = if wanted > 0 { format!("{wanted}, which are opened together") } else { "any".to_owned() };
    Some(
        Finding::new("somaxconn", level, found, expected)
            .fix(format!("sysctl -w net.core.somaxconn={wanted}")),
    )
}

pub(super) fn memory(facts: &Facts, need: &Need) -> Option<Finding> {
    let memory = facts.memory;
    let have = [memory.available, memory.limit].into_iter().flatten().min()?;
    let connections: u64 = need.targets.iter().map(|target| target.connections).sum();
    let wanted = RUN_BYTES + connections * CONNECTION_BYTES;
    let mib = |bytes: u64| bytes >> 20;
    let limit = memory
        .limit
        .map_or_else(String::new, |limit| format!(", {} MiB allowed by its control group", mib(limit)));
    let free = memory.available.map_or_else(|| "unknown".to_owned(), |bytes| format!("{} MiB", mib(bytes)));
    let level = if have < wanted { Level::Warning } else { Level::Ok };
    let found = format!("memory available: {free}{limit}");
    let expected = format!("about {} MiB", mib(wanted));
    Some(Finding::new("memory", level, found, expected).fix("ps -eo rss,comm --sort=-rss | head"))
}
