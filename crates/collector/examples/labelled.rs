//! Real faults with the faulty service of each: is it named? The data are not part of the project: a folder as of the
//! labelled faults of two demo systems ("Nezha", FSE 2023), with `SYSTEM/fault_list.json`, `SYSTEM/normal/trace/*.csv.gz`
//! and `SYSTEM/faults/trace/HH_MM.csv.gz`.
//!
//! `cargo xtask accuracy faults FOLDER`; fails when more than a few are missed.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, compare};
use peakdrill_collector::fold_traces;
use peakdrill_drill_model::verdict::NodeKind;
use serde_json::{Value, json};

/// Faults of capacity; the others are code that returns or throws something else.
const OF_CAPACITY: [&str; 3] = ["network_delay", "cpu_contention", "cpu_consumed"];
/// A fault's traces are of so many minutes from its injection on.
const MINUTES: u32 = 3;
/// Of all faults of capacity, so many may be missed as the first, and within three.
const MISSED_FIRST: usize = 4;
const MISSED_THREE: usize = 1;

/// Columns of a trace file, in the order of [`Row`].
const COLUMNS: [&str; 7] =
    ["TraceID", "SpanID", "ParentID", "PodName", "OperationName", "StartTimeUnixNano", "EndTimeUnixNano"];

#[derive(Clone)]
struct Row {
    trace: String,
    span: String,
    parent: String,
    pod: String,
    name: String,
    start: String,
    end: String,
}

/// The pod's name without its replica set and its own suffix.
fn service(pod: &str) -> &str {
    pod.rsplitn(3, '-').nth(2).unwrap_or(pod)
}

type Failed = Box<dyn Error>;

fn rows(path: &Path) -> Result<Vec<Row>, Failed> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let heads = lines.headers()?.clone();
    let mut columns = [0; COLUMNS.len()];
    for (at, column) in columns.iter_mut().zip(COLUMNS) {
        *at = heads
            .iter()
            .position(|head| head == column)
            .ok_or_else(|| format!("{}: no column `{column}`", path.display()))?;
    }
    let row = |record: csv::StringRecord| {
        let [trace, span, parent, pod, name, start, end] =
            columns.map(|at| record.get(at).unwrap_or_default().to_owned());
        Row { trace, span, parent, pod, name, start, end }
    };
    let whole = |row: &Row| !row.span.is_empty() && !row.start.is_empty() && !row.end.is_empty();
    Ok(lines.records().filter_map(Result::ok).map(row).filter(whole).collect())
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// The rows as one line of OTLP. They have no kind; it follows from who calls whom: a span whose parent runs in
/// another pod is a server's, one with a child there is a client's, a leaf that is SQL calls the database.
fn request(rows: &[Row]) -> String {
    let key = |trace: &str, span: &str| (trace.to_owned(), span.to_owned());
    let pods: HashMap<_, &str> = rows.iter().map(|r| (key(&r.trace, &r.span), r.pod.as_str())).collect();
    let parents: HashMap<_, bool> = rows
        .iter()
        .filter_map(|r| {
            let parent = key(&r.trace, &r.parent);
            let pod = pods.get(&parent)?;
            Some((parent, *pod != r.pod))
        })
        .fold(HashMap::new(), |mut all, (parent, outside)| {
            *all.entry(parent).or_default() |= outside;
            all
        });
    let mut groups: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for row in rows {
        let parent = pods.get(&key(&row.trace, &row.parent));
        let calls = parents.get(&key(&row.trace, &row.span)).copied();
        let is_sql = ["SELECT", "INSERT", "UPDATE", "DELETE"]
            .iter()
            .any(|verb| row.name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(verb)));
        let (kind, attributes) = match (parent, calls) {
            (None, _) => (2, vec![]),
            (Some(pod), _) if **pod != row.pod => (2, vec![]),
            (_, Some(true)) => (3, vec![]),
            (_, None) if is_sql => {
                (3, vec![attribute("db.system.name", "mysql"), attribute("server.address", "mysql")])
            }
            _ => (1, vec![]),
        };
        let mut span = json!({ "traceId": format!("{:0>32}", row.trace), "spanId": format!("{:0>16}", row.span),
            "name": row.name, "kind": kind, "startTimeUnixNano": row.start, "endTimeUnixNano": row.end,
            "attributes": attributes });
        if parent.is_some() {
            span["parentSpanId"] = format!("{:0>16}", row.parent).into();
        }
        groups.entry(&row.pod).or_default().push(span);
    }
    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(pod, spans)| {
            let resource = [attribute("service.name", service(pod)), attribute("service.instance.id", pod)];
            json!({ "resource": { "attributes": resource }, "scopeSpans": [{ "spans": spans }] })
        })
        .collect();
    json!({ "resourceSpans": groups }).to_string()
}

fn cells(files: &[PathBuf]) -> Result<Arc<Cells>, Failed> {
    let rows: Vec<Vec<Row>> = files.iter().map(|file| rows(file)).collect::<Result<_, _>>()?;
    Ok(fold_traces(request(&rows.concat()).as_bytes())?.0)
}

/// Paths in a folder, sorted.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Minutes of a fault's traces that are there; it was injected at `DATE HH:MM:SS`.
fn minutes(folder: &Path, injected: &str) -> Result<Vec<PathBuf>, Failed> {
    let mut parts = injected.rsplit(' ').next().unwrap_or_default().split(':').map(str::parse::<u32>);
    let (Some(hour), Some(minute)) = (parts.next(), parts.next()) else {
        return Err(format!("`{injected}` is no time").into());
    };
    let start = hour? * 60 + minute?;
    let name = |minute: u32| folder.join(format!("{:02}_{:02}.csv.gz", minute / 60 % 24, minute % 60));
    Ok((start..start + MINUTES).map(name).filter(|path| path.exists()).collect())
}

/// How many there were, and how many were named first and within three.
#[derive(Default)]
struct Score {
    all: usize,
    first: usize,
    three: usize,
}

/// Ranks the services for every fault of capacity of a system.
fn system(folder: &Path, score: &mut Score) -> Result<(), Failed> {
    let baseline = cells(&listed(&folder.join("normal/trace"))?)?;
    let faults = std::fs::read_to_string(folder.join("fault_list.json"))?;
    let faults: BTreeMap<String, Vec<BTreeMap<String, String>>> = serde_json::from_str(&faults)?;
    for fault in faults.values().flatten() {
        let of = |key: &str| fault.get(key).ok_or_else(|| format!("a fault has no {key}"));
        let files = minutes(&folder.join("faults/trace"), of("inject_time")?)?;
        let (kind, pod) = (of("inject_type")?, of("inject_pod")?);
        if files.is_empty() || !OF_CAPACITY.contains(&kind.as_str()) {
            continue;
        }
        let slow = cells(&files)?;
        let ranking = compare(&baseline, &slow).ranking;
        let services = ranking.iter().filter(|one| one.kind == NodeKind::Service);
        let services: Vec<&str> = services.map(|one| one.node.as_str()).collect();
        let place = services.iter().position(|name| *name == service(pod));
        score.all += 1;
        score.first += usize::from(place == Some(0));
        score.three += usize::from(place.is_some_and(|place| place < 3));
        let place = place.map_or("-".into(), |place| (place + 1).to_string());
        let top = services.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        writeln!(std::io::stdout(), "{kind:<16} {pod:<46} {place:>3}  {top}")?;
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    let folder = std::env::args().nth(1).ok_or("labelled FOLDER")?;
    let mut score = Score::default();
    for folder in listed(Path::new(&folder))? {
        if folder.join("fault_list.json").exists() {
            system(&folder, &mut score)?;
        }
    }
    let Score { all, first, three } = score;
    writeln!(std::io::stdout(), "first {first}, within three {three}, of {all}")?;
    match all {
        0 => Err("no fault of capacity has traces".into()),
        _ if first + MISSED_FIRST >= all && three + MISSED_THREE >= all => Ok(()),
        _ => Err("fewer than asked for".into()),
    }
}
