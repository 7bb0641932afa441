use peakdrill_drill_model::verdict::NodeKind;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::keys::PlaceId;

/// Operations on a hot key and on others.
const OPS: (usize, usize) = (60, 190);
const BUCKETS: i64 = 30;
/// Of the durations' logarithm: one in twenty takes some three times as long as the mean.
const SIGMA: f64 = 0.8;

/// A place where what is about one key takes so many times as long as the rest, and times vary widely.
fn place(rng: &mut ChaCha8Rng, times: f64) -> Seconds<KeyCell> {
    let node = NodeKey { name: "db".into(), kind: NodeKind::Database };
    let place = PlaceId::of(&node, "op", "");
    let mut count = |cell: &mut KeyCell, times: f64| {
        let uniform: [f64; 2] = [1.0 - rng.random::<f64>(), rng.random()];
        let normal = (-2.0 * uniform[0].ln()).sqrt() * (std::f64::consts::TAU * uniform[1]).cos();
        cell.count(place, ((SIGMA * normal).exp() * times * 20e6) as u64, 1);
    };
    let mut cells: Vec<KeyCell> = (0..BUCKETS).map(|_| KeyCell::default()).collect();
    (0..OPS.0).for_each(|_| count(&mut cells[0], times));
    (0..OPS.1).for_each(|op| count(&mut cells[1 + op % (BUCKETS as usize - 1)], 1.0));
    (0..).zip(cells.into_iter().map(Arc::new)).collect()
}

fn told(places: usize, times: f64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    (0..places).filter(|_| hot(("op", ""), 250, &place(&mut rng, times), 1.0).is_some()).count()
}

#[test]
fn of_ten_thousand_places_with_much_about_one_key_chance_makes_none_slow() {
    // As much slower as says nothing yet.
    assert_eq!(told(10_000, SLOWER_LOW), 0);
    assert!(told(200, 4.0) > 150);
}
