//! Which row of a data source a journey gets: a function of its index, so that no split sends a row twice.

use std::sync::Arc;

use peakdrill_drill_model::plan::{Feeder, FeederOrder, OnExhausted};

use crate::arrivals::USERS_INDEX_BITS;
use crate::draw::{self, Purpose};
use crate::error::StartError;

/// Most rows of one feeder.
pub const FEEDER_ROWS_MAX: usize = 50_000_000;

/// What a feeder gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// This row.
    At(u32),
    /// The journey does not start.
    StopJourney,
    /// The run ends as failed.
    Fail,
}

/// A feeder, ready to be asked.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) name: String,
    data: Arc<Vec<Vec<String>>>,
    order: Order,
    on_exhausted: OnExhausted,
    id: u16,
    seed: u64,
}

#[derive(Debug)]
enum Order {
    Sequential,
    Shuffle(Vec<u32>),
    Random,
    /// Running sums of the weights.
    Zipf(Vec<f64>),
}

impl Rows {
    pub(crate) fn new(feeder: &Feeder, id: u16, seed: u64) -> Result<Self, StartError> {
        let rows = feeder.rows.len();
        if rows == 0 || rows > FEEDER_ROWS_MAX {
            let name = &feeder.name;
            return Err(StartError::Plan(format!(
                "feeder `{name}` has {rows} rows: 1 to {FEEDER_ROWS_MAX} are possible"
            )));
        }
        let order = match feeder.order {
            FeederOrder::Sequential => Order::Sequential,
            FeederOrder::Shuffle => Order::Shuffle(permutation(rows as u32, id, seed)),
            FeederOrder::Random => Order::Random,
            FeederOrder::Zipf(s) => Order::Zipf(draw::sums((1..=rows).map(|k| (k as f64).powf(-s)))),
        };
        let (data, on_exhausted) = (Arc::clone(&feeder.rows), feeder.on_exhausted);
        Ok(Self { name: feeder.name.clone(), data, order, on_exhausted, id, seed })
    }

    /// The row of the journey with this index. Closed-loop phases count from 0 each.
    pub(crate) fn row(&self, index: u64) -> Row {
        let n = self.data.len() as u64;
        let place = index & ((1 << USERS_INDEX_BITS) - 1);
        let in_turn = |at: &dyn Fn(u64) -> u32| match self.on_exhausted {
            OnExhausted::Recycle => Row::At(at(place % n)),
            _ if place < n => Row::At(at(place)),
            OnExhausted::StopJourney => Row::StopJourney,
            OnExhausted::Fail => Row::Fail,
        };
        match &self.order {
            Order::Sequential => in_turn(&|k| k as u32),
            Order::Shuffle(order) => in_turn(&|k| order.get(k as usize).copied().unwrap_or(0)),
            Order::Random => Row::At(draw::below(self.seed, Purpose::Feeder(self.id), index, n) as u32),
            Order::Zipf(sums) => {
                Row::At(draw::pick(sums, draw::unit(self.seed, Purpose::Feeder(self.id), index)) as u32)
            }
        }
    }

    /// A value; empty where a row is shorter than the heading.
    pub(crate) fn value(&self, row: u32, column: u16) -> &str {
        let row = self.data.get(row as usize).and_then(|row| row.get(usize::from(column)));
        row.map_or("", String::as_str)
    }
}

/// A seeded permutation (Fisher and Yates).
fn permutation(n: u32, id: u16, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    for k in (1..order.len()).rev() {
        let other = draw::below(seed, Purpose::Shuffle(id), k as u64, k as u64 + 1) as usize;
        order.swap(k, other);
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rows(order: FeederOrder, on_exhausted: OnExhausted) -> Rows {
        let rows = (0..100).map(|k: u32| vec![k.to_string()]).collect();
        let feeder = Feeder {
            name: "f".into(),
            csv: "f.csv".into(),
            columns: vec!["a".into()],
            rows: Arc::new(rows),
            row_count: 100,
            sha256: String::new(),
            order,
            on_exhausted,
        };
        Rows::new(&feeder, 3, 9).unwrap()
    }

    #[test]
    fn a_shuffle_gives_each_row_once() {
        let rows = rows(FeederOrder::Shuffle, OnExhausted::StopJourney);
        let got: Vec<Row> = (0..101).map(|k| rows.row(k)).collect();
        let distinct: BTreeSet<u32> =
            got.iter().filter_map(|r| if let Row::At(k) = r { Some(*k) } else { None }).collect();
        assert_eq!(distinct.len(), 100);
        assert_eq!(got[100], Row::StopJourney);
        assert!((0..100).any(|k| got[k] != Row::At(k as u32)), "it is shuffled");
    }

    #[test]
    fn sequences_recycle_stop_or_fail() {
        assert_eq!(rows(FeederOrder::Sequential, OnExhausted::Recycle).row(205), Row::At(5));
        assert_eq!(rows(FeederOrder::Sequential, OnExhausted::Fail).row(100), Row::Fail);
        let users = rows(FeederOrder::Sequential, OnExhausted::StopJourney);
        assert_eq!(users.row(7 + (2 << USERS_INDEX_BITS)), Row::At(7));
        assert_eq!(users.value(7, 0), "7");
        assert_eq!(users.value(7, 1), "");
    }

    #[test]
    fn zipf_prefers_the_first_rows() {
        let rows = rows(FeederOrder::Zipf(1.0), OnExhausted::Recycle);
        let first = (0..10_000).filter(|k| rows.row(*k) == Row::At(0)).count();
        // 1 / H(100) = 0.1928
        assert!((1_800..2_060).contains(&first), "{first}");
    }
}
