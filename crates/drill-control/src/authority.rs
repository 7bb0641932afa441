//! The one place that holds the signing key: mints leases and says which runs there are.

use std::sync::{Mutex, PoisonError};

use peakdrill_shadow_tag::{
    EnvId, LEASE_BACKDATE_S, LEASE_S, MarkKey, MarkSecret, RunEntry, RunId, RunState, RunTable, SigningKey,
    Token, VerifyingKeys,
};

use crate::error::ControlError;

/// What an authority is made of.
#[derive(Clone)]
pub struct Secrets {
    /// Signs leases.
    pub signing: std::sync::Arc<SigningKey>,
    /// Marks trace ids.
    pub mark: std::sync::Arc<MarkSecret>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(kept)")
    }
}

/// Mints the run's leases and keeps the table of runs that hops read.
#[derive(Debug)]
pub struct Authority {
    env: EnvId,
    run: RunId,
    secrets: Secrets,
    table: Mutex<RunTable>,
}

impl Authority {
    /// An authority for one run, which enters the table as running.
    ///
    /// `earlier` holds the runs known from before: a late message of a closed run must be recognised, for as long as
    /// a queue can still deliver it. Closed runs whose retention is over are left out.
    ///
    /// # Errors
    /// When the table is full or already holds the run: a run id is for a single use.
    pub fn new(
        secrets: Secrets,
        env: EnvId,
        run: RunId,
        mut earlier: RunTable,
        now_unix_s: u64,
    ) -> Result<Self, ControlError> {
        if earlier.get(env, run).is_some() {
            return Err(ControlError::Authority(format!(
                "run `{run}` was there before: a run id is for a single use"
            )));
        }
        earlier.set_at(now_unix_s);
        // A run of an earlier process is over, however that process ended.
        let before: Vec<(EnvId, RunId)> = earlier.iter().map(|entry| (entry.env, entry.run)).collect();
        for (env, run) in before {
            earlier
                .set_state(env, run, RunState::Closed)
                .map_err(|error| ControlError::Authority(error.to_string()))?;
        }
        earlier.date_closed();
        let forgotten = earlier.forget_closed(now_unix_s);
        if forgotten > 0 {
            tracing::debug!(forgotten, "runs that were closed long ago are no longer in the table");
        }
        let mark_key = MarkKey::derive(&secrets.mark, env, run);
        earlier
            .insert(RunEntry { run, env, state: RunState::Running, mark_key })
            .map_err(|error| ControlError::Authority(error.to_string()))?;
        Ok(Self { env, run, secrets, table: Mutex::new(earlier) })
    }

    /// The environment.
    #[must_use]
    pub fn env(&self) -> EnvId {
        self.env
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The run's mark key.
    #[must_use]
    pub fn mark_key(&self) -> MarkKey {
        MarkKey::derive(&self.secrets.mark, self.env, self.run)
    }

    /// The public keys that hops verify with.
    ///
    /// # Errors
    /// When the key cannot be listed.
    pub fn verifying_keys(&self) -> Result<VerifyingKeys, ControlError> {
        let mut keys = VerifyingKeys::default();
        keys.add(self.secrets.signing.kid(), self.secrets.signing.public())
            .map_err(|error| ControlError::Authority(error.to_string()))?;
        Ok(keys)
    }

    /// A fresh lease of so many seconds and the Unix second at which it ends. Never longer than a minute: so long
    /// a tag outlives its drill at most.
    ///
    /// # Errors
    /// When the run is closed, or the key refuses.
    pub fn mint(&self, now_unix_s: u64, lease_s: u64) -> Result<(Token, u64), ControlError> {
        if self.state() == Some(RunState::Closed) {
            return Err(ControlError::Authority("the run is closed".into()));
        }
        let token = self
            .secrets
            .signing
            .mint(
                self.env,
                self.run,
                now_unix_s.saturating_sub(LEASE_BACKDATE_S),
                now_unix_s + lease_s.clamp(1, LEASE_S),
            )
            .map_err(|error| ControlError::Authority(error.to_string()))?;
        let exp = token.unverified().exp_unix_s;
        Ok((token, exp))
    }

    fn state(&self) -> Option<RunState> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(self.env, self.run).map(|entry| entry.state)
    }

    /// Moves the run to a later state.
    ///
    /// # Errors
    /// When the state would go backwards.
    pub fn set_state(&self, state: RunState) -> Result<(), ControlError> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.set_state(self.env, self.run, state).map_err(|error| ControlError::Authority(error.to_string()))
    }

    /// The table as hops read it, dated now; so is a run that was closed since.
    #[must_use]
    pub fn table_json(&self, now_unix_s: u64) -> String {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.set_at(now_unix_s);
        table.date_closed();
        table.to_json()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use peakdrill_shadow_tag::CLOSED_RETENTION_S;

    use super::*;

    fn secrets() -> Secrets {
        Secrets {
            signing: Arc::new(SigningKey::from_seed("k1".parse().unwrap(), &[7; 32])),
            mark: Arc::new(MarkSecret::from_bytes([9; 32])),
        }
    }

    fn after(earlier: RunTable, run: &str, now_unix_s: u64) -> Authority {
        Authority::new(secrets(), "test".parse().unwrap(), run.parse().unwrap(), earlier, now_unix_s).unwrap()
    }

    fn authority() -> Authority {
        after(RunTable::new(1_000), "r1", 1_000)
    }

    #[test]
    fn runs_of_earlier_drills_are_kept_for_their_retention_and_no_longer() {
        let read = |authority: &Authority, now| RunTable::from_json(&authority.table_json(now)).unwrap();
        let first = authority();
        first.set_state(RunState::Closed).unwrap();
        // The second drill dies without closing its run, which counts as closed when the third one starts.
        let second = after(read(&first, 1_100), "r2", 1_200);
        let (env, r1, r2) = (second.env(), first.run(), second.run());
        let third_start = 1_100 + CLOSED_RETENTION_S;
        let third = read(&after(read(&second, 1_300), "r3", third_start), third_start);
        assert_eq!(third.closed_at_unix_s(env, r1), Some(1_100));
        assert_eq!(third.closed_at_unix_s(env, r2), Some(third_start));
        assert_eq!(third.get(env, r2).unwrap().state, RunState::Closed);
        let fourth = read(&after(third, "r4", third_start + 1), third_start + 1);
        assert!(fourth.get(env, r1).is_none());
        assert_eq!(fourth.len(), 3);
    }

    #[test]
    fn a_closed_run_mints_nothing() {
        let authority = authority();
        assert!(authority.mint(1_000, 60).is_ok());
        authority.set_state(RunState::Draining).unwrap();
        authority.set_state(RunState::Closed).unwrap();
        assert!(authority.mint(1_001, 60).is_err());
    }

    #[test]
    fn a_lease_ends_within_a_minute() {
        let (_, exp) = authority().mint(1_000, 600).unwrap();
        assert!(exp > 1_000 && exp <= 1_060);
    }

    #[test]
    fn a_run_id_is_used_once() {
        let table = RunTable::from_json(&authority().table_json(1_000)).unwrap();
        let again =
            Authority::new(authority().secrets, "test".parse().unwrap(), "r1".parse().unwrap(), table, 1_001);
        assert!(again.is_err());
    }
}
