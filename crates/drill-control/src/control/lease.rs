//! Keeps the run's lease fresh.

use std::sync::Arc;

use peakdrill_drill_model::plan::Plan;
use peakdrill_loadgen::{ShadowTagging, Tagging, TokenCell};
use peakdrill_shadow_tag::LEASE_RENEW_S;
use peakdrill_timebase::NS_PER_S;

use crate::authority::Authority;
use crate::error::ControlError;
use crate::registry::unix_s;
use crate::stage::Stage;

/// The lease of a run, or that there is none.
pub(super) struct Leases {
    authority: Option<Arc<Authority>>,
    tagging: Tagging,
    lease_s: u64,
    renew_at_unix_s: u64,
}

impl Leases {
    /// Mints the first lease.
    pub(super) fn new(stage: &Stage, plan: &Plan) -> Result<Self, ControlError> {
        let Some(shadow) = &plan.shadow else {
            return Ok(Self { authority: None, tagging: Tagging::Plain, lease_s: 0, renew_at_unix_s: 0 });
        };
        let Some(authority) = stage.authority.clone() else {
            let name = shadow.key_secret.as_deref().unwrap_or("PEAKDRILL_SIGNING_KEY");
            return Err(ControlError::Plan(format!(
                "the scenario wants tagged requests but there is no key: set {name} (and PEAKDRILL_MARK_SECRET); \
                 `peakdrill keys new` makes them"
            )));
        };
        let tagging = Tagging::Shadow(Arc::new(ShadowTagging {
            mark: authority.mark_key(),
            token: TokenCell::new(),
            header: shadow.header.clone(),
            ack_header: shadow.ack_header.clone(),
            check_ack: shadow.ack_require.is_some(),
        }));
        let lease_s = (shadow.lease_ns / NS_PER_S).max(1);
        let mut leases = Self { authority: Some(authority), tagging, lease_s, renew_at_unix_s: 0 };
        leases.renew(unix_s(&stage.clock))?;
        Ok(leases)
    }

    /// How requests are tagged.
    pub(super) fn tagging(&self) -> Tagging {
        self.tagging.clone()
    }

    /// Mints a new lease when it is time.
    pub(super) fn renew(&mut self, now_unix_s: u64) -> Result<(), ControlError> {
        let (Some(authority), Tagging::Shadow(shadow)) = (&self.authority, &self.tagging) else {
            return Ok(());
        };
        if now_unix_s >= self.renew_at_unix_s {
            let (token, exp) = authority.mint(now_unix_s, self.lease_s)?;
            shadow.token.set(token.as_str(), exp);
            // A third of its life, so that a late renewal does no harm. One that fails ends the drill.
            self.renew_at_unix_s = now_unix_s + LEASE_RENEW_S.min(self.lease_s / 3).max(1);
        }
        Ok(())
    }
}
