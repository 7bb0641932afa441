//! The planted capacity is the real one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use peakdrill_demo_shop::Bottleneck;
use tokio::task::JoinSet;

use crate::fixture::Shop;

const WARM_UP: Duration = Duration::from_millis(1_500);
const MEASURE: Duration = Duration::from_secs(6);

/// Completions a second while so many callers always ask for something.
async fn saturated(shop: &Arc<Shop>, callers: u64, tagged_order: bool) -> f64 {
    let begin = Instant::now() + WARM_UP;
    let end = begin + MEASURE;
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let shop = Arc::clone(shop);
        tasks.spawn(async move {
            let mut completed = 0_u64;
            for number in 0_u64.. {
                let tag = shop.control.tag().0;
                let answer = if tagged_order {
                    shop.order(&format!("s-{caller}-{number}"), &tag).await
                } else {
                    shop.get(format!("{}/items", shop.addresses.gateway), &tag).await
                };
                assert!(answer.status / 100 == 2, "{answer:?}");
                let now = Instant::now();
                if now >= end {
                    break;
                }
                completed += u64::from(now >= begin);
            }
            completed
        });
    }
    tasks.join_all().await.into_iter().sum::<u64>() as f64 / MEASURE.as_secs_f64()
}

async fn check(bottleneck: Bottleneck, tagged_order: bool) {
    let shop = Arc::new(Shop::open(|config| config.bottleneck = bottleneck).await);
    let per_s = saturated(&shop, 24, tagged_order).await;
    let truth = shop.json("truth.json")["nodes"][bottleneck.as_str()]["ops_per_s"].as_f64().unwrap();
    assert!((per_s / truth - 1.0).abs() < 0.03, "{bottleneck}: {per_s}/s, planted {truth}/s");
    let Some(shop) = Arc::into_inner(shop) else { panic!("still in use") };
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_serves_what_was_planted() {
    check(Bottleneck::Stock, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_database_serves_what_was_planted() {
    check(Bottleneck::OrderDb, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stub_of_a_slow_bank_serves_what_was_planted() {
    check(Bottleneck::Bank, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_serves_what_was_planted() {
    let shop = Arc::new(Shop::open(|config| config.bottleneck = Bottleneck::Queue).await);
    let placed_per_s = saturated(&shop, 24, true).await;
    assert!(placed_per_s > 110.0, "the queue never filled: {placed_per_s}/s");
    let Some(shop) = Arc::into_inner(shop) else { panic!("still in use") };
    let shop = shop.close().await;
    // When the messages' turns came, while the queue was never empty.
    let mut starts: Vec<u64> = shop
        .otlp
        .spans()
        .iter()
        .filter(|span| span.service == "fulfilment" && span.kind == 5)
        .map(|span| span.start_ns)
        .collect();
    starts.sort_unstable();
    let from = starts[0] + 1_500_000_000;
    let window: Vec<u64> =
        starts.into_iter().filter(|at| (from..from + 5_000_000_000).contains(at)).collect();
    let per_s = window.len() as f64 / 5.0;
    assert!((per_s / 100.0 - 1.0).abs() < 0.03, "{per_s}/s, planted 100/s");
}
