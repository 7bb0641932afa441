//! The ledger's table.

use std::collections::BTreeMap;

use peakdrill_drill_model::ledger::LedgerRow;

use crate::counters::{Counters, counter};
use crate::limits::LEDGER_KEYS_MAX;
use crate::otlp::{LedgerKey, LedgerPoint};

/// The largest count of each series: cumulative counts only grow, so order and repetition do not matter. A delta
/// has a start of its own, and so is a series of its own: the sum over series is right for both.
#[derive(Debug, Default)]
pub(super) struct LedgerTable(BTreeMap<LedgerKey, u64>);

impl LedgerTable {
    pub(super) fn take(&mut self, point: LedgerPoint, counters: &mut Counters) {
        if let Some(count) = self.0.get_mut(&point.key) {
            *count = point.count.max(*count);
        } else if self.0.len() < LEDGER_KEYS_MAX {
            self.0.insert(point.key, point.count);
        } else {
            counters.add(counter::LEDGER_OVERFLOW, 1);
        }
    }

    /// Sums over instances, sorted. The key's order puts what is summed side by side.
    pub(super) fn rows(&self) -> Vec<LedgerRow> {
        let mut rows: Vec<LedgerRow> = Vec::new();
        for (key, count) in &self.0 {
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
