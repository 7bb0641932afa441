//! What a hop knows: its environment, the keys it trusts, the runs, and the tokens it has seen.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::cache::{Cache, Proof};
use crate::{EnvId, Refusal, RunTable, VerifyingKeys};

/// How many copies of the state there are, so that threads seldom wait for one lock's cache line.
pub const SHARDS: usize = 8;

struct State {
    keys: Arc<VerifyingKeys>,
    runs: Arc<RunTable>,
    cache: Cache,
    /// Counts replacements: what was proved under older keys or runs is not remembered under newer ones.
    generation: u64,
}

// Alone on its cache lines (two: processors fetch them in pairs), or the shards would share what they are there
// to keep apart.
#[repr(align(128))]
struct Shard(RwLock<State>);

impl Shard {
    // Every change of the state is one assignment after another without a panic between them, so a poisoned lock
    // holds a whole state all the same.
    #[inline]
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verifies claims for one hop. Shared by reference between all threads.
///
/// Signatures are checked once per token and shard; expiry, environment and the state of the run each time.
pub struct Verifier {
    env: EnvId,
    shards: Box<[Shard]>,
}

impl Verifier {
    /// A verifier for one environment.
    #[must_use]
    pub fn new(env: EnvId, keys: VerifyingKeys, runs: RunTable) -> Self {
        let (keys, runs) = (Arc::new(keys), Arc::new(runs));
        let shard = |_| {
            let (keys, runs) = (Arc::clone(&keys), Arc::clone(&runs));
            Shard(RwLock::new(State { keys, runs, cache: Cache::new(), generation: 0 }))
        };
        Self { env, shards: (0..SHARDS).map(shard).collect() }
    }

    /// The environment.
    #[must_use]
    #[inline]
    pub fn env(&self) -> EnvId {
        self.env
    }

    /// Takes a new run table, as news from the registry.
    pub fn replace_runs(&self, runs: RunTable) {
        let runs = Arc::new(runs);
        self.change(|state| state.runs = Arc::clone(&runs));
    }

    /// Takes a new set of keys. Tokens of a key that is no longer there are refused from now on.
    pub fn replace_keys(&self, keys: VerifyingKeys) {
        let keys = Arc::new(keys);
        self.change(|state| state.keys = Arc::clone(&keys));
    }

    /// The run table that is in force.
    #[must_use]
    pub fn runs(&self) -> Arc<RunTable> {
        self.shard().map(|shard| Arc::clone(&shard.read().runs)).unwrap_or_default()
    }

    fn change(&self, apply: impl Fn(&mut State)) {
        for shard in &self.shards {
            let mut state = shard.write();
            apply(&mut state);
            state.cache.clear();
            state.generation = state.generation.wrapping_add(1);
        }
    }

    /// Proves the token, if there is one, and decides with that under one view of keys and runs.
    #[inline]
    pub(crate) fn judge<T>(
        &self,
        token: Option<&[u8]>,
        decide: impl FnOnce(&RunTable, Option<&Proof>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        // There is always a shard; without one no claim could be checked, and none is accepted.
        let shard = self.shard().ok_or(Refusal::UnknownKey)?;
        let state = shard.read();
        let Some(text) = token else {
            return decide(&state.runs, None);
        };
        if let Some(proof) = state.cache.get(text) {
            return decide(&state.runs, Some(proof));
        }
        let lease = state.keys.verify(text)?;
        let proof = Proof { lease, run_index: state.runs.position(lease.env, lease.run) };
        let decided = decide(&state.runs, Some(&proof));
        let generation = state.generation;
        drop(state);
        let mut state = shard.write();
        if state.generation == generation {
            state.cache.put(text, proof);
        }
        decided
    }

    #[inline]
    fn shard(&self) -> Option<&Shard> {
        thread_local!(static MARKER: u8 = const { 0 });
        // Where a thread keeps its own variables tells threads apart, and nothing has to be counted for it.
        let address = MARKER.with(|marker| std::ptr::from_ref(marker).addr() as u64);
        let mixed = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.shards.get(mixed as usize % SHARDS)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("env", &self.env).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
