//! What can go wrong.

use std::fmt;

use peakdrill_shadow_rules::Refused;

/// An error of the router or of what it carries. Opaque: ask it with the predicates.
#[derive(Debug)]
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Refused(Refused),
    Transport(reqwest::Error),
    Timeout,
    Database(sqlx::Error),
    BodyTooLong,
    Json(serde_json::Error),
    Config(String),
}

impl Error {
    pub(crate) fn config(text: impl Into<String>) -> Self {
        Self(Box::new(Kind::Config(text.into())))
    }

    pub(crate) fn timeout() -> Self {
        Self(Box::new(Kind::Timeout))
    }

    pub(crate) fn body_too_long() -> Self {
        Self(Box::new(Kind::BodyTooLong))
    }

    /// Whether the isolation refused it. Then nothing was sent and nothing was written.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(*self.0, Kind::Refused(_))
    }

    /// What was refused and why.
    #[must_use]
    pub fn refused(&self) -> Option<&Refused> {
        match &*self.0 {
            Kind::Refused(refused) => Some(refused),
            _ => None,
        }
    }

    /// Whether a call failed on its way, or its answer cannot be read.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        matches!(*self.0, Kind::Transport(_) | Kind::BodyTooLong)
    }

    /// Whether time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match &*self.0 {
            Kind::Timeout | Kind::Database(sqlx::Error::PoolTimedOut) => true,
            Kind::Transport(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Whether the database, or the way to it, failed.
    #[must_use]
    pub fn is_database(&self) -> bool {
        matches!(*self.0, Kind::Database(_))
    }

    /// The error of the database library, to look for violated constraints and the like.
    #[must_use]
    pub fn as_database(&self) -> Option<&sqlx::Error> {
        match &*self.0 {
            Kind::Database(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the set-up is wrong: rules, keys, addresses, or how a method was called.
    #[must_use]
    pub fn is_config(&self) -> bool {
        matches!(*self.0, Kind::Config(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Refused(refused) => refused.fmt(f),
            Kind::Transport(_) => f.write_str("the call failed"),
            Kind::Timeout => f.write_str("time ran out"),
            Kind::Database(_) => f.write_str("the database failed"),
            Kind::BodyTooLong => f.write_str("the answer's body is too long"),
            Kind::Json(_) => f.write_str("the JSON cannot be read or written"),
            Kind::Config(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Refused(refused) => Some(refused),
            Kind::Transport(error) => Some(error),
            Kind::Database(error) => Some(error),
            Kind::Json(error) => Some(error),
            Kind::Timeout | Kind::BodyTooLong | Kind::Config(_) => None,
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self(Box::new(Kind::Refused(refused)))
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self(Box::new(Kind::Transport(error)))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self(Box::new(Kind::Database(error)))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self(Box::new(Kind::Json(error)))
    }
}
