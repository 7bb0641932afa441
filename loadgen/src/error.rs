//! Why the engine does not start.

use crate::secrets::Secrets;

/// Why the engine, or a probe, does not start. Nothing has been sent then, but questions for message types.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The plan cannot be executed.
    #[error("the plan cannot be run: {0}")]
    Plan(String),
    /// A target's address is not one.
    #[error("target `{target}`: {because}")]
    Target {
        /// Its name.
        target: String,
        /// What is wrong.
        because: String,
    },
    /// Certificates could not be set up.
    #[error("TLS for target `{target}`: {because}")]
    Tls {
        /// Its name.
        target: String,
        /// What is wrong.
        because: String,
    },
    /// Connections that have to be open before the start could not be opened.
    #[error("target `{target}`: cannot open all connections before the start: {because}")]
    Connect {
        /// Its name.
        target: String,
        /// What is wrong.
        because: String,
    },
    /// A gRPC server did not tell its message types.
    #[error("target `{target}`: its message types are not known: {because}")]
    Types {
        /// Its name.
        target: String,
        /// What is wrong.
        because: String,
    },
    /// The isolation layer refused the question for message types.
    #[error(
        "target `{target}`: asked for its message types by reflection, the isolation layer refused: {why}"
    )]
    Isolation {
        /// Its name.
        target: String,
        /// The code of the refusal.
        why: String,
    },
    /// The start time was over before everything was ready.
    #[error("not ready until {late_ms} ms after the start time: start later")]
    Late {
        /// By how much, in milliseconds.
        late_ms: u64,
    },
    /// The operating system refused something: a thread, a timer, random numbers.
    #[error("{what}: {source}")]
    Os {
        /// What was wanted.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
}

impl StartError {
    pub(crate) fn os(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Os { what, source }
    }

    /// Without the secrets that what was compiled holds: an error may show a piece of it.
    pub(crate) fn hide(self, secrets: &Secrets) -> Self {
        match self {
            Self::Plan(text) => Self::Plan(secrets.hide(text)),
            other => other,
        }
    }
}
