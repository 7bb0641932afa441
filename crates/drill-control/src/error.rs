//! What can keep a drill from running.

/// A drill could not be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The endpoint of the drill's own metrics cannot be served.
    #[error("the drill's metrics: {0}")]
    Exposition(String),
    /// Keys, leases or the table of runs.
    #[error("authority: {0}")]
    Authority(String),
    /// The record's folder.
    #[error("record {path}: {error}")]
    Record {
        /// The file or folder.
        path: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The load engine.
    #[error("load engine: {0}")]
    Engine(String),
    /// The collector.
    #[error("collector: {0}")]
    Collector(String),
    /// The registry of runs.
    #[error("registry: {0}")]
    Registry(String),
    /// A person or a signal ended it before the load.
    #[error("stopped by {0} before the load")]
    Stopped(String),
    /// A plan that cannot be run as it is.
    #[error("{0}")]
    Plan(String),
}
