//! The families that are held out, by themselves: the same limits hold for them as for all.

use super::text::{of, row};
use super::{Scope, capacity, count, others, quantile, ranking};
use crate::score::{NAIVE, Outcome};
use crate::topology::Topology;

/// Of the families that are held out.
const SCOPE: Scope = Scope { heading: "Held out: ", limit: ", held out" };

/// The sections of the page.
pub(super) fn section(
    clean: &[Outcome],
    worn: &[Outcome],
    controls: &[Outcome],
    two: &[Outcome],
    short: &mut Vec<String>,
) -> String {
    let [clean, worn, controls, two] = [clean, worn, controls, two].map(of_held_out);
    if clean.is_empty() {
        short.push("families that are held out: not run".to_owned());
        return "## Held out\n\nNot run.\n".to_owned();
    }
    let parts = [
        ranking(&SCOPE, clean, worn, short),
        others(&SCOPE, controls, two, short),
        capacity(&SCOPE, clean, worn, short),
    ];
    format!("{}\n{}", families(clean, worn, controls, two), parts.join("\n"))
}

/// Runs of the families that are held out: they come last.
fn of_held_out(outcomes: &[Outcome]) -> &[Outcome] {
    let first = outcomes.iter().position(|o| o.scenario.topology.held_out()).unwrap_or(outcomes.len());
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
    for topology in Topology::HELD_OUT {
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
    format!("## Held out, by topology\n\n{}\n\n{out}", WHAT.join("\n"))
}

/// What they are, one line each.
const WHAT: [&str; 4] = [
    "- two tiers: web and application tier with a thread a request, whose modules share one pool of connections to one database and keep one over a call of a host far away; a worker that asks the same database later",
    "- gateway with sidecars: every request is let in by a sidecar, by a limiter and by what each service has beside it, and told of by a queue; services that share one store in uneven shards behind a router",
    "- divided search: all partitions of an index asked at once, by nodes between in half of the systems, and an archive on slower machines; a cache of results before, a model and documents after",
    "- stream jobs: what devices send goes through two queues of several partitions and is added up by windows, which are written to the uneven shards that people's dashboards ask as well",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage::Damage;
    use crate::scenario::{Kind, Scenario};
    use crate::score::judge;

    /// A run of a family that is developed with, as if it were one of another: no test looks at those held out.
    fn run_as(topology: Topology) -> Outcome {
        let mut run = judge(Scenario::new(Topology::Chain, Kind::Single, 2), Damage::Clean);
        run.scenario.topology = topology;
        run
    }

    #[test]
    fn only_runs_of_families_that_are_held_out_are_told() {
        let both = [run_as(Topology::Mesh), run_as(Topology::Search)];
        let topologies = |part: &[Outcome]| part.iter().map(|o| o.scenario.topology).collect::<Vec<_>>();
        assert_eq!(topologies(of_held_out(&both)), [Topology::Search]);
        assert!(of_held_out(&both[..1]).is_empty());
        let page = families(&both[1..], &both[1..], &both[1..], &both[1..]);
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(lines.len(), 2 + Topology::HELD_OUT.len(), "{page}");
        assert!(
            lines[4].starts_with("| divided search | 1 | 100.0 % |") && lines[2].contains("| 0 | – |"),
            "{page}"
        );
    }

    #[test]
    fn they_are_held_to_the_same_limits_by_themselves() {
        let mut wrong = run_as(Topology::Gateway);
        wrong.analysis.bottlenecks.clear();
        let (right, wrong) =
            ([run_as(Topology::Mesh), run_as(Topology::Search)], [run_as(Topology::Mesh), wrong]);
        let short = |clean: &[Outcome]| {
            let mut short = Vec::new();
            section(clean, clean, &[], &[], &mut short);
            short.into_iter().filter(|line| line.starts_with("named first")).collect::<Vec<_>>()
        };
        assert_eq!(short(&right), Vec::<String>::new());
        let line =
            |name: &str, least| format!("named first, {name}, held out: 0.0 %, asked for at least {least} %");
        let mut none = Vec::new();
        assert!(
            section(&right[..1], &right[..1], &[], &[], &mut none).contains("Not run") && none.len() == 1
        );
        assert_eq!(short(&wrong), [line("clean", "95.0"), line("5 % lost, clocks off", "90.0")]);
    }
}
