//! The run registry: which runs there are, in which state, and the keys of their marks.

use serde::{Deserialize, Serialize};

use crate::{EnvId, MarkKey, RunId, TraceId};

/// A table older than this, in seconds, no longer says that a run is running.
pub const STALE_AFTER_S: u64 = 60;
/// How long a closed run stays in the table unless set otherwise, in seconds: 14 days, the longest retention of
/// a queue that can still deliver its messages.
pub const CLOSED_RETENTION_S: u64 = 14 * 24 * 60 * 60;
/// Most runs in a table. Looking up a mark costs about 10 ns for each.
pub const RUNS_MAX: usize = 1024;
/// Longest table that is read, in bytes.
pub const RUN_TABLE_MAX_BYTES: usize = 256 * 1024;

/// Whether a run that closed at `closed_unix_s` may be taken out of the table.
#[must_use]
pub fn retention_over(closed_unix_s: u64, now_unix_s: u64) -> bool {
    now_unix_s.saturating_sub(closed_unix_s) > CLOSED_RETENTION_S
}

/// The life of a run; it only ever goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// New work may start.
    Running,
    /// What is under way may end; nothing starts.
    Draining,
    /// All is over: requests are refused, messages quarantined.
    Closed,
}

impl RunState {
    /// The name as it stands in the table: `running`, `draining`, `closed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Closed => "closed",
        }
    }
}

/// Why a table, or a change to it, is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunTableError {
    /// The text is longer than [`RUN_TABLE_MAX_BYTES`].
    #[error("the run table is longer than {RUN_TABLE_MAX_BYTES} bytes")]
    TooLong,
    /// The text does not have the form of a table.
    #[error("the run table cannot be read: {0}")]
    Json(String),
    /// The table is of a version that is not known here.
    #[error("the run table has version {0}; only 1 is known here")]
    Version(u64),
    /// A mark key is not 16 bytes in canonical base64url.
    #[error("the mark key of run {0} is not 16 bytes in canonical base64url")]
    MarkKey(RunId),
    /// The run is there already, or another run has its mark key.
    #[error("the run {0}, or its mark key, is there twice")]
    Duplicate(RunId),
    /// There are [`RUNS_MAX`] runs already.
    #[error("more than {RUNS_MAX} runs")]
    TooMany,
    /// The run is not in the table.
    #[error("the run {0} is not in the table")]
    Unknown(RunId),
    /// A run does not go back to an earlier state.
    #[error("the run {0} cannot go back to an earlier state")]
    Backward(RunId),
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEntry {
    /// Its name, unique within the environment.
    pub run: RunId,
    /// Its environment.
    pub env: EnvId,
    /// Its state when the table was made; [`RunTable::state_at`] minds the age of the table.
    pub state: RunState,
    /// The key of its marks.
    pub mark_key: MarkKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableWire {
    v: u64,
    at: u64,
    runs: Vec<RunWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunWire {
    run: RunId,
    env: EnvId,
    state: RunState,
    mark_key: String,
    /// Absent while the run is not closed, and in tables of control that does not date it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<u64>,
}

/// All runs that a hop knows, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunTable {
    at_unix_s: u64,
    runs: Vec<RunEntry>,
    /// When each run of `runs` was closed, in the same order: marks are looked up in `runs` for every live trace, and
    /// this is not needed there.
    closed_at: Vec<Option<u64>>,
}

impl RunTable {
    /// An empty table of the given moment.
    #[must_use]
    pub fn new(at_unix_s: u64) -> Self {
        Self { at_unix_s, runs: Vec::new(), closed_at: Vec::new() }
    }

    /// Reads `{"v":1,"at":<unix s>,"runs":[{"run","env","state","mark_key","closed_at"}]}`. `closed_at`, in Unix
    /// seconds, may be absent, and says something of closed runs only.
    ///
    /// # Errors
    /// [`RunTableError`] when form, version, a key or the number of runs is not allowed; nothing is taken then.
    pub fn from_json(text: &str) -> Result<Self, RunTableError> {
        if text.len() > RUN_TABLE_MAX_BYTES {
            return Err(RunTableError::TooLong);
        }
        let wire: TableWire =
            serde_json::from_str(text).map_err(|error| RunTableError::Json(error.to_string()))?;
        if wire.v != 1 {
            return Err(RunTableError::Version(wire.v));
        }
        let mut table = Self::new(wire.at);
        for RunWire { run, env, state, mark_key, closed_at } in wire.runs {
            let mark_key = MarkKey::from_base64url(&mark_key).map_err(|_| RunTableError::MarkKey(run))?;
            table.add(RunEntry { run, env, state, mark_key }, closed_at)?;
        }
        Ok(table)
    }

    /// Writes the form that [`from_json`](Self::from_json) reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        let line = |(entry, closed_at): (&RunEntry, &Option<u64>)| RunWire {
            run: entry.run,
            env: entry.env,
            state: entry.state,
            mark_key: entry.mark_key.to_base64url(),
            closed_at: *closed_at,
        };
        let runs = self.runs.iter().zip(&self.closed_at).map(line).collect();
        let wire = TableWire { v: 1, at: self.at_unix_s, runs };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// When the table was made, Unix time in seconds.
    #[must_use]
    pub fn at_unix_s(&self) -> u64 {
        self.at_unix_s
    }

    /// Renews the moment of the table.
    pub fn set_at(&mut self, at_unix_s: u64) {
        self.at_unix_s = at_unix_s;
    }

    /// All runs.
    pub fn iter(&self) -> std::slice::Iter<'_, RunEntry> {
        self.runs.iter()
    }

    /// How many runs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// When the run was closed, Unix time in seconds; `None` when it is not closed, or nobody said when.
    #[must_use]
    pub fn closed_at_unix_s(&self, env: EnvId, run: RunId) -> Option<u64> {
        self.closed_at.get(self.position(env, run)?).copied().flatten()
    }

    /// Dates every closed run that has no date yet with the moment of the table.
    pub fn date_closed(&mut self) {
        for (entry, closed_at) in self.runs.iter().zip(&mut self.closed_at) {
            if entry.state == RunState::Closed {
                closed_at.get_or_insert(self.at_unix_s);
            }
        }
    }

    /// Takes out the closed runs whose retention is over, and tells how many they were. Those without a date stay.
    pub fn forget_closed(&mut self, now_unix_s: u64) -> usize {
        let over = |closed_at: &Option<u64>| closed_at.is_some_and(|at| retention_over(at, now_unix_s));
        let before = self.len();
        let (runs, closed_at) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.closed_at));
        let kept = runs.into_iter().zip(closed_at).filter(|(_, closed_at)| !over(closed_at));
        (self.runs, self.closed_at) = kept.unzip();
        before - self.len()
    }

    /// A newer table, with what this one knows and the newer one does not: a run that is no longer in it is closed
    /// and not unknown for as long as [`CLOSED_RETENTION_S`], so that its late messages are still told from live
    /// ones; no run goes back to an earlier state. Of a table older than this one only the steps forward of known
    /// runs are taken. Runs beyond [`RUNS_MAX`] are forgotten.
    #[must_use]
    pub fn merged_into(&self, newer: Self) -> Self {
        let older = newer.at_unix_s() < self.at_unix_s();
        let (mut merged, other) = if older { (self.clone(), &newer) } else { (newer, self) };
        for (known, closed_at) in other.iter().zip(&other.closed_at) {
            match merged.position(known.env, known.run) {
                Some(index) => merged.advance(index, known.state, *closed_at),
                None if older => {}
                None => merged.add_missing(known, *closed_at),
            }
        }
        merged
    }

    /// Adds a run that is in the table no longer, as closed, while its retention lasts.
    fn add_missing(&mut self, known: &RunEntry, closed_at: Option<u64>) {
        let closed_at = closed_at.unwrap_or(self.at_unix_s);
        if !retention_over(closed_at, self.at_unix_s) {
            // A full table takes no more.
            let _ = self.add(RunEntry { state: RunState::Closed, ..*known }, Some(closed_at));
        }
    }

    fn advance(&mut self, index: usize, state: RunState, closed_at: Option<u64>) {
        if let (Some(entry), Some(date)) = (self.runs.get_mut(index), self.closed_at.get_mut(index)) {
            entry.state = entry.state.max(state);
            *date = date.or(closed_at);
        }
    }

    /// Whether there is no run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The run of that name in that environment.
    #[must_use]
    pub fn get(&self, env: EnvId, run: RunId) -> Option<&RunEntry> {
        self.at(self.position(env, run)?)
    }

    /// Adds a run.
    ///
    /// # Errors
    /// [`RunTableError::Duplicate`] when name or mark key is taken, [`RunTableError::TooMany`] at [`RUNS_MAX`].
    pub fn insert(&mut self, entry: RunEntry) -> Result<(), RunTableError> {
        self.add(entry, None)
    }

    fn add(&mut self, entry: RunEntry, closed_at: Option<u64>) -> Result<(), RunTableError> {
        let clash = |known: &RunEntry| {
            (known.env, known.run) == (entry.env, entry.run) || known.mark_key == entry.mark_key
        };
        if self.runs.iter().any(clash) {
            return Err(RunTableError::Duplicate(entry.run));
        }
        if self.runs.len() >= RUNS_MAX {
            return Err(RunTableError::TooMany);
        }
        self.closed_at.push(closed_at.filter(|_| entry.state == RunState::Closed));
        self.runs.push(entry);
        Ok(())
    }

    /// Moves a run forward in its life.
    ///
    /// # Errors
    /// [`RunTableError::Unknown`] when it is not there, [`RunTableError::Backward`] when it is further already.
    pub fn set_state(&mut self, env: EnvId, run: RunId, state: RunState) -> Result<(), RunTableError> {
        let entry = self
            .runs
            .iter_mut()
            .find(|entry| (entry.env, entry.run) == (env, run))
            .ok_or(RunTableError::Unknown(run))?;
        if state < entry.state {
            return Err(RunTableError::Backward(run));
        }
        entry.state = state;
        Ok(())
    }

    /// Takes a run out. For a closed one, see [`retention_over`]: too early, and its late messages are known no
    /// more.
    pub fn remove(&mut self, env: EnvId, run: RunId) -> Option<RunEntry> {
        let index = self.position(env, run)?;
        self.closed_at.remove(index);
        Some(self.runs.remove(index))
    }

    /// Whether the table is too old, or too far in the future, to say that a run is running.
    #[must_use]
    #[inline]
    pub fn is_stale(&self, now_unix_s: u64) -> bool {
        now_unix_s.abs_diff(self.at_unix_s) > STALE_AFTER_S
    }

    /// The state of a run, minding the age of the table: in a stale one a running run counts as draining.
    #[must_use]
    #[inline]
    pub fn state_at(&self, entry: &RunEntry, now_unix_s: u64) -> RunState {
        match entry.state {
            RunState::Running if self.is_stale(now_unix_s) => RunState::Draining,
            state => state,
        }
    }

    /// The run that marked the trace id, among all that are known, closed ones too.
    #[must_use]
    #[inline]
    pub fn find_mark(&self, id: TraceId) -> Option<&RunEntry> {
        self.runs.iter().find(|entry| entry.mark_key.is_marked(id))
    }

    pub(crate) fn position(&self, env: EnvId, run: RunId) -> Option<usize> {
        self.runs.iter().position(|entry| (entry.env, entry.run) == (env, run))
    }

    #[inline]
    pub(crate) fn at(&self, index: usize) -> Option<&RunEntry> {
        self.runs.get(index)
    }
}

impl<'a> IntoIterator for &'a RunTable {
    type Item = &'a RunEntry;
    type IntoIter = std::slice::Iter<'a, RunEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
