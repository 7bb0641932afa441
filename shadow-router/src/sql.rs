//! SQL: pools that decide about every statement, and never mix the classes on a connection.

mod args;
mod backend;
mod pool;
mod transaction;

pub use args::Args;
pub use backend::Backend;
pub use pool::{Pool, PoolConfig};
pub use transaction::Transaction;

/// A pool for SQLite.
pub type SqlitePool = Pool<sqlx::Sqlite>;
/// A pool for PostgreSQL.
pub type PgPool = Pool<sqlx::Postgres>;
