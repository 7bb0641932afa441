//! Data sources of journeys. Seen through [`crate::plan`].

use serde::{Deserialize, Serialize};

/// A data source of journeys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Feeder {
    /// Its name in the file.
    pub name: String,
    /// The CSV or JSONL file, as written.
    pub csv: String,
    /// Column names, from the first line; of JSONL files the ways to the values, such as `address.city`.
    pub columns: Vec<String>,
    /// The rows; not part of `plan.json` (its hash is).
    #[serde(skip)]
    pub rows: std::sync::Arc<Vec<Vec<String>>>,
    /// Number of rows.
    pub row_count: usize,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Order of use.
    pub order: FeederOrder,
    /// What happens after the last row of a sequential or shuffled feeder.
    pub on_exhausted: OnExhausted,
}

/// Which row a journey gets. Always a function of the journey's global index, so that a re-split over shards
/// sends no row twice.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeederOrder {
    /// Row = index.
    #[default]
    Sequential,
    /// A seeded permutation of the rows.
    Shuffle,
    /// Independent uniform draws.
    Random,
    /// Independent draws, row k with weight 1/k^s.
    Zipf(f64),
}

/// After the last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// From the beginning again.
    Recycle,
    /// The journey does not start; counted as missed.
    #[default]
    StopJourney,
    /// The run ends as failed.
    Fail,
}
