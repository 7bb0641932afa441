//! Isolation, counted with connections of our own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::demo::demo;
use crate::support::{expect_exit, json, output, peakdrill};

pub(crate) async fn column(file: &Path, sql: &'static str) -> Vec<String> {
    let url = format!("sqlite://{}?mode=ro", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn live_tables_hold_what_live_users_counted_and_shadow_tables_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = demo(folder.path(), "stock", 1);
    let first = &verdict["bottlenecks"][0];
    assert_eq!(
        (&first["node"], &verdict["analysis"]["state"]),
        (&"stock".into(), &"found".into()),
        "{first:#}"
    );

    let shop = folder.path().join("rec/shop");
    let live_users = json(&shop.join("live-users.json"));
    let order_db = shop.join("order-db.sqlite");
    let live: Vec<String> = column(&order_db, "select idempotency_key from orders").await;
    assert_eq!(live.len() as u64, live_users["orders_placed"].as_u64().unwrap());
    assert_eq!(live_users["orders_unknown"], 0);
    let told: BTreeSet<String> = lines(&shop.join("live-orders.jsonl"))
        .iter()
        .filter(|line| line["status"] == 201)
        .map(|line| line["key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(live.into_iter().collect::<BTreeSet<_>>(), told);

    let shadow = column(&order_db, "select idempotency_key from shadow_orders").await;
    let distinct: BTreeSet<&String> = shadow.iter().collect();
    assert_eq!(distinct.len(), shadow.len());
    assert!(shadow.iter().all(|key| !told.contains(key)));
    let step =
        verdict["steps"].as_array().unwrap().iter().find(|step| step["journey"] == "checkout").unwrap();
    let (completed, errors) = (step["completed"].as_u64().unwrap(), step["errors"].as_u64().unwrap());
    let ledger = json(&folder.path().join("rec/isolation.json"));
    let sent_with_probes = ledger["sent"].as_u64().unwrap();
    assert!(shadow.len() as u64 >= completed - errors, "{} shadow rows, {completed} completed", shadow.len());
    assert!(shadow.len() as u64 <= sent_with_probes, "{} shadow rows, {sent_with_probes} sent", shadow.len());

    let bank = json(&shop.join("bank.json"));
    assert_eq!(bank["shadow_calls"], 0, "{bank}");
    assert!(bank["calls"].as_u64().unwrap() > 0, "live calls reach the bank");

    let isolation = &verdict["isolation"];
    assert_eq!(isolation["live_writes"], 0);
    assert_eq!(isolation["tag_lost"], 0);
    assert!(isolation["shadow_writes"].as_u64().unwrap() >= shadow.len() as u64);
    assert!(isolation["mocked"].as_u64().unwrap() >= completed - errors);
    assert_eq!(ledger["sent"], ledger["handled"], "every tagged request was taken in by the first hop");
    assert_eq!(ledger["unreconciled"], serde_json::json!([]));
    // Per order: one order, one line, one reservation, one charge, one shipment; no row is counted twice.
    let written = isolation["shadow_writes"].as_u64().unwrap();
    assert_eq!(written, 5 * shadow.len() as u64, "{isolation}");
}

fn refused(mistake: &[&str], named: &str) {
    let folder = tempfile::tempdir().unwrap();
    let run = output(peakdrill(folder.path()).args(["demo", "--tui", "never", "--out", "rec"]).args(mistake));
    expect_exit(&run, 80);
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains(named), "{said}");
    let verdict = json(&folder.path().join("rec/verdict.json"));
    assert_eq!(verdict["verdict"], "inconclusive");
    assert_eq!(verdict["load"]["sent"], 0, "no load before preflight passes");
}

#[test]
fn emptied_rules_are_refused_and_the_hop_is_named() {
    refused(&["--empty-rules-for", "order"], "failed at `order`");
}

#[test]
fn removed_middleware_is_refused_and_the_hop_is_named() {
    refused(
        &["--without-middleware", "stock"],
        "order → stock: `stock` worked on the tagged request without handling the tag",
    );
}
