//! A server that stands still: the record says how long requests really waited.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use peakdrill_collector::{Limits, replay};
use peakdrill_testkit::scripted::{Script, Seen, Server};

use crate::support::{ALONE, expect_exit, json, output, peakdrill};

/// Reported and true may differ by this part.
const NEAR: f64 = 0.02;
/// Something else on the machine may disturb a measurement; a meter that is wrong is wrong each time.
const ATTEMPTS: usize = 3;

fn quantile_ms(sorted_ns: &[u64], q: f64) -> f64 {
    let place = ((q * sorted_ns.len() as f64).ceil() as usize).clamp(1, sorted_ns.len());
    sorted_ns[place - 1] as f64 / 1e6
}

/// Two cycles of five seconds, one of them frozen each, at 1,000 requests a second. Gives what the verdict says and
/// what the server's answers were behind the run's own arrivals, at p90 and p99, in milliseconds.
fn meet_the_freeze() -> [(f64, f64); 2] {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::Freeze { period: Duration::from_secs(5), frozen: Duration::from_secs(1) };
    let server = Server::start(script).unwrap();
    let (instant, unix) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
    let run = output(
        peakdrill(folder.path())
            .args([
                "run",
                "--target",
                &server.url(),
                "--rate",
                "1000/s",
                "--arrivals",
                "even",
                "--for",
                "10s",
            ])
            .args(["--out", "rec"])
            .args(ALONE),
    );
    expect_exit(&run, 0);
    let verdict = json(&folder.path().join("rec/verdict.json"));
    assert_eq!(verdict["load"]["completed"], 10_000, "{}", verdict["load"]);

    let log = server.log();
    let answered: HashMap<&str, &Seen> =
        log.iter().filter_map(|seen| Some((seen.header("traceparent")?.get(3..35)?, seen))).collect();
    let roots = replay(&folder.path().join("rec/journal"), Limits::default()).unwrap().roots;
    assert_eq!(roots.len(), 10_000);
    let mut waited: Vec<u64> = roots
        .iter()
        .map(|root| {
            let seen = answered[format!("{:032x}", root.trace).as_str()];
            let answered = (unix + seen.answered.unwrap().duration_since(instant)).as_nanos() as i64;
            u64::try_from(answered - root.intended_ns).unwrap_or(1)
        })
        .collect();
    waited.sort_unstable();
    let truth = |q| quantile_ms(&waited, q);
    assert!((450.0..550.0).contains(&truth(0.9)), "half of the frozen second, at p90: {} ms", truth(0.9));
    let reported = |name: &str| verdict["latency_ms"][name].as_f64().unwrap();
    [(reported("p90"), truth(0.9)), (reported("p99"), truth(0.99))]
}

#[test]
fn a_freeze_is_reported_as_it_was() {
    let mut met = Vec::new();
    for _ in 0..ATTEMPTS {
        let pairs = meet_the_freeze();
        if pairs.iter().all(|(reported, truth)| (reported - truth).abs() <= NEAR * truth) {
            return;
        }
        met.push(pairs);
    }
    panic!("reported and true, in milliseconds: {met:?}");
}
