//! Exit codes of the command, a contract for pipelines.

/// How a command ended. Ordered by precedence: when several hold, the first wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// A bug of ours.
    Bug,
    /// Wrong command line.
    Usage,
    /// The scenario is invalid.
    Scenario,
    /// Preflight refused.
    Preflight,
    /// The engine failed before a verdict.
    Engine,
    /// A guard stopped the run.
    Guard,
    /// A person or a signal stopped the run.
    Person,
    /// A gate failed.
    GateFailed,
    /// Too little data for a verdict.
    Inconclusive,
    /// Ran as planned, all gates pass.
    Ok,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Scenario => 104,
            Self::Preflight => 80,
            Self::Engine => 82,
            Self::Guard => 108,
            Self::Person => 105,
            Self::GateFailed => 99,
            Self::Inconclusive => 81,
            Self::Ok => 0,
        }
    }
}
