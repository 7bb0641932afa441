//! The connections: routed ones, and raw ones for a service without router.

use std::path::Path;
use std::time::Duration;

use peakdrill_shadow_router::{Args, PgPool, PoolConfig, Router, SqlitePool};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqlitePoolOptions;

use super::schema::sqlite_options;
use super::value::{Row, Statement, Value};

/// Most connections to a SQLite database, of each class: one writes at a time, and reads are short.
const SQLITE_CONNECTIONS_MAX: u32 = 2;
/// Most connections to PostgreSQL, of each class.
const POSTGRES_CONNECTIONS_MAX: u32 = 8;
/// Longest wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a database did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PoolError {
    /// The isolation layer refused.
    Refused { code: &'static str, text: String },
    /// The database failed.
    Failed(String),
}

impl From<sqlx::Error> for PoolError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<peakdrill_shadow_router::Error> for PoolError {
    fn from(error: peakdrill_shadow_router::Error) -> Self {
        match (error.refused(), error.as_database()) {
            (Some(refused), _) => Self::Refused { code: refused.code(), text: refused.to_string() },
            (None, Some(cause)) => Self::Failed(cause.to_string()),
            (None, None) => Self::Failed(error.to_string()),
        }
    }
}

/// Where a database is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    Sqlite(&'a Path),
    Postgres(&'a str),
}

/// The connections to one database.
#[derive(Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    RawSqlite(sqlx::SqlitePool),
    RawPostgres(sqlx::PgPool),
}

macro_rules! bound {
    ($start:expr, $statement:expr) => {
        $statement.values.iter().fold($start, |bound, value| match value {
            Value::Text(text) => bound.bind(text.as_str()),
            Value::Int(number) => bound.bind(*number),
        })
    };
}

macro_rules! write_routed {
    ($pool:expr, $statements:expr) => {{
        if let [only] = $statements {
            return Ok(vec![$pool.execute(only.sql, bound!(Args::new(), only)).await?]);
        }
        let mut transaction = $pool.begin().await?;
        let mut changed = Vec::with_capacity($statements.len());
        for statement in $statements {
            changed.push(transaction.execute(statement.sql, bound!(Args::new(), statement)).await?);
        }
        transaction.commit().await?;
        Ok(changed)
    }};
}

macro_rules! write_raw {
    ($pool:expr, $statements:expr) => {{
        let mut transaction = $pool.begin().await?;
        let mut changed = Vec::with_capacity($statements.len());
        for statement in $statements {
            let query = bound!(sqlx::query(statement.sql), statement);
            changed.push(query.execute(&mut *transaction).await?.rows_affected());
        }
        transaction.commit().await?;
        Ok(changed)
    }};
}

macro_rules! decoded {
    ($rows:expr) => {
        Ok($rows.iter().map(Row::decode).collect::<Result<_, _>>()?)
    };
}

impl Pool {
    /// Connects by way of the router, or past it when there is none.
    pub(crate) async fn connect(router: Option<&Router>, place: Place<'_>) -> Result<Self, PoolError> {
        match (router, place) {
            (Some(router), Place::Sqlite(path)) => {
                let config = PoolConfig::new(sqlite_options(path))
                    .connections(SQLITE_CONNECTIONS_MAX, SQLITE_CONNECTIONS_MAX)
                    .acquire_timeout(ACQUIRE_TIMEOUT);
                Ok(Self::Sqlite(SqlitePool::connect(router, config).await?))
            }
            (Some(router), Place::Postgres(dsn)) => {
                let config = PoolConfig::new(dsn.parse::<PgConnectOptions>()?)
                    .connections(POSTGRES_CONNECTIONS_MAX, POSTGRES_CONNECTIONS_MAX)
                    .acquire_timeout(ACQUIRE_TIMEOUT);
                Ok(Self::Postgres(PgPool::connect(router, config).await?))
            }
            (None, Place::Sqlite(path)) => {
                let options = SqlitePoolOptions::new().max_connections(SQLITE_CONNECTIONS_MAX);
                Ok(Self::RawSqlite(options.connect_with(sqlite_options(path)).await?))
            }
            (None, Place::Postgres(dsn)) => {
                let options = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS_MAX);
                Ok(Self::RawPostgres(options.connect(dsn).await?))
            }
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_) | Self::RawSqlite(_))
    }

    /// Runs the statements in one transaction and tells how many rows each changed.
    pub(crate) async fn write(&self, statements: &[Statement]) -> Result<Vec<u64>, PoolError> {
        match self {
            Self::Sqlite(pool) => write_routed!(pool, statements),
            Self::Postgres(pool) => write_routed!(pool, statements),
            Self::RawSqlite(pool) => write_raw!(pool, statements),
            Self::RawPostgres(pool) => write_raw!(pool, statements),
        }
    }

    /// Reads rows.
    pub(crate) async fn read(&self, statement: &Statement) -> Result<Vec<Row>, PoolError> {
        let sql = statement.sql;
        match self {
            Self::Sqlite(pool) => decoded!(pool.fetch_all(sql, bound!(Args::new(), statement)).await?),
            Self::Postgres(pool) => decoded!(pool.fetch_all(sql, bound!(Args::new(), statement)).await?),
            Self::RawSqlite(pool) => decoded!(bound!(sqlx::query(sql), statement).fetch_all(pool).await?),
            Self::RawPostgres(pool) => decoded!(bound!(sqlx::query(sql), statement).fetch_all(pool).await?),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
            Self::RawSqlite(pool) => pool.close().await,
            Self::RawPostgres(pool) => pool.close().await,
        }
    }
}
