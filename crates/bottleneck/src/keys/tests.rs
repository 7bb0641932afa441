use peakdrill_drill_model::verdict::NodeKind;
use proptest::prelude::*;

use super::*;

fn cell(keys: &[(SpanKey, i64)]) -> KeyCell {
    let mut cell = KeyCell::default();
    for (key, ops) in keys {
        (0..ops.abs()).for_each(|_| cell.count(key, ops.signum()));
    }
    cell
}

/// Keys that fall into the bucket of another.
fn beside(key: &SpanKey) -> impl Iterator<Item = SpanKey> {
    let bucket = key.bucket();
    let all = (0_u32..).filter_map(|number| SpanKey::of(&format!("other-{number}")));
    all.filter(move |other| other.bucket() == bucket)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_key_of_four_fifths_of_a_bucket_is_read_again(text in "\\PC{1,40}", others in 0..26_i64) {
        let Some(key) = SpanKey::of(&text) else { return Ok(()) };
        let mut keys = vec![(key, 100)];
        keys.extend(beside(&key).take(4).zip([others - others * 3 / 4, others / 4, others / 4, others / 4]));
        let read = cell(&keys);
        prop_assert!(read.ops <= 125);
        prop_assert_eq!(read.key(i64::from(key.bucket())), KeyRead::Named(key.text().unwrap()));
        // The same in another bucket is no key, unless its text is cut: it is too long to be checked.
        if !key.text().unwrap().ends_with('…') {
            prop_assert_eq!(read.key(i64::from(key.bucket() ^ 1)), KeyRead::One);
        }
    }

    #[test]
    fn a_cell_is_a_sum(first in "[a-z]{1,30}", ops in prop::collection::vec((0..6_usize, -3..4_i64), 0..40)) {
        let key = SpanKey::of(&first).unwrap();
        let keys: Vec<SpanKey> = beside(&key).take(5).chain([key]).collect();
        let of = |ops: &[(usize, i64)]| {
            let keys: Vec<_> = ops.iter().map(|(which, times)| (keys[*which], *times)).collect();
            cell(&keys)
        };
        let whole = of(&ops);
        let (left, right) = ops.split_at(ops.len() / 2);
        let mut split = of(right);
        split.add(&of(left));
        prop_assert_eq!(&split, &whole);
        let back: Vec<_> = ops.iter().map(|(which, times)| (*which, -times)).collect();
        split.add(&of(&back));
        prop_assert_eq!(split, KeyCell::default());
    }
}

#[test]
fn two_keys_of_one_size_are_not_taken_for_one() {
    let key = SpanKey::of("3f2b1c9e-11aa-4c12-9a33-0123456789ab").unwrap();
    let bucket = i64::from(key.bucket());
    // All that is kept of their texts is the same.
    let twin = (0..).find_map(|number| {
        SpanKey::of(&format!("3f2b1c9e-11aa-4c12-9a33-{number}")).filter(|twin| twin.bucket() == key.bucket())
    });
    let twin = twin.unwrap();
    assert_eq!(key.text(), twin.text());
    assert_eq!(cell(&[(key, 50), (twin, 50)]).key(bucket), KeyRead::Several);
    assert_eq!(cell(&[(key, 90), (twin, 10)]).key(bucket), KeyRead::Named(key.text().unwrap()));
}

#[test]
fn durations_are_kept_to_a_sixteenth() {
    let kept: std::collections::BTreeSet<u64> = (0..4_000_000_000).step_by(10_007).map(coarse).collect();
    assert!(kept.len() < 16 * 16, "{}", kept.len());
    for ns in [SHORTEST_NS, 1_000_000, 84_123_456, u64::MAX / 2, u64::MAX] {
        assert!(coarse(ns).abs_diff(ns) <= ns / 32 + 1, "{ns}");
    }
    assert_eq!(coarse(0), coarse(SHORTEST_NS));
}

fn place(number: usize) -> KeyPlace {
    KeyPlace {
        node: NodeKey { name: "db".into(), kind: NodeKind::Database },
        op: format!("{number:03}").into(),
    }
}

#[test]
fn beyond_the_limit_it_does_not_matter_which_places_come_first() {
    let one = cell(&[(SpanKey::of("7").unwrap(), 2)]);
    let of = |places: &[usize]| {
        let mut keys = Keys::default();
        places.iter().for_each(|number| keys.add(&place(*number), 3, &one));
        keys
    };
    let mut order: Vec<usize> = (0..100).collect();
    let up = of(&order);
    assert_eq!(up.places().len(), KEY_PLACES_MAX);
    assert_eq!(up.left_out_ops, 2 * (100 - KEY_PLACES_MAX) as i64);
    order.reverse();
    assert_eq!(of(&order), up);
    let (mut left, right) = (of(&order[..40]), of(&order[40..]));
    left.merge(&right);
    assert_eq!(left, up);
    let stored = serde_json::to_string(&up).unwrap();
    assert_eq!(serde_json::from_str::<Keys>(&stored).unwrap(), up);
}
