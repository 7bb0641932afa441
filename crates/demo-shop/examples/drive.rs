//! Opens a shop, places tagged orders at an even rate, and tells what it took:
//!
//! ```text
//! cargo run --release -p peakdrill-demo-shop --example drive -- [ORDERS/S] [SECONDS] [BOTTLENECK]
//! ```
#![allow(dead_code, reason = "the fixture of the tests, of which the example needs a part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "an example")]

#[path = "../tests/it/fixture.rs"]
mod fixture;
#[path = "../tests/it/otlp.rs"]
mod otlp;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// Clock ticks a second in `/proc/self/stat`, on every Linux of today.
const TICKS_PER_S: f64 = 100.0;

fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_PER_S
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: f64| args.get(index).map_or(default, |text| text.parse().unwrap());
    let (rate, seconds) = (number(0, 200.0), number(1, 10.0));
    let shop = Arc::new(
        fixture::Shop::open(|config| {
            config.bottleneck = args.get(2).map_or(config.bottleneck, |word| word.parse().unwrap());
            config.live = peakdrill_demo_shop::LiveUsers::default();
        })
        .await,
    );
    let (begin, cpu) = (Instant::now(), cpu_s());
    let failed = Arc::new(AtomicU64::new(0));
    let mut under_way = JoinSet::new();
    for number in 0..(rate * seconds) as u64 {
        tokio::time::sleep_until((begin + Duration::from_secs_f64(number as f64 / rate)).into()).await;
        let (shop, failed) = (Arc::clone(&shop), Arc::clone(&failed));
        under_way.spawn(async move {
            let sent = Instant::now();
            let answer = shop.order(&format!("s-{number}"), &shop.control.tag().0).await;
            failed.fetch_add(u64::from(answer.status != 201), Ordering::Relaxed);
            sent.elapsed()
        });
    }
    let mut times: Vec<Duration> = under_way.join_all().await;
    let (took, cpu) = (begin.elapsed(), cpu_s() - cpu);
    times.sort_unstable();
    let Some(shop) = Arc::into_inner(shop) else { panic!("still in use") };
    let closed = shop.close().await;
    println!(
        "{} orders in {took:.1?}, {} failed; p50 {:.1?}, p99 {:.1?}; {:.2} cores with the client; {} spans",
        times.len(),
        failed.load(Ordering::Relaxed),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        cpu / took.as_secs_f64(),
        closed.otlp.span_count(),
    );
    let mut by_name: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for span in closed.otlp.spans() {
        let name = format!("{:<10} {} {}", span.service, span.kind, span.name);
        by_name.entry(name).or_default().push((span.end_ns - span.start_ns) / 1_000);
    }
    for (name, mut times) in by_name {
        times.sort_unstable();
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("{:>6} {name:<40} p50 {p50:>7} us  p99 {p99:>7} us", times.len());
    }
}
