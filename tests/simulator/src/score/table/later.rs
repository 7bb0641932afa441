//! The families that were written later, by themselves: the same limits hold for them as for all.

use super::text::{of, row};
use super::{Scope, capacity, count, others, quantile, ranking};
use crate::score::{NAIVE, Outcome};
use crate::topology::Topology;

/// Of the families that were written later.
const SCOPE: Scope = Scope { heading: "Written later: ", limit: ", written later" };

/// The sections of the page.
pub(super) fn section(
    clean: &[Outcome],
    worn: &[Outcome],
    controls: &[Outcome],
    two: &[Outcome],
    short: &mut Vec<String>,
) -> String {
    let [clean, worn, controls, two] = [clean, worn, controls, two].map(of_later);
    let parts = [
        ranking(&SCOPE, clean, worn, short),
        others(&SCOPE, controls, two, short),
        capacity(&SCOPE, clean, worn, short),
    ];
    format!("{}\n{}", families(clean, worn, controls, two), parts.join("\n"))
}

/// Runs of the families that were written later: they come last.
fn of_later(outcomes: &[Outcome]) -> &[Outcome] {
    let first = outcomes.iter().position(|o| o.scenario.topology.later()).unwrap_or(outcomes.len());
    &outcomes[first..]
}

fn families(clean: &[Outcome], worn: &[Outcome], controls: &[Outcome], two: &[Outcome]) -> String {
    let head = [
        "topology",
        "runs",
        "named, and first, clean",
        "5 % lost, clocks off",
        "best rule of thumb, clean",
        "controls flagged",
        "two, both named",
        "capacity's median error, clean",
        "interval covers the truth, clean",
    ];
    let mut out = row(&head) + &row(&head.map(|_| "---"));
    for topology in Topology::LATER {
        let part = |outcomes: &[Outcome], what: &dyn Fn(&Outcome) -> bool| {
            let n = count(outcomes, |o| o.scenario.topology == topology);
            (count(outcomes, |o| o.scenario.topology == topology && what(o)), n)
        };
        let told = |(k, n): (usize, usize)| of(k, n);
        let (best, rule) =
            (0..NAIVE.len()).map(|i| (part(clean, &|o| o.naive[i]).0, i)).max().unwrap_or_default();
        let given: Vec<(f64, f64, f64)> =
            clean.iter().filter(|o| o.scenario.topology == topology).filter_map(Outcome::capacity).collect();
        let error = quantile(given.iter().map(|(estimate, _, _)| (estimate - 1.0).abs()), 0.5);
        let covered = given.iter().filter(|(_, low, high)| *low <= 1.0 && 1.0 <= *high).count();
        let (_, n) = part(clean, &|_| true);
        out += &row(&[
            topology.name(),
            &n.to_string(),
            &told(part(clean, &Outcome::right)),
            &told(part(worn, &Outcome::right)),
            &format!("{}, {}", of(best, n), NAIVE[rule]),
            &told(part(controls, &|o| !o.right())),
            &told(part(two, &Outcome::right)),
            &if given.is_empty() { "–".to_owned() } else { format!("{:.1} %", 100.0 * error) },
            &of(covered, given.len()),
        ]);
    }
    format!("## Written later, by topology\n\n{}\n\n{out}", WHAT.join("\n"))
}

/// What they are, one line each.
const WHAT: [&str; 6] = [
    "- call trees: two to four entries, each with a tree of 3 to 60 calls (median 13, heavy tail), three to six deep, one after the other and at once, over nodes that are partly the same",
    "- service mesh: each service behind a sidecar with a span of its own, work of 0.2 to 2 ms and a hop",
    "- lines of events: two topics and up to three consumers behind each other on both, one consumed beside the request, one after it",
    "- frontends' backends: three to five kinds of journeys of different weight through shared services; what limits is used by one kind alone",
    "- regional cells: the same program in three or four cells, each with its part of the users; what limits is in a cell that is too small",
    "- kept connections: services keep a connection of their pool to a shared database while they ask somebody far away",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Damage;
    use crate::scenario::{Kind, Scenario};
    use crate::score::judge;

    #[test]
    fn only_runs_of_families_that_are_later_are_told() {
        let run = |topology| judge(Scenario::new(topology, Kind::Control, 2), Damage::Clean);
        let both = [run(Topology::Chain), run(Topology::Mesh)];
        let topologies = |part: &[Outcome]| part.iter().map(|o| o.scenario.topology).collect::<Vec<_>>();
        assert_eq!(topologies(of_later(&both)), [Topology::Mesh]);
        assert!(of_later(&both[..1]).is_empty());
        let page = families(&both[1..], &both[1..], &both[1..], &both[1..]);
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(lines.len(), 2 + Topology::LATER.len(), "{page}");
        assert!(lines[3].starts_with("| service mesh | 1 |") && lines[2].contains("| 0 | – |"), "{page}");
    }
}
