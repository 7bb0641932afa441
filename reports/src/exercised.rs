//! What the drill said nothing of since its work was kept apart from live work: no traces tell of that.

use std::collections::BTreeSet;

use peakdrill_drill_model::ledger::{Ledger, Outcome};
use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::Record;
use crate::numbers::plural;

/// Tables that are named.
const NAMED_MAX: usize = 5;

/// Stores whose live side was not exercised, though the drill used them.
pub(crate) fn findings(record: &Record) -> Vec<Finding> {
    let Some(ledger) = &record.ledger else { return Vec::new() };
    let used = used(record, ledger);
    let tables = ledger
        .empty_shadows
        .iter()
        .filter(|(service, tables)| used.contains(&***service) && !tables.is_empty());
    let mut out: Vec<Finding> = tables.map(|(service, tables)| empty(service, tables)).collect();
    out.extend(used.iter().map(|service| apart(service)));
    out
}

/// Services with declared stores in which the drill's own statements ran.
fn used<'a>(record: &'a Record, ledger: &Ledger) -> BTreeSet<&'a str> {
    let ran = |outcome| matches!(outcome, Outcome::ShadowRead | Outcome::ShadowWrite | Outcome::ReadLive);
    let services = record.plan.isolation.stores.iter().map(|store| store.service.as_str());
    let is_used = |service: &&str| {
        let mut rows = ledger.rows.iter().filter(|row| row.run == record.environment.run && row.count > 0);
        rows.any(|row| row.service == **service && ran(row.outcome))
    };
    services.filter(is_used).collect()
}

fn empty(service: &str, tables: &[String]) -> Finding {
    let named: Vec<&str> = tables.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = tables.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Finding {
        kind: FindingKind::NotExercised,
        node: service.to_owned(),
        text: format!(
            "before the load the shadows of {} of {service} held no rows ({}{more}), and the live ones do: the drill read and \
             wrote tables that were nearly empty, so what the database carries with the live rows was not exercised",
            plural(tables.len() as u64, "table", "tables"),
            named.join(", ")
        ),
        action: format!(
            "fill the shadow tables of {service} with as many rows as the live ones have, made up or without what is about \
             persons, and drill again"
        ),
    }
}

fn apart(service: &str) -> Finding {
    Finding {
        kind: FindingKind::NotExercised,
        node: service.to_owned(),
        text: format!(
            "the drill's statements in {service} went over connections of their own, which live work never shares: how many \
             connections live users need at such a rate was not exercised"
        ),
        action: format!(
            "give {service} as many live connections as the drill's own pool needed at the peak, beside what the database \
             lets in altogether, or say beside the result that it does not speak for the live pool"
        ),
    }
}
