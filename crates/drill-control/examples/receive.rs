//! A collector with the live analysis of a drill beside it, for the measurement of its speed.
//!
//! `receive JOURNAL` prints where it listens for gRPC. Its input tells it the requests of the load, a line for a run of
//! traces: `FIRST COUNT START_NS STEP_NS DURATION_NS`. At the end of its input it ends, runs the fold again from the
//! journal, and prints one line of JSON: what it took in, what that cost, how old views and rankings were, and whether the
//! replay is the same.

use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use peakdrill_bottleneck::{AnalysisInput, TraceClass};
use peakdrill_collector::counters::counter;
use peakdrill_collector::{CellsFile, Collector, CollectorConfig, Folded, Limits, now_ns, replay};
use peakdrill_drill_control::live::analysis::{LiveAnalysis, Moment};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::verdict::{LiveView, Millis};
use peakdrill_latency::Histogram;

/// Ticks of `/proc/PID/stat` in a second: fixed in Linux' interface to programs.
const TICKS_PER_S: f64 = 100.0;
/// Ids from here on are the drill's.
const MINE: u128 = 1 << 64;
/// How often drill control looks when nothing else comes.
const LOOK: Duration = Duration::from_millis(20);

/// Seconds of processor time that this process took, and its largest resident memory in MiB.
fn taken() -> Result<(f64, f64), Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, behind) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let times = behind.split_ascii_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let ticks: f64 = times.collect::<Result<Vec<_>, _>>()?.iter().sum();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let peak: f64 = peak.split_ascii_whitespace().next().unwrap_or_default().parse()?;
    Ok((ticks / TICKS_PER_S, peak / 1024.0))
}

/// The requests of one line of the input.
fn rows(line: &str) -> Result<Vec<RootRow>, Box<dyn Error>> {
    let numbers: Vec<i64> = line.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [first, count, start_ns, step_ns, duration_ns] = numbers[..] else {
        return Err(format!("five numbers, not `{line}`").into());
    };
    let row = |at: i64| RootRow {
        trace: MINE + u128::from((first + at).unsigned_abs()),
        span: 1,
        step: 0,
        phase: 0,
        intended_ns: start_ns + at * step_ns,
        sent_ns: start_ns + at * step_ns + 20_000,
        done_ns: start_ns + at * step_ns + duration_ns,
        error: None,
        status: 200,
        sampled: true,
    };
    Ok((0..count).map(row).collect())
}

/// How old what was shown first was.
#[derive(Default)]
struct Ages {
    /// Of each view the oldest such thing.
    views: Histogram,
    rankings: LiveView,
}

/// Looks at the views as drill control does, and has them analysed.
fn watch(collector: &Collector, ended: &AtomicBool) -> Result<Ages, &'static str> {
    let (mut analysis, began) = (LiveAnalysis::start(), Instant::now());
    let (mut views, mut shown) = (Histogram::new(), Folded::default());
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        let view = collector.view();
        if let Some(oldest) = shown.oldest_new_ns(&view.folded) {
            views.record((now_ns() - oldest).max(0).unsigned_abs());
        }
        shown = view.folded;
        let at = Moment {
            now: Instant::now(),
            at_ns: now_ns(),
            taken_ns: collector.taken_ns(),
            second: began.elapsed().as_secs() as i64,
        };
        let input = || AnalysisInput { load_seconds: i64::MAX, ..AnalysisInput::default() };
        analysis.turn(at, &view, &input)?;
    }
    Ok(Ages { views, rankings: analysis.kept_up(now_ns()).unwrap_or_default() })
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("receive JOURNAL")?;
    let dir = Path::new(&dir);
    let collector = Collector::start(CollectorConfig {
        grpc: "127.0.0.1:0".parse()?,
        http: None,
        journal_dir: Some(dir.to_owned()),
        classify: Arc::new(|trace| if trace >= MINE { TraceClass::Mine } else { TraceClass::Live }),
        limits: Limits::default(),
    })?;
    collector.set_origin(now_ns());
    let mut out = std::io::stdout();
    writeln!(out, "{}", collector.addresses().0)?;
    out.flush()?;
    let ended = AtomicBool::new(false);
    let ages = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&collector, &ended));
        let told = std::io::stdin().lock().lines().try_for_each(|line| {
            collector.push_roots(&rows(&line?)?);
            Ok::<_, Box<dyn Error>>(())
        });
        ended.store(true, Ordering::Relaxed);
        told.and_then(|()| Ok(watching.join().map_err(|_| "who looks panicked")??))
    })?;
    let end = collector.finish()?;
    let (cpu_s, peak_mib) = taken()?;
    let replayed = replay(dir, Limits::default())?;
    let same = CellsFile::new(replayed.origin_ns, replayed.cells).to_bytes()? == end.cells_json;
    let told = serde_json::json!({
        "spans": end.view.spans(),
        "cpu_s": cpu_s,
        "peak_mib": peak_mib,
        "overloaded": end.view.counters.get(counter::OVERLOADED),
        "age_ms": Millis::from(ages.views.quantiles()),
        "ranking": ages.rankings,
        "replay_same": same && replayed.missing == end.missing,
        "counters": end.view.counters.map(),
        "missing": end.missing,
    });
    writeln!(out, "{told}")?;
    Ok(())
}
