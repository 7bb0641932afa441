//! The router: what one service knows and counts.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderName;
use peakdrill_drill_model::ledger::{LedgerRow, Outcome};
use peakdrill_shadow_rules::http::{Egress, Host};
use peakdrill_shadow_rules::sql::{Decision, DecisionCache, Place};
use peakdrill_shadow_rules::{Dialect, Mode, Refused, Rules, code, http as rules_http};
use peakdrill_shadow_tag::{Class, DEFAULT_HEADER, Position, RunId, RunState, Shadow, Verifier};

use crate::error::Error;
use crate::ledger::Ledger;

/// The router of one service. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Router(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) service: String,
    pub(crate) position: Position,
    pub(crate) mode: Mode,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) header: HeaderName,
    pub(crate) ledger: Ledger,
    now: Option<WallClock>,
    rules: Rules,
    sqlite: DecisionCache,
    postgres: DecisionCache,
}

/// Tells the Unix time in whole seconds.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Sets up a [`Router`].
#[must_use]
pub struct RouterBuilder {
    service: String,
    position: Position,
    mode: Mode,
    verifier: Option<Arc<Verifier>>,
    rules: Rules,
    header: String,
    now: Option<WallClock>,
}

impl RouterBuilder {
    /// Where the service stands. An inner hop, when not set.
    pub fn position(mut self, position: Position) -> Self {
        self.position = position;
        self
    }

    /// What happens to work without stamp and tag. [`Mode::Enforce`], when not set.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Who verifies claims. Must be set.
    pub fn verifier(mut self, verifier: impl Into<Arc<Verifier>>) -> Self {
        self.verifier = Some(verifier.into());
        self
    }

    /// What the service may touch during a drill. Nothing, when not set.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The private header that carries the token. `x-peakdrill`, when not set.
    pub fn header(mut self, name: impl Into<String>) -> Self {
        self.header = name.into();
        self
    }

    /// The clock that leases are held against. The system's wall clock, when not set.
    pub fn clock(mut self, now: WallClock) -> Self {
        self.now = Some(now);
        self
    }

    /// The router.
    ///
    /// # Errors
    /// When no verifier was set, or the header's name is none, or is one that other carriers have.
    pub fn build(self) -> Result<Router, Error> {
        let verifier = self.verifier.ok_or_else(|| Error::config("a router needs a verifier"))?;
        let header = HeaderName::from_bytes(self.header.as_bytes())
            .map_err(|_| Error::config("the private header's name is not that of a header"))?;
        if matches!(header.as_str(), "baggage" | "traceparent" | "tracestate" | "host") {
            return Err(Error::config("the private header needs a name of its own"));
        }
        let cache = |dialect| DecisionCache::new(self.rules.sql(dialect).clone());
        Ok(Router(Arc::new(Inner {
            service: self.service,
            position: self.position,
            mode: self.mode,
            verifier,
            header,
            ledger: Ledger::default(),
            now: self.now,
            sqlite: cache(Dialect::Sqlite),
            postgres: cache(Dialect::Postgres),
            rules: self.rules,
        })))
    }
}

impl Router {
    /// Begins to set up the router of a service.
    pub fn builder(service: impl Into<String>) -> RouterBuilder {
        RouterBuilder {
            service: service.into(),
            position: Position::Inner,
            mode: Mode::default(),
            verifier: None,
            rules: Rules::empty(),
            header: DEFAULT_HEADER.to_owned(),
            now: None,
        }
    }

    /// The service's name.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.0.service
    }

    /// Where the service stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// What happens to work without stamp and tag.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Who verifies claims, for whoever brings it news of runs and keys.
    #[must_use]
    pub fn verifier(&self) -> &Arc<Verifier> {
        &self.0.verifier
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// Every decision so far, counted; sorted by run, resource and outcome.
    #[must_use]
    pub fn ledger_snapshot(&self) -> Vec<LedgerRow> {
        self.0.ledger.snapshot(&self.0.service)
    }

    pub(crate) fn count(&self, class: &Class, resource: impl Into<Arc<str>>, outcome: Outcome) {
        self.0.ledger.count(class, resource, outcome, |run| self.is_over(run));
    }

    /// Counts a refusal and makes an error of it.
    pub(crate) fn refuse(&self, class: &Class, refused: Refused) -> Error {
        self.count(class, refused.resource(), Outcome::Refused);
        Error::from(refused)
    }

    /// The class with the state that its run has now: work that goes on for long must end with its run.
    fn now_class(&self, class: &Class) -> Class {
        let Class::Shadow(shadow) = class else { return *class };
        let runs = self.0.verifier.runs();
        let entry = runs.get(shadow.env, shadow.run);
        let state = entry.map_or(RunState::Closed, |entry| runs.state_at(entry, self.0.now_unix_s()));
        Class::Shadow(Shadow { state, ..*shadow })
    }

    pub(crate) fn egress(&self, class: &Class, host: &Host) -> Result<Egress<'_>, Error> {
        let class = &self.now_class(class);
        if let Class::Shadow(Shadow { state: RunState::Closed, .. }) = class {
            return Err(self.refuse(class, Refused::new(code::RUN_CLOSED, "egress", "the run is closed")));
        }
        rules_http::egress(&self.0.rules, class, self.0.mode, host)
            .map_err(|refused| self.refuse(class, refused))
    }

    /// Decides about a statement, and counts.
    pub(crate) fn decide_sql(
        &self,
        dialect: Dialect,
        class: &Class,
        place: Place,
        sql: &str,
    ) -> Result<Arc<Decision>, Error> {
        let class = &self.now_class(class);
        let decided = self.cache(dialect).decide(class, self.0.mode, sql);
        match decided.and_then(|decision| decision.check_place(place).map(|()| decision).map_err(Arc::new)) {
            Ok(decision) => {
                self.count_touched(class, &decision);
                Ok(decision)
            }
            Err(refused) => Err(self.refuse(class, (*refused).clone())),
        }
    }

    /// Decides whether work may begin a transaction, and counts as for the statement.
    pub(crate) fn admit_sql(&self, dialect: Dialect, class: &Class) -> Result<(), Error> {
        let class = &self.now_class(class);
        match self.cache(dialect).decide(class, self.0.mode, "BEGIN") {
            Ok(decision) => {
                self.count_touched(class, &decision);
                Ok(())
            }
            Err(refused) => Err(self.refuse(class, (*refused).clone())),
        }
    }

    fn count_touched(&self, class: &Class, decision: &Decision) {
        for touched in decision.touched() {
            self.count(class, Arc::clone(&touched.resource), touched.outcome);
        }
    }

    fn cache(&self, dialect: Dialect) -> &DecisionCache {
        match dialect {
            Dialect::Sqlite => &self.0.sqlite,
            Dialect::Postgres => &self.0.postgres,
        }
    }

    /// Whether a run is over, for the ledger: what the table no longer has was closed long ago.
    fn is_over(&self, run: RunId) -> bool {
        let verifier = &self.0.verifier;
        verifier.runs().get(verifier.env(), run).is_none_or(|entry| entry.state == RunState::Closed)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("service", &self.0.service)
            .field("position", &self.0.position)
            .field("mode", &self.0.mode)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Leases are held against the wall clock, which may be set right while the service runs.
    pub(crate) fn now_unix_s(&self) -> u64 {
        match &self.now {
            Some(now) => now(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        }
    }
}

impl fmt::Debug for RouterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterBuilder")
            .field("service", &self.service)
            .field("position", &self.position)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
