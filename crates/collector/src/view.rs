//! What the collector shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use peakdrill_bottleneck::{Cells, LinkCell, keys_left_out};
use peakdrill_drill_model::ledger::LedgerRow;
use serde::{Deserialize, Serialize};

use crate::counters::{Counters, counter};

/// Version of `cells.json`.
pub const CELLS_VERSION: u32 = 1;

/// Of the journal's limit, in hundredths, the part from which on it is nearly full.
const NEARLY_FULL_PERCENT: u64 = 80;

/// How much room the journal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JournalRoom {
    /// Enough, or there is no journal.
    #[default]
    Enough,
    /// Four fifths of what it may hold are written.
    Nearly {
        /// Bytes that are written.
        bytes: u64,
        /// Bytes that may be.
        bytes_max: u64,
    },
    /// All of it is: telemetry is refused for good.
    Full {
        /// Bytes that may be written.
        bytes_max: u64,
    },
    /// The disk has hardly any room: telemetry is told to try again.
    DiskShort {
        /// Bytes that are free.
        free_bytes: u64,
    },
}

impl JournalRoom {
    pub(crate) fn of((bytes, bytes_max): (u64, u64)) -> Self {
        let is_nearly_full =
            u128::from(bytes) * 100 >= u128::from(bytes_max) * u128::from(NEARLY_FULL_PERCENT);
        if is_nearly_full { Self::Nearly { bytes, bytes_max } } else { Self::Enough }
    }

    /// Whether the other is another kind of room, whatever the figures are.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        std::mem::discriminant(self) != std::mem::discriminant(other)
    }

    /// What is to be said of it; nothing while there is enough.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        match *self {
            Self::Enough => None,
            Self::Nearly { bytes, bytes_max } => Some(format!(
                "the journal is nearly full, {:.1} of {:.1} GiB: then telemetry is refused for good",
                gib(bytes),
                gib(bytes_max)
            )),
            Self::Full { bytes_max } => {
                Some(format!("the journal is full, {:.1} GiB: telemetry is refused for good", gib(bytes_max)))
            }
            Self::DiskShort { free_bytes } => Some(format!(
                "{:.1} GiB are left on the journal's disk: telemetry is told to try again",
                gib(free_bytes)
            )),
        }
    }
}

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
    /// What of the requests that were received is in the cells.
    pub folded: Folded,
    /// The ledger, sorted.
    pub ledger: Vec<LedgerRow>,
    /// When each service's ledger was last received, Unix nanoseconds.
    pub ledger_heard_ns: BTreeMap<String, i64>,
    /// What was counted, by name; see [`counter`].
    pub counters: Counters,
    /// How much room the journal has.
    pub journal: JournalRoom,
}

/// What of the requests with spans or metrics that were received since the load began is in the cells of a view. Times of
/// receipt, Unix nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folded {
    /// The view's number: each has the next; 0 before the first.
    pub view: u64,
    /// Of the requests in the cells, the newest. Under a high load the newest of all is not in them yet. A request that
    /// waited for room or for a decoder is younger in the journal than its time of receipt says, and may come into the
    /// cells after others that were received later.
    pub newest_ns: Option<i64>,
    /// Of those that are in these cells and were not in those of the view before, the oldest.
    pub first_ns: Option<i64>,
    /// Of those that had been taken in and are not in the cells yet, the oldest.
    pub waiting_ns: Option<i64>,
}

impl Folded {
    /// When the oldest was received of what a later view has and this one lacks; `None` where that is nothing. Whoever looks
    /// at each view has it exactly. Where others lie between the two, it is taken to have come right after the newest here.
    #[must_use]
    pub fn oldest_new_ns(&self, later: &Self) -> Option<i64> {
        if later.view <= self.view {
            None
        } else if later.view == self.view + 1 || later.newest_ns == self.newest_ns {
            later.first_ns
        } else {
            self.newest_ns.into_iter().chain(later.first_ns).min()
        }
    }
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

/// What was looked for in a part only, in words.
pub(crate) fn not_looked_for(cells: &Cells) -> Option<String> {
    let said: Vec<String> = keys_not_looked_for(cells).into_iter().chain(messages_left_out(cells)).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Says where waits of messages are told of a part of them: of some messages, or of some that took one message.
fn messages_left_out(cells: &Cells) -> Option<String> {
    let sum = |count: fn(&LinkCell) -> i64| cells.links.values().map(count).fold(0_i64, i64::wrapping_add);
    let (linked, looked_at) = (sum(|cell| cell.linked), sum(|cell| cell.looked_at));
    (looked_at < linked).then(|| {
        // To a tenth, and never so that it reads as all.
        let of = (linked as f64 / looked_at.max(1) as f64 * 10.0).round().max(11.0) / 10.0;
        format!(
            "how long messages waited, where consumers know them by links, is told by about one of {of}: there were too many"
        )
    })
}

/// Says where hot keys were not looked for at a good part of what has keys.
fn keys_not_looked_for(cells: &Cells) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(view: u64, [newest, first, waiting]: [i64; 3]) -> Folded {
        let known = |ns: i64| (ns > 0).then_some(ns);
        Folded { view, newest_ns: known(newest), first_ns: known(first), waiting_ns: known(waiting) }
    }

    #[test]
    fn what_a_view_lacks_is_known_to_the_next_and_bounded_for_later_ones() {
        let shown = folded(7, [50, 30, 0]);
        assert_eq!(shown.oldest_new_ns(&shown), None);
        assert_eq!(shown.oldest_new_ns(&folded(8, [50, 0, 60])), None, "nothing was folded");
        assert_eq!(shown.oldest_new_ns(&folded(8, [90, 70, 0])), Some(70));
        assert_eq!(shown.oldest_new_ns(&folded(8, [50, 40, 0])), Some(40), "it had waited for a decoder");
        assert_eq!(shown.oldest_new_ns(&folded(9, [90, 80, 0])), Some(50), "the view between is not known");
        assert_eq!(shown.oldest_new_ns(&folded(9, [90, 40, 0])), Some(40));
        assert_eq!(shown.oldest_new_ns(&folded(9, [50, 0, 0])), None);
        assert_eq!(Folded::default().oldest_new_ns(&folded(3, [90, 70, 0])), Some(70));
    }

    #[test]
    fn a_journal_is_nearly_full_from_four_fifths_on() {
        let of = |bytes| JournalRoom::of((bytes, 1_000));
        assert_eq!((of(0), of(799)), (JournalRoom::Enough, JournalRoom::Enough));
        assert_eq!(of(800), JournalRoom::Nearly { bytes: 800, bytes_max: 1_000 });
        assert_eq!(JournalRoom::of((1 << 62, u64::MAX)), JournalRoom::Enough);
        assert!(of(800).differs(&of(799)) && !of(800).differs(&of(900)));
        let note = JournalRoom::of((13 << 30, 16 << 30)).note().unwrap();
        assert!(note.contains("13.0 of 16.0 GiB"), "{note}");
    }
}
