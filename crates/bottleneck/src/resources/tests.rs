use proptest::prelude::*;

use super::*;

fn point(kind: SampleKind, part: u64, at_ns: i64, value: i64) -> ResourcePoint {
    let text = |text: &str| Arc::<str>::from(text);
    let key = SeriesKey {
        service: text("order"),
        measure: Measure::CpuTime,
        of: text(""),
        source: text("process.cpu.time"),
        instance: text("a"),
        kind,
        part,
    };
    ResourcePoint { key, sample: Sample { at_ns, value, since_ns: 0 } }
}

fn taken(points: impl IntoIterator<Item = ResourcePoint>) -> Resources {
    let mut resources = Resources::default();
    for point in points {
        assert!(resources.put(point));
    }
    resources
}

#[test]
fn of_a_second_the_newest_value_stays() {
    let at = |ms: i64, value| point(SampleKind::Gauge, 0, ms * 1_000_000, value);
    let resources = taken([at(1_900, 5), at(1_100, 9), at(1_900, 7), at(2_000, 1)]);
    let found: Vec<_> =
        resources.series().flat_map(|(_, s)| s.iter()).map(|s| (s.at_ns / 1_000_000, s.value)).collect();
    assert_eq!(found, [(1_900, 7), (2_000, 1)]);
}

#[test]
fn deltas_within_a_second_are_all_there() {
    let resources = taken((0..10).map(|i| point(SampleKind::Delta, 0, NS_PER_S + i * 100_000_000, 1)));
    assert_eq!(resources.series().map(|(_, s)| s.iter().count()).sum::<usize>(), 10);
}

#[test]
fn what_is_over_the_limit_is_left_out_and_said() {
    let mut resources = taken((0..SERIES_MAX as u64).map(|part| point(SampleKind::Gauge, part, 0, 1)));
    assert!(!resources.put(point(SampleKind::Gauge, u64::MAX, 0, 1)));
    assert!(resources.put(point(SampleKind::Gauge, 0, NS_PER_S, 1)), "series that are known go on");
    resources.samples = SAMPLES_MAX;
    assert!(!resources.put(point(SampleKind::Gauge, 0, 2 * NS_PER_S, 1)));
    assert!(resources.put(point(SampleKind::Gauge, 0, NS_PER_S, 2)), "a newer value takes no more room");
}

fn any_points() -> impl Strategy<Value = Vec<ResourcePoint>> {
    let kind = prop_oneof![Just(SampleKind::Gauge), Just(SampleKind::Total), Just(SampleKind::Delta)];
    let one = (kind, 0..3_u64, -5_000..200_000_i64, 0..4_i64)
        .prop_map(|(kind, part, at_ms, value)| point(kind, part, at_ms * 1_000_000, value));
    proptest::collection::vec(one, 0..60)
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_nor_splitting_matters(
        (points, shuffled) in any_points().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = |r: &Resources| serde_json::to_vec(r).unwrap();
        let whole = bytes(&taken(points.clone()));
        prop_assert_eq!(&whole, &bytes(&taken(shuffled.iter().chain(&points).cloned())));
        let (a, b) = shuffled.split_at(cut.index(shuffled.len() + 1));
        let mut merged = taken(b.to_vec());
        merged.merge(&taken(a.to_vec()));
        prop_assert_eq!(&whole, &bytes(&merged));
        let back: Resources = serde_json::from_slice(&whole).unwrap();
        prop_assert_eq!(whole, bytes(&back));
    }
}
