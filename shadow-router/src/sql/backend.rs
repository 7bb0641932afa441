//! The databases there are.

use std::pin::Pin;

use peakdrill_shadow_rules::Dialect;
use sqlx::pool::PoolOptions;
use sqlx::{Connection, Database, Executor, SqlStr};

type Answer<'c, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'c>>;

mod sealed {
    pub trait Sealed {}
    impl Sealed for sqlx::Sqlite {}
    impl Sealed for sqlx::Postgres {}
}

/// A database that a [`Pool`](crate::Pool) can speak to.
pub trait Backend: Database<Connection: Connection<Options: Clone + Send + Sync>> + sealed::Sealed {
    #[doc(hidden)]
    const DIALECT: Dialect;
    /// Whether connections have rights of their own in the server.
    #[doc(hidden)]
    const HAS_ROLES: bool;
    #[doc(hidden)]
    fn pin_session(options: PoolOptions<Self>) -> PoolOptions<Self>;
    #[doc(hidden)]
    fn execute(connection: &mut Self::Connection, sql: SqlStr, args: Self::Arguments) -> Answer<'_, u64>;
    #[doc(hidden)]
    fn fetch_all(
        connection: &mut Self::Connection,
        sql: SqlStr,
        args: Self::Arguments,
    ) -> Answer<'_, Vec<Self::Row>>;
    #[doc(hidden)]
    fn fetch_optional(
        connection: &mut Self::Connection,
        sql: SqlStr,
        args: Self::Arguments,
    ) -> Answer<'_, Option<Self::Row>>;
}

macro_rules! backend {
    ($database:ty, $dialect:expr, $has_roles:expr, $pin:expr) => {
        impl Backend for $database {
            const DIALECT: Dialect = $dialect;
            const HAS_ROLES: bool = $has_roles;

            fn pin_session(options: PoolOptions<Self>) -> PoolOptions<Self> {
                $pin(options)
            }

            fn execute(
                connection: &mut Self::Connection,
                sql: SqlStr,
                args: Self::Arguments,
            ) -> Answer<'_, u64> {
                Box::pin(async move {
                    let done = sqlx::query_with(sql, args).execute(connection).await?;
                    Ok(done.rows_affected())
                })
            }

            fn fetch_all(
                connection: &mut Self::Connection,
                sql: SqlStr,
                args: Self::Arguments,
            ) -> Answer<'_, Vec<Self::Row>> {
                Box::pin(sqlx::query_with(sql, args).fetch_all(connection))
            }

            fn fetch_optional(
                connection: &mut Self::Connection,
                sql: SqlStr,
                args: Self::Arguments,
            ) -> Answer<'_, Option<Self::Row>> {
                Box::pin(sqlx::query_with(sql, args).fetch_optional(connection))
            }
        }
    };
}

backend!(sqlx::Sqlite, Dialect::Sqlite, false, |options| options);

// Statements are read and written down with standard strings, so the server must read them so too.
backend!(sqlx::Postgres, Dialect::Postgres, true, |options: PoolOptions<sqlx::Postgres>| {
    options.after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute("SET standard_conforming_strings = on").await?;
            Ok(())
        })
    })
});
