//! Why a shop does not start, or did not end well.

use std::path::{Path, PathBuf};

use crate::config::Service;

/// Why a shop does not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds the databases of another shop.
    #[error("{} holds the databases of a shop already: give an empty folder", .0.display())]
    DirInUse(PathBuf),
    /// The content of a file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A listener cannot be opened, or a server failed.
    #[error("{what}: {source}")]
    Network {
        /// Which.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A database cannot be opened or prepared.
    #[error("database {database}: {source}")]
    Database {
        /// Which.
        database: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// Telemetry cannot be set up.
    #[error("telemetry of {service}: {reason}")]
    Telemetry {
        /// Whose.
        service: &'static str,
        /// Why.
        reason: String,
    },
    /// The run registry's address cannot be used.
    #[error("run registry: {0}")]
    Registry(String),
    /// A router, or what goes by way of it, cannot be set up.
    #[error("router of {service}: {reason}")]
    Router {
        /// Whose.
        service: &'static str,
        /// Why.
        reason: String,
    },
}

impl Error {
    pub(crate) fn router(service: Service, reason: &dyn std::fmt::Display) -> Self {
        Self::Router { service: service.as_str(), reason: reason.to_string() }
    }

    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }

    pub(crate) fn content(path: &Path, reason: impl ToString) -> Self {
        Self::Content { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn database(database: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { database, source }
    }
}
