//! Pools: one for live work, one for shadow work, behind one name.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use peakdrill_shadow_rules::sql::{Decision, Place};
use peakdrill_shadow_tag::Class;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr, SqlStr};

use super::args::Args;
use super::backend::Backend;
use super::transaction::Transaction;
use crate::error::Error;
use crate::router::Router;
use crate::task;

const CONNECTIONS: u32 = 10;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

type Options<DB> = <<DB as sqlx::Database>::Connection as Connection>::Options;

/// How a [`Pool`] connects.
#[must_use]
pub struct PoolConfig<DB: Backend> {
    live: Options<DB>,
    shadow: Option<Options<DB>>,
    same_credentials: bool,
    live_connections: u32,
    shadow_connections: u32,
    acquire_timeout: Duration,
}

impl<DB: Backend> PoolConfig<DB> {
    /// Each class connects with up to 10 connections of its own. Shadow work does so with the credentials of live work
    /// until [`shadow_options`](Self::shadow_options) gives it others: then nothing but this library keeps it from
    /// live tables, which is said in a warning where the database knows roles.
    pub fn new(options: Options<DB>) -> Self {
        Self {
            live: options,
            shadow: None,
            same_credentials: false,
            live_connections: CONNECTIONS,
            shadow_connections: CONNECTIONS,
            acquire_timeout: ACQUIRE_TIMEOUT,
        }
    }

    /// How shadow work connects: with a role that may not write live tables, so that the server enforces it too.
    pub fn shadow_options(mut self, options: Options<DB>) -> Self {
        self.shadow = Some(options);
        self
    }

    /// Says that shadow work is meant to connect with the credentials of live work, and leaves the warning out. For
    /// trials, and for databases that hold nothing of worth.
    pub fn same_credentials(mut self) -> Self {
        self.same_credentials = true;
        self
    }

    /// Most connections of each class. Shadow work can never take one of live work's.
    pub fn connections(mut self, live: u32, shadow: u32) -> Self {
        (self.live_connections, self.shadow_connections) = (live, shadow);
        self
    }

    /// Longest wait for a connection; 5 s when not set.
    pub fn acquire_timeout(mut self, limit: Duration) -> Self {
        self.acquire_timeout = limit;
        self
    }
}

impl<DB: Backend> fmt::Debug for PoolConfig<DB> {
    // Options may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolConfig")
            .field("live_connections", &self.live_connections)
            .field("shadow_connections", &self.shadow_connections)
            .finish_non_exhaustive()
    }
}

/// A pool of connections that decides about every statement by the work of the running task. The classes never share
/// a connection, nor a prepared statement. Clones share everything.
pub struct Pool<DB: Backend> {
    router: Router,
    live: sqlx::Pool<DB>,
    shadow: sqlx::Pool<DB>,
}

impl<DB: Backend> Pool<DB> {
    /// Connects both classes.
    ///
    /// # Errors
    /// When the database does not answer, or does not let one of them in.
    pub async fn connect(router: &Router, config: PoolConfig<DB>) -> Result<Self, Error> {
        let options = |connections| {
            PoolOptions::new().max_connections(connections).acquire_timeout(config.acquire_timeout)
        };
        if DB::HAS_ROLES && config.shadow.is_none() && !config.same_credentials {
            tracing::warn!(
                service = router.service(),
                "shadow work connects with the credentials of live work, so the server would let it write live \
                 tables: give it a role of its own by PoolConfig::shadow_options"
            );
        }
        let for_shadow = config.shadow.unwrap_or_else(|| config.live.clone());
        let live = options(config.live_connections).connect_with(config.live).await?;
        let shadow = DB::pin_session(options(config.shadow_connections)).connect_with(for_shadow).await?;
        Ok(Self { router: router.clone(), live, shadow })
    }

    /// Runs a statement; tells how many rows it touched.
    ///
    /// # Errors
    /// When the isolation refuses it, or the database fails.
    pub async fn execute(&self, sql: impl SqlSafeStr, args: Args<DB>) -> Result<u64, Error> {
        let (mut connection, sql) = self.prepare(sql).await?;
        Ok(DB::execute(&mut connection, sql, args.take()?).await?)
    }

    /// Runs a statement; all its rows.
    ///
    /// # Errors
    /// When the isolation refuses it, or the database fails.
    pub async fn fetch_all(&self, sql: impl SqlSafeStr, args: Args<DB>) -> Result<Vec<DB::Row>, Error> {
        let (mut connection, sql) = self.prepare(sql).await?;
        Ok(DB::fetch_all(&mut connection, sql, args.take()?).await?)
    }

    /// Runs a statement; its first row, if there is one.
    ///
    /// # Errors
    /// When the isolation refuses it, or the database fails.
    pub async fn fetch_optional(
        &self,
        sql: impl SqlSafeStr,
        args: Args<DB>,
    ) -> Result<Option<DB::Row>, Error> {
        let (mut connection, sql) = self.prepare(sql).await?;
        Ok(DB::fetch_optional(&mut connection, sql, args.take()?).await?)
    }

    /// Runs a statement; its first row.
    ///
    /// # Errors
    /// As [`fetch_optional`](Self::fetch_optional), and when there is no row.
    pub async fn fetch_one(&self, sql: impl SqlSafeStr, args: Args<DB>) -> Result<DB::Row, Error> {
        self.fetch_optional(sql, args).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Begins a transaction, which belongs to the work of the running task to its end. The only way for shadow work: a
    /// `BEGIN` or `SET` as a statement would be left on the connection to whoever takes it next, and is refused.
    ///
    /// # Errors
    /// When the work may not touch the store at all, or the database fails.
    pub async fn begin(&self) -> Result<Transaction<DB>, Error> {
        let class = task::current_class();
        self.router.admit_sql(DB::DIALECT, &class)?;
        let inner = self.of(&class).begin().await?;
        Ok(Transaction::new(self.router.clone(), class, inner))
    }

    /// Closes all connections, after those in use came back.
    pub async fn close(&self) {
        self.live.close().await;
        self.shadow.close().await;
    }

    fn of(&self, class: &Class) -> &sqlx::Pool<DB> {
        match class {
            Class::Shadow(_) => &self.shadow,
            Class::Live | Class::Unknown => &self.live,
        }
    }

    /// Decides, and takes a connection of the class.
    async fn prepare(&self, sql: impl SqlSafeStr) -> Result<(PoolConnection<DB>, SqlStr), Error> {
        let class = task::current_class();
        let sql = decided(&self.router, DB::DIALECT, &class, Place::Pool, sql.into_sql_str())?;
        Ok((self.of(&class).acquire().await?, sql))
    }
}

/// The statement that runs: for live work the very one that was given.
pub(super) fn decided(
    router: &Router,
    dialect: peakdrill_shadow_rules::Dialect,
    class: &Class,
    place: Place,
    sql: SqlStr,
) -> Result<SqlStr, Error> {
    let decision = router.decide_sql(dialect, class, place, sql.as_str())?;
    Ok(match &*decision {
        Decision::AsIs { .. } | Decision::Control { .. } => sql,
        Decision::Rewritten { sql, .. } => AssertSqlSafe(Arc::clone(sql)).into_sql_str(),
    })
}

impl<DB: Backend> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self { router: self.router.clone(), live: self.live.clone(), shadow: self.shadow.clone() }
    }
}

impl<DB: Backend> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("router", &self.router).finish_non_exhaustive()
    }
}
