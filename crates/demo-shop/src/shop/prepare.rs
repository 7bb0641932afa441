//! What must be there before a service can start: folder, databases, listeners.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::Addresses;
use crate::Error;
use crate::capacity::Truth;
use crate::config::{Config, OrderDatabase, Service};
use crate::db::schema::ORDERS;
use crate::files::write_json;
use crate::rules::{Hosts, schema_of, sqlite_path};

/// Open files that are asked for: a shop that is driven beyond its capacity has many requests waiting, each with
/// connections between all services.
const OPEN_FILES_WANTED: u64 = 65_536;

/// Raises the limit of open files as far as this process may. Where it may not, the shop works within the limit.
pub(super) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES_WANTED, |maximum| maximum.min(OPEN_FILES_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
    }
}

/// Makes the folder, which must not be another shop's, and writes what is true.
pub(super) fn folder(config: &Config) -> Result<(), Error> {
    let dir = &config.dir;
    let truth = dir.join("truth.json");
    let databases = Service::ALL.iter().filter_map(|service| schema_of(*service));
    if truth.exists() || databases.map(|schema| sqlite_path(dir, schema)).any(|path| path.exists()) {
        return Err(Error::DirInUse(dir.clone()));
    }
    let rules = dir.join("rules");
    std::fs::create_dir_all(&rules).map_err(Error::file(&rules))?;
    write_json(&truth, &Truth::of(config.bottleneck))
}

/// Makes the databases, live tables and shadow tables beside each other.
pub(super) async fn databases(config: &Config) -> Result<(), Error> {
    for schema in Service::ALL.iter().filter_map(|service| schema_of(*service)) {
        let made = match &config.orders {
            OrderDatabase::Postgres(dsn) if schema.database == ORDERS.database => {
                schema.create_postgres(dsn).await
            }
            _ => schema.create_sqlite(&sqlite_path(&config.dir, schema)).await,
        };
        made.map_err(Error::database(schema.database))?;
    }
    Ok(())
}

/// The open listeners.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) gateway: TcpListener,
    pub(super) order: TcpListener,
    pub(super) stock: TcpListener,
    pub(super) payment: TcpListener,
    pub(super) bank: TcpListener,
    pub(super) gateway_address: SocketAddr,
    pub(super) hosts: Hosts,
}

impl Listeners {
    /// Opens all of them, each on a free port of this machine.
    pub(super) async fn open() -> Result<Self, Error> {
        let (gateway, gateway_address) = listen("gateway").await?;
        let (order, order_address) = listen("order").await?;
        let (stock, stock_address) = listen("stock").await?;
        let (payment, payment_address) = listen("payment").await?;
        let (bank, bank_address) = listen("bank").await?;
        let hosts = Hosts {
            order: order_address,
            stock: stock_address,
            payment: payment_address,
            bank: bank_address,
        };
        Ok(Self { gateway, order, stock, payment, bank, gateway_address, hosts })
    }

    /// Where they can be reached.
    pub(super) fn addresses(&self, config: &Config) -> Addresses {
        let url = |address: SocketAddr| format!("http://{address}");
        Addresses {
            gateway: url(self.gateway_address),
            order: url(self.hosts.order),
            stock: url(self.hosts.stock),
            payment: url(self.hosts.payment),
            bank: url(self.hosts.bank),
            databases: connection_strings(config),
            dir: config.dir.clone(),
        }
    }
}

fn connection_strings(config: &Config) -> BTreeMap<String, String> {
    let schemas = Service::ALL.iter().filter_map(|service| schema_of(*service));
    let string = |schema: &crate::db::schema::Schema| match &config.orders {
        OrderDatabase::Postgres(dsn) if schema.database == ORDERS.database => dsn.clone(),
        _ => format!("sqlite://{}", sqlite_path(&config.dir, schema).display()),
    };
    schemas.map(|schema| (schema.database.to_owned(), string(schema))).collect()
}

async fn listen(what: &'static str) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Network { what, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
