//! Hot keys, planted in a system where what is about one key stands in line, and beside each a system that looks much the
//! same and has none.

use std::collections::BTreeMap;

use peakdrill_bottleneck::{AnalysisInput, Cells, Filed, Sums, TraceClass, analyse};
use peakdrill_drill_model::frame::RootRow;
use peakdrill_drill_model::verdict::{Finding, FindingKind};
use peakdrill_trace_model::{Link, Messaging, Peer, PeerKind, Span, SpanKey, SpanKind};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::besides::of;
use crate::sim::ORIGIN_NS;

const MS: f64 = 1e6;
const SECONDS: i64 = 30;

/// Which span says what the work is about.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    /// The service's: the call of its database is about the same.
    Service,
    /// The call's.
    Query,
    /// The message's.
    Message,
}

/// The drill's requests: shop → its database, or a queue.
#[derive(Clone)]
struct Shop {
    seed: u64,
    /// Requests a second.
    per_s: i64,
    /// The part of the work that is about the one item ...
    hot: f64,
    /// ... of this name.
    name: &'static str,
    /// The other items.
    items: u32,
    /// How long an item is held, mean in milliseconds ...
    held_ms: f64,
    /// ... and the one.
    hot_ms: f64,
    /// How the items are wanted: none as often as the one before.
    zipf: Option<f64>,
    /// How widely the time varies: of 0 as of a random service, else its logarithm.
    sigma: f64,
    /// Part of what is about the one item that fails, after so long as all others wait for it.
    failing: f64,
    /// What is about the one item is of another kind.
    other_kind: bool,
    /// Whether what is about one item stands in line.
    locked: bool,
    /// Part of the work that takes five times as long whatever it is about.
    slow: f64,
    said: Said,
    /// Partitions of the queue, where it has them.
    partitions: Option<u16>,
    class: TraceClass,
    tagged: bool,
    /// A span links to a trace of someone else.
    linked: bool,
}

const SHOP: Shop = Shop {
    seed: 5,
    per_s: 60,
    hot: 0.6,
    name: "item-7",
    items: 500,
    held_ms: 22.0,
    hot_ms: 22.0,
    zipf: None,
    sigma: 0.0,
    failing: 0.0,
    other_kind: false,
    locked: true,
    slow: 0.0,
    said: Said::Service,
    partitions: None,
    class: TraceClass::Mine,
    tagged: true,
    linked: false,
};

fn span(id: u64, kind: SpanKind, service: &str, op: &str, at_ns: (f64, f64)) -> Span {
    Span {
        id,
        parent: id - 1,
        op: op.into(),
        start_ns: ORIGIN_NS + at_ns.0 as i64,
        end_ns: ORIGIN_NS + at_ns.1 as i64,
        status: 200,
        ..Span::bare(kind, service)
    }
}

impl Shop {
    fn spans(&self, item: &str, at: f64, from: f64, to: f64) -> Vec<Span> {
        let key = || SpanKey::of(item).map(Box::new);
        let route =
            if self.other_kind && item == self.name { "GET /tenants/{id}" } else { "POST /items/{id}/order" };
        let mut shop = span(2, SpanKind::Server, "shop", route, (at, to + MS));
        if self.linked {
            shop.links.push(Link { trace: 1 << 64, span: 1 });
        }
        let mut call = span(3, SpanKind::Client, "shop", "UPDATE stock", (at + MS, to));
        call.peer = Some(Peer { node: "stock-db".into(), kind: PeerKind::Database });
        match self.said {
            Said::Service => shop.key = key(),
            Said::Query => call.key = key(),
            Said::Message => {
                call.kind = SpanKind::Producer;
                call.end_ns = call.start_ns + 1;
                call.messaging = Some(Messaging::Send);
                call.peer = Some(Peer { node: "orders".into(), kind: PeerKind::Queue });
                let mut work = span(4, SpanKind::Consumer, "packer", "process orders", (from, to));
                (work.key, work.messaging, work.peer) = (key(), Some(Messaging::Process), call.peer.clone());
                work.partition =
                    self.partitions.map(|of| key().map_or(0, |key| u16::from(key.bucket())) % of);
                return vec![shop, call, work];
            }
        }
        vec![shop, call]
    }

    fn item(&self, rng: &mut ChaCha8Rng) -> String {
        let of = f64::from(self.items);
        match self.zipf {
            // By the inverse of the distribution over a line.
            Some(s) => {
                let u: f64 = rng.random();
                let rank = ((of.powf(1.0 - s) - 1.0) * u + 1.0).powf(1.0 / (1.0 - s));
                format!("item-{}", rank as u32)
            }
            None if rng.random::<f64>() < self.hot => self.name.to_owned(),
            None => format!("item-{}", 100 + rng.random_range(0..self.items)),
        }
    }

    fn held_ns(&self, item: &str, rng: &mut ChaCha8Rng) -> f64 {
        let times = if rng.random::<f64>() < self.slow { 5.0 } else { 1.0 };
        let mean = if item == self.name { self.hot_ms } else { self.held_ms };
        let mut uniform = || 1.0 - rng.random::<f64>();
        let drawn = match self.sigma {
            0.0 => -uniform().ln(),
            sigma => {
                let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
                (sigma * normal).exp()
            }
        };
        drawn * mean * MS * times
    }

    fn cells(&self) -> Cells {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (mut cells, mut sums) = (Cells::default(), Sums::default());
        let mut free_at: BTreeMap<String, f64> = BTreeMap::new();
        let mut at = 0.0;
        for trace in 1..=(SECONDS * self.per_s) as u128 {
            at += -(1.0 - rng.random::<f64>()).ln() * 1e9 / self.per_s as f64;
            let item = self.item(&mut rng);
            let held = self.held_ns(&item, &mut rng);
            let fails = item == self.name && rng.random::<f64>() < self.failing;
            let free = free_at.get(&item).copied().filter(|_| self.locked).unwrap_or(0.0);
            let from = free.max(at + MS);
            let to = if fails { from + 500.0 * MS } else { from + held };
            free_at.insert(item.clone(), to);
            let mut spans = self.spans(&item, at, from, to);
            for span in &mut spans {
                (span.trace, span.error) = (trace, fails);
            }
            let ends = spans.iter().map(|span| span.end_ns).max().unwrap_or(0);
            let row = RootRow {
                trace,
                span: 1,
                step: 0,
                phase: 0,
                intended_ns: ORIGIN_NS + at as i64,
                sent_ns: ORIGIN_NS + at as i64,
                done_ns: ends,
                error: None,
                status: 200,
                sampled: true,
            };
            let row = Some(&row).filter(|_| self.class == TraceClass::Mine);
            let (class, tagged) = (self.class, self.tagged);
            sums.add(&Filed { spans: &spans, root: row, class, tagged, origin_ns: ORIGIN_NS });
            if trace % 400 == 0 {
                cells.take_in(&mut sums);
            }
        }
        cells.take_in(&mut sums);
        cells
    }

    fn told(&self) -> Vec<Finding> {
        let input = AnalysisInput { load_seconds: SECONDS, ..AnalysisInput::default() };
        analyse(&self.cells(), &input).findings
    }

    /// Where hot keys are told of, and in which words.
    fn hot(&self) -> Vec<(String, String)> {
        let findings = self.told();
        let hot = of(&findings, FindingKind::HotKey);
        hot.into_iter().map(|found| (found.node.clone(), found.text.clone())).collect()
    }
}

#[test]
fn a_key_that_waits_for_itself_is_told_by_its_name_where_it_waits() {
    for said in [Said::Service, Said::Query] {
        let findings = Shop { said, ..SHOP }.told();
        let hot = of(&findings, FindingKind::HotKey);
        println!("{}\n  {}", hot[0].text, hot[0].action);
        assert_eq!((hot.len(), hot[0].node.as_str()), (1, "stock-db"), "not its caller: {findings:#?}");
        let text = &hot[0].text;
        assert!(text.starts_with("the key \"item-7\" got some 6") && text.contains("UPDATE stock"), "{text}");
        assert!(text.contains("for POST /items/{id}/order"), "{text}");
        assert!(hot[0].action.contains("feeder"), "{}", hot[0].action);
    }
    let long = Shop { name: "3f2b1c9e-11aa-4c12-9a33-0123456789ab", ..SHOP }.hot();
    assert!(long[0].1.starts_with("the key \"3f2b1c9e-11aa-4c12-9a33-…\" got some"), "{long:?}");
    let wild = Shop { name: "a\u{1b}[31m\"b", ..SHOP }.hot();
    assert!(wild[0].1.starts_with(r#"the key "a\u{1b}[31m\"b" got some"#), "{wild:?}");
}

#[test]
fn what_is_hot_and_not_slow_or_slow_and_not_hot_is_none() {
    // Nobody waits for the others.
    assert_eq!(Shop { locked: false, ..SHOP }.hot(), []);
    // A part is slow, whatever it is about.
    assert_eq!(Shop { locked: false, slow: 0.4, ..SHOP }.hot(), []);
    assert_eq!(Shop { hot: 0.0, slow: 0.4, ..SHOP }.hot(), []);
    // All wait, and none is hot.
    assert_eq!(Shop { hot: 0.0, items: 30, held_ms: 250.0, ..SHOP }.hot(), []);
    // There is nothing to compare it with.
    assert_eq!(Shop { hot: 1.0, ..SHOP }.hot(), []);
    assert_eq!(Shop { items: 1, ..SHOP }.hot(), []);
}

#[test]
fn what_meets_no_other_does_not_wait_for_it() {
    let larger = Shop { locked: false, hot_ms: 66.0, ..SHOP };
    assert_eq!(larger.hot().len(), 1, "two are in progress at a time: they may wait, or be larger");
    assert!(larger.told().iter().any(|found| found.action.contains("may wait for itself")));
    // The same, of a sixth of the requests: a third of one is.
    assert_eq!(Shop { per_s: 10, ..larger.clone() }.hot(), []);
    // More of them meet again.
    assert_eq!(Shop { per_s: 20, ..larger }.hot().len(), 1);
}

#[test]
fn what_fails_is_not_compared_with_what_does_not() {
    assert_eq!(Shop { locked: false, failing: 0.3, ..SHOP }.hot(), []);
}

#[test]
fn work_of_another_kind_is_not_another_key() {
    // A query of one text, for an order and for a tenant's report.
    let two_kinds = Shop { locked: false, hot_ms: 100.0, other_kind: true, ..SHOP };
    assert_eq!(two_kinds.hot(), []);
    assert_eq!(Shop { other_kind: false, ..two_kinds.clone() }.hot().len(), 1);
    // Work on a message of one queue, likewise.
    let two_kinds = Shop { said: Said::Message, ..two_kinds };
    assert_eq!(two_kinds.hot(), []);
    assert_eq!(Shop { other_kind: false, ..two_kinds }.hot().len(), 1);
}

#[test]
fn chance_makes_no_key_hot() {
    // Some items are wanted far more than others, and times vary widely, whatever they are about.
    let told = (0..200).filter(|seed| {
        let shop = Shop { seed: *seed, locked: false, zipf: Some(1.1), sigma: 1.7, name: "none", ..SHOP };
        !shop.hot().is_empty()
    });
    assert_eq!(told.collect::<Vec<_>>(), [] as [u64; 0]);
    let hot = Shop { zipf: Some(1.1), held_ms: 80.0, name: "none", ..SHOP }.hot();
    assert!(hot.len() == 1 && hot[0].1.contains("the key \"item-1\""), "its buckets are as hot: {hot:?}");
}

#[test]
fn of_live_users_no_key_is_kept() {
    for class in [TraceClass::Live, TraceClass::OtherRun] {
        let live = Shop { class, ..SHOP };
        assert!(live.cells().keys.is_empty());
        assert_eq!(live.hot(), []);
    }
    // The drill's by a link alone, and the drill's with a link to someone else's.
    assert!(Shop { tagged: false, ..SHOP }.cells().keys.is_empty());
    assert!(Shop { linked: true, ..SHOP }.cells().keys.is_empty());
}

#[test]
fn where_a_hot_partition_is_told_its_key_is_not_told_again() {
    let queue = Shop { said: Said::Message, ..SHOP };
    let hot = queue.hot();
    assert!(hot.len() == 1 && hot[0].0 == "orders" && hot[0].1.contains("item-7"), "{hot:?}");
    let parted = Shop { partitions: Some(8), ..queue };
    let findings = parted.told();
    assert_eq!(of(&findings, FindingKind::HotPartition).len(), 1, "{findings:#?}");
    assert_eq!(parted.hot(), []);
}

#[test]
fn cells_without_keys_are_read() {
    let cells = SHOP.cells();
    assert!(!cells.keys.is_empty());
    let mut stored = serde_json::to_value(&cells).unwrap();
    let read: Cells = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(read, cells);
    stored.as_object_mut().unwrap().remove("keys");
    let read: Cells = serde_json::from_value(stored).unwrap();
    let mut without = cells;
    without.keys = Default::default();
    assert_eq!(read, without);
}
