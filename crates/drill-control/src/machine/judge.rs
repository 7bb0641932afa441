//! What follows from what is known of a machine and what is wanted of it.

mod clocks;
mod cores;
mod room;

use serde::Serialize;

use super::facts::Facts;
use super::need::Need;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be, or of no matter.
    Ok,
    /// The figures may suffer.
    Warning,
    /// The drill would be spoilt.
    Problem,
}

impl Level {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: `files`, `ports`, `clock`, …
    pub topic: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What should be.
    pub expected: String,
    /// A command that mends it, where one does.
    pub fix: Option<String>,
}

impl Finding {
    fn new(topic: &'static str, level: Level, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { topic, level, found: found.into(), expected: expected.into(), fix: None }
    }

    /// The command is not needed where all is well.
    fn fix(mut self, command: impl Into<String>) -> Self {
        if self.level > Level::Ok {
            self.fix = Some(command.into());
        }
        self
    }

    /// All of it in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let fix = self.fix.as_ref().map_or_else(String::new, |fix| format!(": `{fix}`"));
        format!("{}; expected {}{fix}", self.found, self.expected)
    }
}

/// Looks at everything.
#[must_use]
pub fn examine(facts: &Facts, need: &Need) -> Vec<Finding> {
    let mut out = examine_plan(facts, need);
    out.extend(room::queue(facts, need));
    out.extend(room::memory(facts, need));
    out.extend(clocks::all(facts));
    out.extend(cores::all(facts, need));
    out
}

/// Looks at what decides whether a plan can be carried out at all: whether there is room for its connections.
#[must_use]
pub fn examine_plan(facts: &Facts, need: &Need) -> Vec<Finding> {
    let mut out: Vec<Finding> = room::files(facts, need).into_iter().collect();
    out.extend(room::ports(facts, need));
    out.extend(room::tracked(facts, need));
    out
}

#[cfg(test)]
mod tests;
