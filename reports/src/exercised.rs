//! What the drill said nothing of since its work was kept apart from live work: no traces tell of that.

use std::collections::{BTreeMap, BTreeSet};

use peakdrill_drill_model::ledger::{Ledger, LedgerRow, Outcome};
use peakdrill_drill_model::plan::SqlStore;
use peakdrill_drill_model::verdict::{Finding, FindingKind};

use crate::Record;
use crate::numbers::plural;

/// Tables or services that are named.
const NAMED_MAX: usize = 5;

/// Stores whose live side was not exercised, though the drill used them.
pub(crate) fn findings(record: &Record) -> Vec<Finding> {
    let Some(ledger) = &record.ledger else { return Vec::new() };
    let used = used(record, ledger);
    let mut out = Vec::new();
    for (service, tables) in &ledger.empty_shadows {
        let is_used = |table: &&String| {
            used.iter()
                .any(|row| row.service == *service && row.resource == **table && is_shadow(row.outcome))
        };
        let tables: BTreeSet<&str> = tables.iter().filter(is_used).map(String::as_str).collect();
        if !tables.is_empty() {
            out.push(empty(service, &tables));
        }
    }
    out.extend(apart(&used));
    out
}

/// Statements on shadow tables.
fn is_shadow(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::ShadowRead | Outcome::ShadowWrite)
}

/// What the drill's own statements touched of the tables of declared stores, read or written, shadow or live. A service gives
/// them connections that are for shadow work alone.
fn used<'a>(record: &'a Record, ledger: &'a Ledger) -> Vec<&'a LedgerRow> {
    let ran = |outcome| is_shadow(outcome) || outcome == Outcome::ReadLive;
    let is_declared = |row: &LedgerRow| {
        let mut stores = record.plan.isolation.stores.iter().filter(|store| store.service == row.service);
        stores.any(|store| covers(store, &row.resource))
    };
    let of_run = ledger.rows.iter().filter(|row| row.run == record.environment.run && row.count > 0);
    of_run.filter(|row| ran(row.outcome) && is_declared(row)).collect()
}

/// Whether the rules of a store are about a table that hops name so: without the schema where it is the default one.
fn covers(store: &SqlStore, resource: &str) -> bool {
    let default = if store.kind == "postgres" { "public." } else { "main." };
    let is_named = |table: &String| {
        let table = if store.kind == "sqlite" { table.to_ascii_lowercase() } else { table.clone() };
        table.strip_prefix(default).unwrap_or(&table) == resource
    };
    store.tables.keys().any(is_named) || (store.tables.contains_key("*") && !resource.contains('.'))
}

/// The first of some names, and how many more there are.
fn named(all: impl ExactSizeIterator<Item = impl AsRef<str>>) -> String {
    let more = all.len().saturating_sub(NAMED_MAX);
    let mut out = String::new();
    for (at, name) in all.take(NAMED_MAX).enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        out.push_str(name.as_ref());
    }
    if more > 0 { format!("{out} and {more} more") } else { out }
}

fn empty(service: &str, tables: &BTreeSet<&str>) -> Finding {
    Finding {
        kind: FindingKind::NotExercised,
        node: service.to_owned(),
        text: format!(
            "before the load the shadows of {} of {service} held no rows ({}), and the live ones do: the drill used \
             tables that were nearly empty, so what the database carries with the live rows was not exercised",
            plural(tables.len() as u64, "table", "tables"),
            named(tables.iter())
        ),
        action: format!(
            "fill the shadow tables of {service} with as many rows as the live ones have, made up or without what is about \
             persons, and drill again"
        ),
    }
}

/// Told once, at the service that used its stores most: it is so in all of them.
fn apart(used: &[&LedgerRow]) -> Option<Finding> {
    let mut by_service: BTreeMap<&str, u64> = BTreeMap::new();
    for row in used {
        let sum = by_service.entry(&row.service).or_default();
        *sum = sum.saturating_add(row.count);
    }
    let mut services: Vec<&str> = by_service.keys().copied().collect();
    services.sort_by_key(|service| std::cmp::Reverse(by_service[service]));
    let most = *services.first()?;
    let (services, them) = (named(services.iter()), if services.len() == 1 { "it" } else { "each of them" });
    Some(Finding {
        kind: FindingKind::NotExercised,
        node: most.to_owned(),
        text: format!(
            "the drill's statements in {services} went over connections of their own, which live work never shares: how many \
             connections live users need at such a rate was not exercised"
        ),
        action: format!(
            "give {them} as many live connections as the drill's own pool needed at the peak, beside what the database \
             lets in altogether, or say beside the result that it does not speak for the live pools"
        ),
    })
}
