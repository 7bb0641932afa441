//! Transactions, which belong to one piece of work.

use std::fmt;

use peakdrill_shadow_rules::sql::Place;
use peakdrill_shadow_rules::{Refused, code};
use peakdrill_shadow_tag::Class;
use sqlx::{SqlSafeStr, SqlStr};

use super::args::Args;
use super::backend::Backend;
use super::pool::decided;
use crate::error::Error;
use crate::ledger::run_of;
use crate::router::Router;
use crate::task;

/// A transaction of one class. Rolled back when it is dropped. Of the statements that steer it, shadow work may run
/// savepoints, `SET LOCAL` and `SET TRANSACTION`.
pub struct Transaction<DB: Backend> {
    router: Router,
    class: Class,
    inner: sqlx::Transaction<'static, DB>,
}

impl<DB: Backend> Transaction<DB> {
    pub(super) fn new(router: Router, class: Class, inner: sqlx::Transaction<'static, DB>) -> Self {
        Self { router, class, inner }
    }

    /// Runs a statement; tells how many rows it touched.
    ///
    /// # Errors
    /// When the isolation refuses it, the running task is of another class than began, or the database fails.
    pub async fn execute(&mut self, sql: impl SqlSafeStr, args: Args<DB>) -> Result<u64, Error> {
        let sql = self.decide(sql)?;
        Ok(DB::execute(&mut self.inner, sql, args.take()?).await?)
    }

    /// Runs a statement; all its rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn fetch_all(&mut self, sql: impl SqlSafeStr, args: Args<DB>) -> Result<Vec<DB::Row>, Error> {
        let sql = self.decide(sql)?;
        Ok(DB::fetch_all(&mut self.inner, sql, args.take()?).await?)
    }

    /// Runs a statement; its first row, if there is one.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn fetch_optional(
        &mut self,
        sql: impl SqlSafeStr,
        args: Args<DB>,
    ) -> Result<Option<DB::Row>, Error> {
        let sql = self.decide(sql)?;
        Ok(DB::fetch_optional(&mut self.inner, sql, args.take()?).await?)
    }

    /// Runs a statement; its first row.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and when there is no row.
    pub async fn fetch_one(&mut self, sql: impl SqlSafeStr, args: Args<DB>) -> Result<DB::Row, Error> {
        self.fetch_optional(sql, args).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Makes it hold.
    ///
    /// # Errors
    /// When the running task is of another class than began (it is rolled back then), or the database fails.
    pub async fn commit(self) -> Result<(), Error> {
        self.check_class()?;
        Ok(self.inner.commit().await?)
    }

    /// Takes it back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.inner.rollback().await?)
    }

    fn decide(&self, sql: impl SqlSafeStr) -> Result<SqlStr, Error> {
        self.check_class()?;
        decided(&self.router, DB::DIALECT, &self.class, Place::Transaction, sql.into_sql_str())
    }

    fn check_class(&self) -> Result<(), Error> {
        let now = task::current_class();
        let same = std::mem::discriminant(&now) == std::mem::discriminant(&self.class)
            && run_of(&now) == run_of(&self.class);
        if same {
            return Ok(());
        }
        let text = "the transaction was begun by work of another class or run";
        Err(self.router.refuse(&now, Refused::new(code::CLASS_CHANGED, "transaction", text)))
    }
}

impl<DB: Backend> fmt::Debug for Transaction<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("class", &self.class).finish_non_exhaustive()
    }
}
