//! The tables, live and shadow, made side by side from one text.

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use std::path::Path;
use std::time::Duration;

/// How long SQLite waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Items on sale.
pub(crate) const ITEMS: i64 = 100;

/// What the name of a shadow table starts with.
pub(crate) const SHADOW_PREFIX: &str = "shadow_";

/// A table: its name, its columns, and whether it has a shadow twin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    columns: &'static str,
    pub(crate) shadowed: bool,
}

/// A database: its name and its tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    pub(crate) database: &'static str,
    pub(crate) tables: &'static [Table],
}

/// The orders.
pub(crate) const ORDERS: Schema = Schema {
    database: "order-db",
    tables: &[
        Table {
            name: "orders",
            columns: "id TEXT PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, sku TEXT NOT NULL, \
                      qty BIGINT NOT NULL, amount_cents BIGINT NOT NULL, created_ms BIGINT NOT NULL",
            shadowed: true,
        },
        Table {
            name: "order_items",
            columns: "order_id TEXT NOT NULL, line BIGINT NOT NULL, sku TEXT NOT NULL, qty BIGINT NOT NULL, \
                      price_cents BIGINT NOT NULL, PRIMARY KEY (order_id, line)",
            shadowed: true,
        },
    ],
};

/// Items and what is reserved of them.
pub(crate) const STOCK: Schema = Schema {
    database: "stock-db",
    tables: &[
        Table {
            name: "items",
            columns: "sku TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents BIGINT NOT NULL",
            shadowed: false,
        },
        Table {
            name: "reservations",
            columns: "idempotency_key TEXT PRIMARY KEY, sku TEXT NOT NULL, qty BIGINT NOT NULL",
            shadowed: true,
        },
    ],
};

/// What was charged.
pub(crate) const PAYMENT: Schema = Schema {
    database: "payment-db",
    tables: &[Table {
        name: "charges",
        columns: "idempotency_key TEXT PRIMARY KEY, amount_cents BIGINT NOT NULL, reference TEXT NOT NULL",
        shadowed: true,
    }],
};

/// What was shipped.
pub(crate) const FULFILMENT: Schema = Schema {
    database: "fulfilment-db",
    tables: &[Table {
        name: "shipments",
        columns: "order_id TEXT PRIMARY KEY, idempotency_key TEXT NOT NULL UNIQUE, sku TEXT NOT NULL, \
                  qty BIGINT NOT NULL",
        shadowed: true,
    }],
};

impl Schema {
    /// The statements that make all tables, and the items on sale.
    fn statements(&self) -> Vec<String> {
        let mut statements = Vec::new();
        for table in self.tables {
            statements.push(format!("CREATE TABLE {} ({})", table.name, table.columns));
            if table.shadowed {
                statements.push(format!("CREATE TABLE {SHADOW_PREFIX}{} ({})", table.name, table.columns));
            }
            if table.name == "items" {
                statements.extend((0..ITEMS).map(item));
            }
        }
        statements
    }

    /// Makes a new SQLite database.
    pub(crate) async fn create_sqlite(&self, path: &Path) -> Result<(), sqlx::Error> {
        let options = sqlite_options(path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let mut transaction = connection.begin().await?;
        for statement in self.statements() {
            transaction.execute(AssertSqlSafe(statement)).await?;
        }
        transaction.commit().await?;
        connection.close().await
    }

    /// Makes the tables in a PostgreSQL database that does not have them yet.
    pub(crate) async fn create_postgres(&self, dsn: &str) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect(dsn).await?;
        let mut transaction = connection.begin().await?;
        for statement in self.statements() {
            transaction.execute(AssertSqlSafe(statement)).await?;
        }
        transaction.commit().await?;
        connection.close().await
    }
}

/// How every connection to a SQLite database of the shop is opened.
///
/// Nothing is forced to the disk: what survives a power cut does not matter here, and a disk that is slow to
/// flush would be a bottleneck that nobody planted.
pub(crate) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(BUSY_TIMEOUT)
}

/// The stock-keeping unit of an item.
pub(crate) fn sku(number: i64) -> String {
    format!("sku-{number:03}")
}

fn item(number: i64) -> String {
    let price_cents = 199 + number * 50;
    format!(
        "INSERT INTO items (sku, name, price_cents) VALUES ('{}', 'Item {number}', {price_cents})",
        sku(number)
    )
}
