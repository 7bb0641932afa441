//! The shop's own isolation rules, written as files so that they can be read, changed and given back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peakdrill_shadow_rules::{RULES_MAX_BYTES, RULES_VERSION, Rules};
use serde::Serialize;
use serde_json::json;

use crate::Error;
use crate::capacity::Capacity;
use crate::config::{Config, Node, OrderDatabase, Service};
use crate::db::schema::{FULFILMENT, ORDERS, PAYMENT, SHADOW_PREFIX, STOCK, Schema};
use crate::files::{read_text, write_json};

/// How much the stub's latency varies: as much as the bank's.
const STUB_SIGMA: f64 = 0.2;

#[derive(Debug, Serialize)]
struct File {
    v: u32,
    stores: Vec<Store>,
    stubs: Vec<Stub>,
    internal_hosts: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Store {
    kind: &'static str,
    service: &'static str,
    mode: serde_json::Value,
    tables: BTreeMap<&'static str, &'static str>,
}

#[derive(Debug, Serialize)]
struct Stub {
    host: String,
    status: u16,
    latency_median_ns: u64,
    latency_sigma: f64,
    body: String,
    slots: usize,
}

/// Where the services of the shop listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosts {
    pub(crate) order: std::net::SocketAddr,
    pub(crate) stock: std::net::SocketAddr,
    pub(crate) payment: std::net::SocketAddr,
    pub(crate) bank: std::net::SocketAddr,
}

/// The rules of a service: from the given folder, or the shop's own, which are written into its folder.
pub(crate) fn load(service: Service, config: &Config, hosts: &Hosts) -> Result<Rules, Error> {
    let name = format!("{service}.json");
    let empty = config.mistakes.empty_rules_for == Some(service);
    if let Some(dir) = config.rules.as_deref().filter(|_| !empty) {
        let path = dir.join(name);
        return read(&path, service);
    }
    let path = config.dir.join("rules").join(name);
    let file = if empty { File::empty() } else { File::of(service, config, hosts) };
    write_json(&path, &file)?;
    read(&path, service)
}

fn read(path: &Path, service: Service) -> Result<Rules, Error> {
    let text = read_text(path, RULES_MAX_BYTES as u64)?;
    Rules::from_json(&text, service.as_str()).map_err(|error| Error::content(path, error))
}

impl File {
    fn empty() -> Self {
        Self { v: RULES_VERSION, stores: Vec::new(), stubs: Vec::new(), internal_hosts: Vec::new() }
    }

    fn of(service: Service, config: &Config, hosts: &Hosts) -> Self {
        let mut file = Self::empty();
        let inside: &[std::net::SocketAddr] = match service {
            Service::Gateway => &[hosts.order, hosts.stock],
            Service::Order => &[hosts.stock, hosts.payment],
            Service::Stock | Service::Payment | Service::Fulfilment => &[],
        };
        file.internal_hosts = inside.iter().map(ToString::to_string).collect();
        let store = schema_of(service).map(|schema| Store {
            kind: match (service, &config.orders) {
                (Service::Order, OrderDatabase::Postgres(_)) => "postgres",
                _ => "sqlite",
            },
            service: service.as_str(),
            mode: json!({"shadow_table": {"prefix": SHADOW_PREFIX}}),
            tables: policies(schema),
        });
        file.stores.extend(store);
        if service == Service::Payment {
            file.stubs.push(Stub::of_the_bank(Capacity::of(Node::Bank, config.bottleneck), hosts));
        }
        file
    }
}

impl Stub {
    fn of_the_bank(capacity: Capacity, hosts: &Hosts) -> Self {
        // The median of a log-normal distribution with the bank's mean.
        let median_ns = capacity.mean_ns as f64 * (-STUB_SIGMA * STUB_SIGMA / 2.0).exp();
        Self {
            host: hosts.bank.to_string(),
            status: 200,
            latency_median_ns: median_ns.round() as u64,
            latency_sigma: STUB_SIGMA,
            body: json!({"reference": "stub"}).to_string(),
            slots: capacity.slots,
        }
    }
}

/// The database of a service.
pub(crate) fn schema_of(service: Service) -> Option<&'static Schema> {
    match service {
        Service::Gateway => None,
        Service::Order => Some(&ORDERS),
        Service::Stock => Some(&STOCK),
        Service::Payment => Some(&PAYMENT),
        Service::Fulfilment => Some(&FULFILMENT),
    }
}

fn policies(schema: &Schema) -> BTreeMap<&'static str, &'static str> {
    let policy = |shadowed| if shadowed { "shadow" } else { "read_live" };
    schema.tables.iter().map(|table| (table.name, policy(table.shadowed))).collect()
}

/// The file of a SQLite database.
pub(crate) fn sqlite_path(dir: &Path, schema: &Schema) -> PathBuf {
    dir.join(format!("{}.sqlite", schema.database))
}
