//! What the analysis makes of metrics: a load that rises evenly over a gateway and a service with a database, and
//! metrics that follow it by a law that is known.

use std::sync::Arc;

use peakdrill_bottleneck::resources::{ResourcePoint, Sample, SampleKind, SeriesKey};
use peakdrill_bottleneck::{
    Analysis, AnalysisInput, Cells, NameLimits, OTHER, TraceClass, analyse, contribute, rank,
};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::verdict::{AnalysisState, FindingKind, NodeVerdict, ResourceKind, ResourceUse};
use peakdrill_trace_model::metric::Measure;
use peakdrill_trace_model::{Peer, PeerKind, Span, SpanKind};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const ORIGIN_NS: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;
const SECONDS: i64 = 60;

/// Journeys in a second of the load: from 20 to 100.
fn rate(second: i64) -> i64 {
    20 + second * 80 / (SECONDS - 1)
}

fn span(trace: u128, id: u64, kind: SpanKind, service: &str, at_ns: (i64, i64)) -> Span {
    Span {
        trace,
        id,
        parent: id - 1,
        op: "GET /a".into(),
        start_ns: at_ns.0,
        end_ns: at_ns.1,
        status: 200,
        ..Span::bare(kind, service)
    }
}

/// The traces of the load; a call of `order` takes `order_ms` of the second on its own.
fn cells(order_ms: impl Fn(i64) -> i64) -> Cells {
    let mut cells = Cells::default();
    load(&mut cells, TraceClass::Mine, ("order", "order-db"), order_ms);
    cells
}

/// Adds the traces of a load on a service and its database.
fn load(cells: &mut Cells, class: TraceClass, (order, db): (&str, &str), order_ms: impl Fn(i64) -> i64) {
    let mut trace = class as u128 * 1_000_000;
    for second in 0..SECONDS {
        for i in 0..rate(second) {
            trace += 1;
            let start = ORIGIN_NS + second * 1_000 * MS + i * 1_000 * MS / rate(second);
            let at = |from_ms: i64, to_ms: i64| (start + from_ms * MS, start + to_ms * MS);
            let own = order_ms(second);
            let mut query = span(trace, 4, SpanKind::Client, order, at(3, 8));
            query.peer = Some(Peer { node: db.into(), kind: PeerKind::Database });
            let spans = [
                span(trace, 1, SpanKind::Server, "gateway", at(0, own + 10)),
                span(trace, 2, SpanKind::Client, "gateway", at(1, own + 9)),
                span(trace, 3, SpanKind::Server, order, at(1, own + 9)),
                query,
            ];
            let row = RootRow {
                trace,
                span: 0,
                step: 0,
                phase: 0,
                intended_ns: start,
                sent_ns: start,
                done_ns: start + (own + 10) * MS,
                error: None,
                status: 200,
                sampled: true,
            };
            let row = (class == TraceClass::Mine).then_some(&row);
            cells.apply(&contribute(&spans, row, class, ORIGIN_NS));
        }
    }
    cells.resources.origin_ns = Some(ORIGIN_NS);
}

/// Adds more names of nodes to live users' traces than half of them are kept of: those whose hash begins with a zero.
fn flood(cells: &mut Cells) {
    for k in 0..200 {
        let trace = 9_000_000 + k;
        let mut call = span(trace, 2, SpanKind::Client, "hooks", (ORIGIN_NS, ORIGIN_NS + MS));
        call.peer = Some(Peer { node: format!("tenant-{k}").into(), kind: PeerKind::Service });
        let spans = [span(trace, 1, SpanKind::Server, "hooks", (ORIGIN_NS, ORIGIN_NS + MS)), call];
        cells.apply(&contribute(&spans, None, TraceClass::Live, ORIGIN_NS));
    }
}

const FEW_NODES: usize = 150;

/// One series of metrics.
struct Series<'a> {
    service: &'a str,
    instance: &'a str,
    measure: Measure,
    of: &'a str,
}

const ORDER: Series<'static> = Series { service: "order", instance: "a", measure: Measure::CpuTime, of: "" };

impl Series<'_> {
    /// Another measure of the same.
    fn of(&self, measure: Measure) -> Self {
        Self { measure, ..*self }
    }

    fn put(&self, cells: &mut Cells, kind: SampleKind, at_ns: i64, value: f64) {
        let text = |text: &str| Arc::<str>::from(text);
        let key = SeriesKey {
            service: text(self.service),
            measure: self.measure,
            of: text(self.of),
            source: text("m"),
            instance: text(self.instance),
            kind,
            part: 0,
        };
        let value = (value * self.measure.steps()) as i64;
        assert!(cells.resources.put(ResourcePoint { key, sample: Sample { at_ns, value, since_ns: 0 } }));
    }

    /// A gauge, in the middle of each second.
    fn gauge(&self, cells: &mut Cells, value: impl Fn(i64) -> f64) {
        for second in 0..SECONDS {
            let at_ns = ORIGIN_NS + second * 1_000 * MS + 500 * MS;
            self.put(cells, SampleKind::Gauge, at_ns, value(second));
        }
    }

    /// A total that grows by so much in each second.
    fn total(&self, cells: &mut Cells, growth: impl Fn(i64) -> f64) {
        let mut sum = 1_000.0;
        self.put(cells, SampleKind::Total, ORIGIN_NS, sum);
        for second in 0..SECONDS {
            sum += growth(second);
            self.put(cells, SampleKind::Total, ORIGIN_NS + (second + 1) * 1_000 * MS, sum);
        }
    }
}

fn analysed(cells: &Cells) -> Analysis {
    let input = AnalysisInput { load_seconds: SECONDS, ..AnalysisInput::default() };
    let analysis = analyse(cells, &input);
    assert_eq!(rank(cells, &input).findings, analysis.findings, "a live look tells the same");
    analysis
}

fn one(analysis: &Analysis, kind: ResourceKind) -> &ResourceUse {
    let found: Vec<_> = analysis.resources.iter().filter(|of| of.kind == kind).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

fn kinds(analysis: &Analysis) -> Vec<FindingKind> {
    analysis.findings.iter().map(|finding| finding.kind).collect()
}

/// A little unevenness that means nothing.
fn wobble(second: i64) -> f64 {
    ((second * 37 % 11) as f64 - 5.0) / 5.0
}

#[test]
fn without_metrics_nothing_is_said_of_resources() {
    let analysis = analysed(&cells(|_| 10));
    assert_eq!((analysis.resources.len(), analysis.findings.len()), (0, 0));
    assert!(!serde_json::to_string(&analysis).unwrap().contains("resources"));
}

#[test]
fn processor_time_gives_the_rate_at_which_the_processors_are_full() {
    let mut cells = cells(|_| 10);
    // Of four processors 5 % are always in use, and half a per cent more for each journey a second.
    ORDER.total(&mut cells, |s| 4.0 * (0.05 + 0.005 * rate(s) as f64 + 0.01 * wobble(s)));
    Series { measure: Measure::CpuCount, ..ORDER }.gauge(&mut cells, |_| 4.0);
    let analysis = analysed(&cells);
    let found = one(&analysis, ResourceKind::Processors);
    let truth = (5_f64.powf(-0.25) - 0.05) / 0.005;
    let capacity = found.capacity_per_s;
    let (estimate, low, high) = (capacity.estimate.unwrap(), capacity.low.unwrap(), capacity.high.unwrap());
    assert!((estimate / truth - 1.0).abs() < 0.03, "{estimate} for {truth}");
    assert!(low <= truth && truth <= high && high - low < 0.2 * truth, "{low}..{high} for {truth}");
    assert_eq!((found.node.as_deref(), found.limit, found.at_limit), (Some("order"), Some(4.0), false));
    assert!((found.peak.unwrap() - 0.53).abs() < 0.03 && kinds(&analysis).is_empty(), "{analysis:?}");
    let order = analysis.bottlenecks.iter().find(|node| node.node == "order").unwrap();
    assert_eq!(order.capacity_per_s, capacity, "no other estimate is there");
    assert!(
        order.evidence.iter().any(|line| line.contains("the processors of order (4 an instance)")),
        "{order:?}"
    );
}

#[test]
fn a_service_that_slows_down_with_full_processors_is_named_for_both() {
    let mut cells = cells(|s| if s < 40 { 10 } else { 10 + (s - 39) * 20 });
    ORDER.total(&mut cells, |s| (0.011 * rate(s) as f64).min(0.98));
    Series { measure: Measure::CpuCount, ..ORDER }.gauge(&mut cells, |_| 1.0);
    let analysis = analysed(&cells);
    let first = &analysis.bottlenecks[0];
    assert_eq!((first.node.as_str(), first.verdict), ("order", NodeVerdict::Bottleneck), "{first:?}");
    assert!(one(&analysis, ResourceKind::Processors).at_limit);
    assert_eq!(kinds(&analysis), [FindingKind::ProcessorsFull]);
}

#[test]
fn the_fullest_instance_counts_beside_the_mean() {
    let mut cells = cells(|_| 10);
    for (instance, share) in [("a", 0.9), ("b", 0.3)] {
        Series { instance, measure: Measure::CpuUtilisation, ..ORDER }.gauge(&mut cells, |_| share);
        Series { instance, measure: Measure::CpuCount, ..ORDER }.gauge(&mut cells, |_| 2.0);
    }
    let analysis = analysed(&cells);
    let found = one(&analysis, ResourceKind::Processors);
    assert_eq!((found.instances, found.at_limit, found.capacity_per_s.estimate), (2, true, None));
    assert!((found.peak.unwrap() - 0.6).abs() < 1e-9 && (found.peak_fullest.unwrap() - 0.9).abs() < 1e-9);
}

const POOL: Series<'static> = Series { measure: Measure::PoolMax, of: "orders", ..ORDER };

/// A pool of ten connections of a service that is full at peak, of which nothing more is known.
fn full_pool_of(service: &'static str, mut cells: Cells) -> Cells {
    let pool = Series { service, ..POOL };
    pool.gauge(&mut cells, |_| 10.0);
    pool.of(Measure::PoolUsed).gauge(&mut cells, |s| (rate(s) as f64 * 0.12).min(10.0));
    cells
}

fn full_pool() -> Cells {
    full_pool_of(ORDER.service, cells(|_| 10))
}

/// The same with how callers wait, and hold a connection so long.
fn pool(held_s: impl Fn(i64) -> f64) -> Analysis {
    pool_of(ORDER.service, cells(|_| 10), held_s)
}

fn pool_of(service: &'static str, cells: Cells, held_s: impl Fn(i64) -> f64) -> Analysis {
    let mut cells = full_pool_of(service, cells);
    let of = |measure| Series { service, ..POOL.of(measure) };
    of(Measure::PoolUses).total(&mut cells, |s| rate(s) as f64);
    of(Measure::PoolUseTime).total(&mut cells, |s| rate(s) as f64 * held_s(s));
    of(Measure::PoolWaits).total(&mut cells, |s| rate(s) as f64);
    of(Measure::PoolTimeouts).total(&mut cells, |s| if rate(s) > 80 { 4.0 } else { 0.0 });
    let wait_s = |s: i64| if rate(s) > 80 { 0.050 } else { 0.000_1 };
    of(Measure::PoolWaitTime).total(&mut cells, |s| rate(s) as f64 * wait_s(s));
    analysed(&cells)
}

#[test]
fn a_pool_that_is_too_small_is_told_from_one_whose_connections_are_held_longer() {
    let analysis = pool(|_| 0.12);
    let found = &analysis.findings[0];
    assert_eq!((found.kind, found.node.as_str()), (FindingKind::PoolTooSmall, "order-db"), "{found:?}");
    // Work for some 11.5 connections at the highest rates, which 14 carry without being too full.
    assert!(
        found.action.contains("raise it to 14 connections") || found.action.contains("raise it to 15"),
        "{found:?}"
    );
    assert!(found.text.contains("callers waited 50 ms on average (and 4.0/s gave up waiting)"), "{found:?}");
    assert!(one(&analysis, ResourceKind::Pool).at_limit);
    let analysis = pool(|s| if rate(s) > 80 { 0.3 } else { 0.1 });
    assert_eq!(kinds(&analysis), [FindingKind::PoolHeldLonger], "{:?}", analysis.findings);
}

#[test]
fn a_flood_of_live_names_leaves_a_pool_at_its_node() {
    let mut cells = Cells::with_names(NameLimits { nodes: FEW_NODES, ..NameLimits::default() });
    for class in [TraceClass::Mine, TraceClass::Live] {
        // Of live users' calls the service's name is kept, and the database's is not.
        load(&mut cells, class, ("stock", "crm"), |_| 10);
    }
    flood(&mut cells);
    assert!(cells.edges.keys().any(|(edge, _)| &*edge.from == "stock" && &*edge.to.name == OTHER));
    let analysis = pool_of("stock", cells, |_| 0.12);
    let found = analysis.findings.iter().find(|found| found.kind == FindingKind::PoolTooSmall);
    assert_eq!(found.map(|found| found.node.as_str()), Some("crm"), "{:?}", analysis.findings);
}

#[test]
fn who_gives_up_waiting_is_told_and_is_a_sign_by_itself() {
    // Nothing tells how long callers wait, or how many.
    let pool = |timeouts: &dyn Fn(i64) -> f64| {
        let mut cells = full_pool();
        POOL.of(Measure::PoolTimeouts).total(&mut cells, timeouts);
        analysed(&cells).findings
    };
    let findings = pool(&|s| if rate(s) > 80 { 4.0 } else { 0.0 });
    let [found] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((found.kind, found.node.as_str()), (FindingKind::PoolFull, "order-db"));
    // Of a full pool as many are in use as it has: no number follows from that.
    assert_eq!(
        found.text,
        "of the callers 4.0/s gave up waiting for the connections of pool `orders` of order (10 an instance); whether each is held longer than at light \
         load is not known"
    );
    assert_eq!(
        found.action,
        "look first at whether order-db, or what is done with a connection, became slower: then a larger pool lets more \
         work stand there; if not, raise it, if what it leads to allows more"
    );
    // As many at light load are no sign of the load, and one or two are none of anything.
    assert_eq!(pool(&|_| 4.0), []);
    assert_eq!(pool(&|s| if s == SECONDS - 2 { 2.0 } else { 0.0 }), []);
}

#[test]
fn how_many_wait_gives_a_number_and_no_reason() {
    let mut cells = full_pool();
    POOL.of(Measure::PoolPending).gauge(&mut cells, |s| (rate(s) as f64 * 0.12 - 10.0).max(0.0));
    let findings = analysed(&cells).findings;
    let [found] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!(found.kind, FindingKind::PoolFull);
    assert!(
        found.text.ends_with("; whether each is held longer than at light load is not known"),
        "{found:?}"
    );
    assert!(found.action.starts_with("look first at whether order-db"), "{found:?}");
    assert!(
        found.action.contains("if not, raise it to 14 connections")
            || found.action.contains("if not, raise it to 15"),
        "{found:?}"
    );
}

#[test]
fn how_many_wait_gives_no_number_where_few_do_or_some_gave_up() {
    for (pending, timeouts) in [(0.0, 4.0), (0.4, 4.0), (4.0, 4.0)] {
        let mut cells = full_pool();
        POOL.of(Measure::PoolPending).gauge(&mut cells, |_| pending);
        POOL.of(Measure::PoolTimeouts).total(&mut cells, |s| if rate(s) > 80 { timeouts } else { 0.0 });
        let findings = analysed(&cells).findings;
        let [found] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!(found.kind, FindingKind::PoolFull);
        assert!(found.action.ends_with("if not, raise it, if what it leads to allows more"), "{found:?}");
    }
}

#[test]
fn who_gives_up_is_counted_as_far_as_it_is_known() {
    // A program tells of them for the first time when the first gives up: so many more every 1.2 s from then on.
    let findings = |more: [f64; 3]| {
        let mut cells = full_pool();
        let mut sum = 1.0;
        for (i, more) in [0.0].into_iter().chain(more).enumerate() {
            sum += more;
            let at_ns = ORIGIN_NS + (SECONDS - 6) * 1_000 * MS + i as i64 * 1_200 * MS;
            POOL.of(Measure::PoolTimeouts).put(&mut cells, SampleKind::Total, at_ns, sum);
        }
        analysed(&cells).findings.len()
    };
    assert_eq!((findings([0.0, 1.0, 0.0]), findings([1.0, 0.0, 1.0]), findings([1.0, 1.0, 1.0])), (0, 0, 1));
}

#[test]
fn a_queue_that_grows_is_told_from_one_that_is_uneven() {
    let depth = |of: &dyn Fn(i64) -> f64| {
        let mut cells = cells(|_| 10);
        let lag = Series { service: "kafka", instance: "", measure: Measure::QueueDepth, of: "mail/orders" };
        lag.gauge(&mut cells, of);
        analysed(&cells)
    };
    let analysis = depth(&|s| if s < 50 { 20.0 } else { 20.0 + (s - 50) as f64 * 30.0 });
    assert_eq!(kinds(&analysis), [FindingKind::QueueGrows]);
    assert!(analysis.findings[0].text.contains("grew by 3"), "{:?}", analysis.findings);
    let analysis = depth(&|s| 200.0 + 80.0 * wobble(s));
    assert_eq!(kinds(&analysis), []);
    assert!(!one(&analysis, ResourceKind::Queue).at_limit);
}

#[test]
fn each_queue_that_grows_has_its_finding_and_of_many_queues_some_are_left_out() {
    let mut cells = cells(|_| 10);
    for queue in 0..510_u64 {
        // So uneven that by chance alone some grow for sure, and some do not.
        let noise = noise(queue, 30.0);
        let of = format!("mail/{queue:03}");
        let depth = |s: i64| 400.0 + (s - 50).max(0) as f64 * 12.0 + noise[s as usize];
        Series { service: "kafka", instance: "", measure: Measure::QueueDepth, of: &of }
            .gauge(&mut cells, depth);
    }
    let analysis = analysed(&cells);
    let names = |of: &[&ResourceUse]| of.iter().map(|of| of.name.clone()).collect::<Vec<_>>();
    let all: Vec<&ResourceUse> = analysis.resources.iter().collect();
    assert_eq!(names(&all), (0..500).map(|queue| format!("mail/{queue:03}")).collect::<Vec<_>>());
    let growing = all.iter().filter(|of| of.at_limit).count();
    assert!(growing > 20 && growing < 480, "{growing}");
    assert_eq!(kinds(&analysis), vec![FindingKind::QueueGrows; growing]);
}

#[test]
fn a_quota_that_stops_a_service_is_found_although_its_mean_use_is_low() {
    let mut cells = cells(|_| 10);
    Series { measure: Measure::CpuPeriods, ..ORDER }.total(&mut cells, |_| 10.0);
    let stopped = |s: i64| if rate(s) > 80 { 4.0 } else { 0.0 };
    Series { measure: Measure::ThrottledPeriods, ..ORDER }.total(&mut cells, stopped);
    let analysis = analysed(&cells);
    assert_eq!(kinds(&analysis), [FindingKind::Throttled]);
    assert!(analysis.findings[0].text.contains("in 40 % of its periods"), "{:?}", analysis.findings);
}

#[test]
fn a_service_that_drops_spans_is_incomplete_and_is_told_its_settings() {
    let mut cells = cells(|_| 10);
    Series { measure: Measure::SpansProcessed, ..ORDER }.total(&mut cells, |_| 40_000.0);
    Series { measure: Measure::SpansDropped, ..ORDER }.total(&mut cells, |_| 10_000.0);
    let analysis = analysed(&cells);
    assert_eq!(kinds(&analysis), [FindingKind::TelemetrySaturated]);
    let action = &analysis.findings[0].action;
    assert!(
        action.contains("OTEL_BSP_MAX_QUEUE_SIZE=131072 OTEL_BSP_MAX_EXPORT_BATCH_SIZE=16384"),
        "{action}"
    );
    let order = analysis.completeness.iter().find(|one| one.service == "order").unwrap();
    assert!((order.share.unwrap() - 0.8).abs() < 1e-6, "{order:?}");
    assert_eq!(analysis.summary.state, AnalysisState::Withheld, "{:?}", analysis.summary);
}

#[test]
fn a_gauge_that_agrees_with_the_spans_says_nothing_and_one_that_does_not_is_told() {
    // 14 ms of order a journey: at 60 a second 0.84 in progress, at 100 ms a journey some 6.
    let gauge = |factor: f64| {
        let mut cells = cells(|_| 100);
        let gauge = Series { measure: Measure::InFlight, ..ORDER };
        gauge.gauge(&mut cells, |s| rate(s) as f64 * 0.108 * factor * (1.0 + 0.05 * wobble(s)));
        analysed(&cells)
    };
    assert_eq!(kinds(&gauge(1.0)), []);
    assert_eq!(kinds(&gauge(2.0)), [FindingKind::CountsDiffer]);
}

#[test]
fn where_a_part_of_a_services_spans_has_lost_its_name_its_gauge_is_not_doubted() {
    let told = |nodes: usize, factor: f64| {
        let mut cells = Cells::with_names(NameLimits { nodes, ..NameLimits::default() });
        for class in [TraceClass::Mine, TraceClass::Live] {
            load(&mut cells, class, ("order", "order-db"), |_| 100);
        }
        flood(&mut cells);
        let gauge = Series { measure: Measure::InFlight, ..ORDER };
        gauge.gauge(&mut cells, |s| rate(s) as f64 * 0.108 * factor * (1.0 + 0.05 * wobble(s)));
        kinds(&analysed(&cells)).contains(&FindingKind::CountsDiffer)
    };
    assert!(!told(1_000, 2.0) && told(1_000, 4.0));
    assert!(!told(FEW_NODES, 2.0));
}

#[test]
fn a_cache_that_misses_more_under_load_and_metrics_that_come_seldom_are_told() {
    let mut cells = cells(|_| 10);
    let redis = |measure| Series { service: "redis", measure, ..ORDER };
    let hits = |s: i64| if rate(s) > 80 { 60.0 } else { 95.0 };
    redis(Measure::CacheHits).total(&mut cells, hits);
    redis(Measure::CacheMisses).total(&mut cells, |s| 100.0 - hits(s));
    for second in (0..SECONDS).step_by(20) {
        ORDER.put(&mut cells, SampleKind::Total, ORIGIN_NS + second * 1_000 * MS, second as f64);
    }
    let analysis = analysed(&cells);
    assert_eq!(
        kinds(&analysis),
        [FindingKind::CacheMisses, FindingKind::MetricsTooSeldom],
        "{:?}",
        analysis.findings
    );
    assert!(analysis.resources.is_empty(), "what comes every 20 s is set against no second");
}

/// Normal noise whose seconds follow each other, of this standard deviation.
fn noise(seed: u64, deviation: f64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut last = 0.0;
    let draw = |_| {
        // The sum of twelve uniform numbers is near enough to normal.
        let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
        last = 0.4 * last + normal * (1.0_f64 - 0.16).sqrt();
        last * deviation
    };
    (0..SECONDS).map(draw).collect()
}

#[test]
fn the_interval_covers_the_truth_and_the_estimate_is_near() {
    const SEEDS: u64 = 40;
    let truth = (5_f64.powf(-0.25) - 0.05) / 0.005;
    let base = cells(|_| 10);
    let (mut covered, mut errors) = (0, Vec::new());
    for seed in 1..=SEEDS {
        let mut cells = base.clone();
        let noise = noise(seed, 0.03);
        let used = |s: i64| (0.05 + 0.005 * rate(s) as f64 + noise[s as usize]).max(0.0);
        ORDER.total(&mut cells, |s| 4.0 * used(s));
        Series { measure: Measure::CpuCount, ..ORDER }.gauge(&mut cells, |_| 4.0);
        let capacity = one(&analysed(&cells), ResourceKind::Processors).capacity_per_s;
        let (low, high) = (capacity.low.unwrap(), capacity.high.unwrap());
        covered += u32::from(low <= truth && truth <= high);
        errors.push((capacity.estimate.unwrap() / truth - 1.0).abs());
    }
    errors.sort_by(f64::total_cmp);
    println!("covered {covered} of {SEEDS}, median error {:.4}, largest {:.4}", errors[20], errors[39]);
    assert!(errors[20] <= 0.02 && errors[39] <= 0.1, "{errors:?}");
    assert!(covered >= 36, "{covered} of {SEEDS}");
}
