//! What the collector shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, keys_left_out};
use peakdrill_drill_model::ledger::LedgerRow;
use serde::{Deserialize, Serialize};

use crate::counters::{Counters, counter};

/// Version of `cells.json`.
pub const CELLS_VERSION: u32 = 1;

/// A snapshot: all parts of the same instant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// The cells.
    pub cells: Arc<Cells>,
    /// Start of the load, Unix nanoseconds.
    pub origin_ns: Option<i64>,
    /// End of the newest span, Unix nanoseconds.
    pub newest_span_end_ns: Option<i64>,
    /// When the newest request was received, Unix nanoseconds.
    pub last_recv_ns: Option<i64>,
    /// Unix nanoseconds: when the newest request whose spans are in the cells was received. Under a high load the newest
    /// of all is not in them yet. A request that waited for room or for a decoder is younger in the journal than its
    /// time of receipt says, and may come into the cells after others that were received later.
    pub folded_recv_ns: Option<i64>,
    /// The ledger, sorted.
    pub ledger: Vec<LedgerRow>,
    /// When each service's ledger was last received, Unix nanoseconds.
    pub ledger_heard_ns: BTreeMap<String, i64>,
    /// What was counted, by name; see [`counter`].
    pub counters: Counters,
}

impl View {
    /// Spans that were taken in.
    #[must_use]
    pub fn spans(&self) -> u64 {
        self.counters.get(counter::SPANS)
    }

    /// Spans, and rows of the generator, that came after their trace was sealed, and wait for the end: they are in no cell
    /// yet.
    #[must_use]
    pub fn late_waiting(&self) -> u64 {
        self.counters.get(counter::LATE_WAITING)
    }
}

/// The end of a collector.
#[derive(Debug, Clone)]
pub struct FinalView {
    /// The last view.
    pub view: Arc<View>,
    /// The bytes of `cells.json`.
    pub cells_json: Vec<u8>,
    /// What is not in it, in words.
    pub missing: Vec<String>,
    /// What is in it and is not looked for, in words.
    pub not_looked_for: Option<String>,
}

/// A few places always share their room with another, and hot keys are not looked for there: from this part of the operations
/// with keys on it is told.
const KEYS_LEFT_OUT_TOLD: f64 = 0.2;

/// Says where hot keys were not looked for at a good part of what has keys.
pub(crate) fn keys_not_looked_for(cells: &Cells) -> Option<String> {
    let (left_out, all) = keys_left_out(cells);
    (left_out as f64 > KEYS_LEFT_OUT_TOLD * all as f64).then(|| {
        format!(
            "hot keys were not looked for at {left_out} of {all} operations with keys: their places share their room with \
             another"
        )
    })
}

/// `cells.json` of the record: the same traces give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellsFile {
    /// [`CELLS_VERSION`].
    pub v: u32,
    /// Start of the load, Unix nanoseconds: seconds count from there.
    pub origin_ns: Option<i64>,
    /// The cells.
    pub cells: Arc<Cells>,
}

/// Why `cells.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CellsError {
    /// It is not JSON, or not of this shape.
    #[error("no cells: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is of another version.
    #[error("cells of version {0}; this program reads version {CELLS_VERSION}")]
    Version(u32),
}

impl CellsFile {
    /// The file of some cells.
    #[must_use]
    pub fn new(origin_ns: Option<i64>, cells: Arc<Cells>) -> Self {
        Self { v: CELLS_VERSION, origin_ns, cells }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// When the cells cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CellsError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`CellsError`] when they are of another shape or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CellsError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let Version { v } = serde_json::from_slice(bytes)?;
        if v == CELLS_VERSION { Ok(serde_json::from_slice(bytes)?) } else { Err(CellsError::Version(v)) }
    }
}
