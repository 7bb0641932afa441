//! The ledger's table.

use std::collections::BTreeMap;

use peakdrill_drill_model::ledger::LedgerRow;

use crate::counters::{Counters, counter};
use crate::limits::LEDGER_KEYS_MAX;
use crate::otlp::{LedgerKey, LedgerPoint};

/// The largest count of each series: cumulative counts only grow, so order and repetition do not matter. A delta
/// has a start of its own, and so is a series of its own: the sum over series is right for both.
#[derive(Debug, Default)]
pub(super) struct LedgerTable {
    counts: BTreeMap<LedgerKey, u64>,
    /// When a service's ledger was last heard of, Unix nanoseconds.
    heard_ns: BTreeMap<String, i64>,
}

impl LedgerTable {
    pub(super) fn take(&mut self, point: LedgerPoint, recv_ns: i64, counters: &mut Counters) {
        if let Some(heard_ns) = self.heard_ns.get_mut(&point.key.service) {
            *heard_ns = recv_ns.max(*heard_ns);
        } else if self.heard_ns.len() < LEDGER_KEYS_MAX {
            self.heard_ns.insert(point.key.service.clone(), recv_ns);
        }
        if let Some(count) = self.counts.get_mut(&point.key) {
            *count = point.count.max(*count);
        } else if self.counts.len() < LEDGER_KEYS_MAX {
            self.counts.insert(point.key, point.count);
        } else {
            counters.add(counter::LEDGER_OVERFLOW, 1);
        }
    }

    /// When each service was last heard of, Unix nanoseconds.
    pub(super) fn heard_ns(&self) -> BTreeMap<String, i64> {
        self.heard_ns.clone()
    }

    /// Sums over instances, sorted. The key's order puts what is summed side by side.
    pub(super) fn rows(&self) -> Vec<LedgerRow> {
        let mut rows: Vec<LedgerRow> = Vec::new();
        for (key, count) in &self.counts {
            match rows.last_mut() {
                Some(row)
                    if row.service == key.service
                        && row.run == key.run
                        && row.resource == key.resource
                        && row.outcome == key.outcome =>
                {
                    row.count = row.count.saturating_add(*count);
                }
                _ => rows.push(LedgerRow {
                    service: key.service.clone(),
                    run: key.run.clone(),
                    resource: key.resource.clone(),
                    outcome: key.outcome,
                    count: *count,
                }),
            }
        }
        rows
    }
}
