use std::cmp::Reverse;

use proptest::prelude::*;

use super::*;

fn point(kind: SampleKind, part: u64, at_ns: i64, value: i64) -> ResourcePoint {
    point_of("order", kind, part, at_ns, value)
}

fn point_of(service: &str, kind: SampleKind, part: u64, at_ns: i64, value: i64) -> ResourcePoint {
    let text = |text: &str| Arc::<str>::from(text);
    let key = SeriesKey {
        service: text(service),
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
fn what_is_over_the_limit_is_left_out_with_its_service_and_said() {
    let gauge =
        |service: &str, part, second| point_of(service, SampleKind::Gauge, part, second * NS_PER_S, 1);
    let mut resources = taken((1..SERIES_MAX as u64).map(|part| gauge("order", part, 0)));
    assert!(resources.put(gauge("stock", 0, 0)));
    assert!(!resources.put(gauge("order", SERIES_MAX as u64, 0)), "there is room, but no more for `stock`");
    assert!(!resources.put(gauge("stock", 0, 1)));
    assert!(resources.put(gauge("order", 1, 1)), "services that are known go on");
    assert!(resources.series().all(|(key, _)| &*key.service == "order"));
    assert_eq!((resources.series().count(), resources.samples), (SERIES_MAX, SERIES_MAX + 1));
    assert!(!resources.put(gauge("order", u64::MAX, 0)));
    assert_eq!((resources.series().count(), resources.samples, resources.is_empty()), (0, 0, false));
    let back: Resources = serde_json::from_slice(&serde_json::to_vec(&resources).unwrap()).unwrap();
    assert_eq!(back, resources);
    let mut merged = taken([gauge("gateway", 0, 0), gauge("order", 0, 0)]);
    merged.merge(&back);
    assert_eq!(merged.series().map(|(key, _)| &*key.service).collect::<Vec<_>>(), ["gateway"]);
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

    #[test]
    fn over_the_limits_the_order_does_not_matter_either(
        (points, shuffled) in proptest::collection::vec((0..6_usize, 0..3_u64, 0..4_i64), 0..60)
            .prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        series_max in 0..12_usize,
        samples_max in 0..30_usize,
    ) {
        let point_at = |(service, part, second): &(usize, u64, i64)| {
            let service = ["a", "b", "c", "d", "e", "f"][*service];
            point_of(service, SampleKind::Gauge, *part, *second * NS_PER_S, 1)
        };
        let kept = |points: &[(usize, u64, i64)]| {
            let mut resources = Resources::default();
            for point in points {
                resources.put_within(point_at(point), series_max, samples_max);
            }
            resources
        };
        let found = kept(&points);
        prop_assert!(found.series.len() <= series_max && found.samples <= samples_max);
        prop_assert_eq!(found.samples, found.series().map(|(_, samples)| samples.iter().count()).sum::<usize>());
        prop_assert_eq!(&found, &kept(&shuffled));
        prop_assert_eq!(&found, &kept(&[&shuffled[..], &points[..]].concat()));
        let mut in_series = Resources::default();
        let mut sorted = shuffled;
        sorted.sort_by_key(|(service, part, _)| (Reverse(*service), *part));
        for of_one in sorted.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let points: Vec<_> = of_one.iter().map(point_at).collect();
            let samples = points.iter().map(|point| point.sample);
            in_series.put_series(points[0].key.clone(), samples, series_max, samples_max);
        }
        prop_assert_eq!(&found, &in_series);
    }
}
