use proptest::prelude::*;

use super::*;
use crate::cells::{EdgeCell, add_second};
use crate::key::EdgeKey;

fn node(name: &str, kind: NodeKind) -> NodeKey {
    NodeKey { name: name.into(), kind }
}

fn place(op: usize) -> PlaceId {
    PlaceId::of(&node("db", NodeKind::Database), &format!("op {op}"), "GET /")
}

/// Operations on keys, each of them named.
fn cell(keys: &[(SpanKey, i64)]) -> KeyCell {
    let mut cell = KeyCell::default();
    for (key, ops) in keys {
        for _ in 0..ops.abs() {
            cell.count(place(0), 7_000_000 * u64::from(key.bytes()[0]), ops.signum());
            cell.name(key, ops.signum());
        }
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
        prop_assert_eq!(read.key(key.bucket().into()), KeyRead::Named(key.text().unwrap()));
        // The same in another bucket is no key, unless its text is cut: it is too long to be checked.
        if !key.text().unwrap().ends_with('…') {
            prop_assert_eq!(read.key((key.bucket() ^ 1).into()), KeyRead::One);
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
        let stored = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(&serde_json::from_str::<KeyCell>(&stored).unwrap(), &whole);
        let mut taken = of(&[]);
        taken.add_numbers(&whole, -1);
        split.add(&taken);
        prop_assert_eq!(split, KeyCell::default());
        let back: Vec<_> = ops.iter().map(|(which, times)| (*which, -times)).collect();
        prop_assert_eq!(taken, of(&back));
    }

    #[test]
    fn whatever_is_stored_is_read_without_harm(
        numbers in prop::collection::vec(any::<i64>(), 6),
        bits in prop::collection::vec(any::<i32>(), 0..400),
        high in any::<bool>(),
    ) {
        let at = |number: usize| if high { i64::MAX - (numbers[number] & 3) } else { numbers[number] };
        let stored = serde_json::json!({
            "ops": at(0), "places": at(1), "callers": at(2), "took": at(3), "took_squared": at(4), "named": at(5),
            "bits": if high { vec![i32::MIN; bits.len()] } else { bits },
        });
        let mut read: KeyCell = serde_json::from_value(stored).unwrap();
        let _ = (read.key(7), read.mean_ns(), read.took_s());
        prop_assert!(read.bits.0.len() <= BITS);
        read.add(&read.clone());
        read.name(&SpanKey::of("7").unwrap(), 1);
        read.count(place(0), u64::MAX, 1);
        let buckets = Seconds::from([(i64::MAX, Arc::new(read))]);
        let cells = Cells { keys: [(u16::MAX, buckets)].into(), ..Cells::default() };
        let _ = keys_left_out(&cells);
    }
}

#[test]
fn two_keys_of_one_size_are_not_taken_for_one() {
    let key = SpanKey::of("3f2b1c9e-11aa-4c12-9a33-0123456789ab").unwrap();
    // All that is kept of their texts is the same.
    let twin = (0..).find_map(|number| {
        SpanKey::of(&format!("3f2b1c9e-11aa-4c12-9a33-{number}")).filter(|twin| twin.bucket() == key.bucket())
    });
    let twin = twin.unwrap();
    assert_eq!(key.text(), twin.text());
    assert_eq!(cell(&[(key, 50), (twin, 50)]).key(key.bucket().into()), KeyRead::Several);
    assert_eq!(cell(&[(key, 90), (twin, 10)]).key(key.bucket().into()), KeyRead::Named(key.text().unwrap()));
    assert_eq!(cell(&[(key, FEW_NAMED - 1)]).key(key.bucket().into()), KeyRead::Several, "too few to say");
}

#[test]
fn means_are_those_of_the_durations() {
    let mut cell = KeyCell::default();
    for ms in [10, 20, 30, 40] {
        cell.count(place(0), ms * 1_000_000, 1);
    }
    let (mean, error) = cell.mean_ns().unwrap();
    assert!((mean - 25e6).abs() < UNIT_NS as f64, "{mean}");
    let expected = (15.0_f64.powi(2) * 2.0 + 5.0_f64.powi(2) * 2.0) / 3.0 / 4.0 * 1e12;
    assert!((error / expected - 1.0).abs() < 0.02, "{error} {expected}");
    assert!((cell.took_s() - 0.1).abs() < 0.001);
    cell.count(place(0), u64::MAX, 1);
    assert!(cell.took_s() < 140.0, "one that never ended does not count for all");
}

fn count(cells: &mut Cells, place: PlaceId, bucket: u8) {
    let mut cell = KeyCell::default();
    cell.count(place, 5_000_000, 1);
    add_second(&mut cells.keys, &place.slot, i64::from(bucket), &cell);
}

fn cells_of(places: &[(NodeKey, &str, &str)]) -> Cells {
    let mut cells = Cells::default();
    let service = node("shop", NodeKind::Service);
    for (node, op, caller) in places {
        let called = EdgeKey { from: "shop".into(), to: node.clone(), op: (*op).into() };
        let shop = EdgeKey { from: "load".into(), to: service.clone(), op: (*caller).into() };
        for edge in [called, shop] {
            let one = EdgeCell { calls: 1, ..EdgeCell::default() };
            add_second(&mut cells.edges, &(edge, TraceClass::Mine), 0, &one);
        }
        let place = PlaceId::of(node, op, caller);
        count(&mut cells, place, 3);
    }
    cells
}

#[test]
fn a_place_is_told_from_its_sums_and_two_in_one_slot_are_left_out() {
    let db = node("db", NodeKind::Database);
    let calls = [
        (db.clone(), "UPDATE", "POST /order"),
        (db.clone(), "SELECT", "POST /order"),
        (db.clone(), "SELECT", ""),
    ];
    let cells = cells_of(&calls);
    let places = Places::new(&cells);
    let mut read: Vec<_> = cells
        .keys
        .values()
        .map(|buckets| {
            let all = together(buckets);
            let (node, op, caller) = places.of(&all).unwrap();
            (node.clone(), op.to_owned(), caller.to_owned())
        })
        .collect();
    read.sort();
    assert_eq!(read.len(), 3);
    assert!(read.iter().all(|(node, ..)| *node == db));
    assert_eq!(keys_left_out(&cells), (0, 3));
    // Two places of one slot, of one node each.
    let slot =
        |number: usize| PlaceId::of(&node(&format!("db {number}"), NodeKind::Database), "GET", "GET /").slot;
    let other = (1..).find(|number| slot(*number) == slot(0)).unwrap();
    let [one, two] = [0, other].map(|number| node(&format!("db {number}"), NodeKind::Database));
    let cells = cells_of(&[(one.clone(), "GET", "GET /"), (two, "GET", "GET /"), (one, "SET", "GET /")]);
    assert_eq!(keys_left_out(&cells), (2, 3));
}

#[test]
fn there_is_a_bound_however_many_places_there_are_and_stores_have_their_own() {
    let mut cells = Cells::default();
    for number in 0..200_000_usize {
        let kind = if number % 2 == 0 { NodeKind::Cache } else { NodeKind::Service };
        let place = PlaceId::of(&node(&format!("node {number}"), kind), "GET", "");
        assert_eq!(place.slot < STORE_SLOTS, kind == NodeKind::Cache);
        let key = SpanKey::of(&number.to_string()).unwrap();
        count(&mut cells, place, key.bucket());
    }
    let count: usize = cells.keys.values().map(|buckets| buckets.len()).sum();
    let bound = usize::from(KEY_SLOTS) * usize::from(SpanKey::BUCKETS);
    assert!(count <= bound && count > bound * 9 / 10, "{count}");
}

#[test]
fn ids_of_places_stay_the_same() {
    let place = PlaceId::of(&node("stock-db", NodeKind::Database), "UPDATE stock", "POST /items/{id}/order");
    assert_eq!(place, PlaceId { slot: STORED.0, op: STORED.1, caller: STORED.2 });
}

/// As they are stored: counted by another program.
const STORED: (u16, u32, u32) = (380, 2_304_163_549, 3_157_566_864);
