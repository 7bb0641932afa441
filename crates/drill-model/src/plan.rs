//! The resolved plan of a drill: every default filled in, every name turned into an index.
//!
//! A plan is made by `peakdrill-scenarios` from YAML (or from command-line flags) and is valid by
//! construction; its JSON is `plan.json` of the record, with secrets left out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
pub use crate::feeder::*;
pub use crate::grpc::{DescriptorSet, MessageTypes};
pub use crate::journey::*;
pub use crate::reach::*;
use crate::shape::Shape;
pub use crate::telemetry::{Scrape, Telemetry, is_sampled};
pub use crate::ws::*;

/// Version of `plan.json`.
pub const PLAN_VERSION: u32 = 1;

/// Index into [`Plan::steps`]: one request step of one journey.
pub type StepId = u16;
/// Index into [`Plan::journeys`].
pub type JourneyId = u16;

/// A drill, ready to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub v: u32,
    /// The drill's name.
    pub name: String,
    /// Free labels for people and reports.
    pub labels: BTreeMap<String, String>,
    /// `production`, `staging`, … as written; `local` when the file says nothing.
    pub environment: String,
    /// SHA-256 of the scenario text after `--set`, hex; of the flags for a run without a file.
    pub scenario_sha256: String,
    /// What is hit. At least one.
    pub targets: Vec<Target>,
    /// How requests are tagged; `None`: a plain `traceparent` only (never in production).
    pub shadow: Option<ShadowPlan>,
    /// The isolation rules: the same block that services and sidecars read.
    pub isolation: Isolation,
    /// Telemetry that is fetched.
    #[serde(default, skip_serializing_if = "Telemetry::is_empty")]
    pub telemetry: Telemetry,
    /// Data for journeys.
    pub feeders: Vec<Feeder>,
    /// Files whose bytes are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<DataFile>,
    /// What users do. At least one.
    pub journeys: Vec<Journey>,
    /// All request steps of all journeys, in order of appearance.
    pub steps: Vec<StepInfo>,
    /// Load over time.
    pub load: Load,
    /// Stop rules and limits.
    pub guards: Guards,
    /// Pass rules.
    pub gates: Vec<Gate>,
    /// Renderings wanted besides those of the record.
    pub reports: Vec<Report>,
}

impl Plan {
    /// Whether the strict rules of production hold.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.environment == "production"
    }

    /// Names of the secrets that requests carry.
    #[must_use]
    pub fn request_secrets(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for journey in &self.journeys {
            Node::requests(&journey.steps, &mut |request| {
                request.templates().for_each(|template| {
                    template.visit(&mut |part| {
                        if let Part::Secret(name) = part {
                            names.insert(name.as_str());
                        }
                    });
                });
            });
        }
        names
    }

    /// Whether requests of a step carry the tag and a trace: all but messages over a connection that was opened before.
    #[must_use]
    pub fn is_tagged(&self, step: StepId) -> bool {
        self.steps.get(usize::from(step)).is_none_or(|info| !info.message)
    }

    /// Total planned length, in nanoseconds; at most `u64::MAX`.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        // Asked of plans that are still being checked, whose phases may sum to more than fits.
        let lengths = self.load.phases.iter().map(|phase| phase.shape.duration_ns());
        lengths.fold(0, u64::saturating_add)
    }
}

/// One target and how to connect to it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the file.
    pub name: String,
    /// `http://host:port` or `https://…`, or of a target of `ws` steps alone `ws://host:port` or `wss://…`, with an
    /// optional path prefix, without a trailing slash; of a gRPC target `grpc://host:port` or `grpcs://…`.
    pub base_url: String,
    /// Limit for opening a connection, TLS included.
    pub connect_timeout_ns: u64,
    /// Limit for one exchange, from its first byte sent to its last received.
    pub request_timeout_ns: u64,
    /// Upper limit of open connections over all shards.
    pub max_connections: usize,
    /// Open all of `max_connections` before the start and keep exactly so many.
    pub exact_connections: bool,
    /// How it is spoken to.
    #[serde(default)]
    pub protocol: Protocol,
    /// Path of a PEM file with further certificate authorities.
    pub tls_ca: Option<String>,
    /// Do not verify the server's certificate. Only by an explicit key, and reported.
    pub tls_insecure: bool,
    /// Where the message types are from; `Some` exactly for gRPC targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<MessageTypes>,
    /// Who the generator says it is in TLS, and who the server is to be.
    #[serde(default)]
    pub tls: TlsIdentity,
    /// How connections are shared and renewed, and where they come from.
    #[serde(default)]
    pub connections: ConnectionRules,
    /// Which addresses it has.
    #[serde(default)]
    pub resolve: ResolveRules,
}

impl Target {
    /// The URL with a scheme of the web: `grpc://` is `http://`, and `grpcs://` is `https://`.
    #[must_use]
    pub fn web_url(&self) -> Cow<'_, str> {
        match self.base_url.strip_prefix("grpc") {
            Some(rest) if rest.starts_with("://") || rest.starts_with("s://") => {
                Cow::Owned(format!("http{rest}"))
            }
            _ => Cow::Borrowed(&self.base_url),
        }
    }

    /// How its certificate is verified, and what it is shown, in one.
    #[must_use]
    pub fn trust(&self) -> Tls {
        Tls { ca: self.tls_ca.clone(), insecure: self.tls_insecure, identity: self.tls.clone() }
    }

    /// Whether its connections are in TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        let scheme = self.base_url.split_once("://").map(|(scheme, _)| scheme);
        matches!(scheme, Some("https" | "wss" | "grpcs"))
    }
}

/// What is spoken with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1: a connection carries one exchange after the other.
    #[default]
    Http1,
    /// HTTP/2: without TLS by prior knowledge, in TLS as agreed on by ALPN.
    Http2 {
        /// Exchanges that a connection carries at a time, at most; the peer may allow fewer.
        streams: u32,
    },
}

/// How requests are tagged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowPlan {
    /// Name of the secret that holds the signing key (the key itself is never in a plan).
    pub key_secret: Option<String>,
    /// Life of a token.
    pub lease_ns: u64,
    /// The private header, besides `baggage` and `traceparent`.
    pub header: String,
    /// Smallest share (0..=1) of answers that must acknowledge the tag; `None`: not required.
    pub ack_require: Option<f64>,
    /// The header in which the first hop acknowledges.
    pub ack_header: String,
}

/// Isolation rules.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Isolation {
    /// SQL stores.
    pub stores: Vec<SqlStore>,
    /// Third parties that never see the drill.
    pub stubs: Vec<Stub>,
    /// Whether a leak stops the drill.
    pub on_leak_stop: bool,
}

/// One SQL store of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SqlStore {
    /// `sqlite` or `postgres`.
    pub kind: String,
    /// The service that uses it.
    pub service: String,
    /// Where shadow data goes.
    pub mode: SqlMode,
    /// Policy per table name (`*` for all others): `shadow`, `read_live`, `overlay`, `mock`, `deny`.
    pub tables: BTreeMap<String, String>,
    /// Name of the secret or environment variable with a DSN that preflight may use to compare structures.
    pub dsn: Option<String>,
}

/// Where shadow rows of a SQL store go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqlMode {
    /// Same schema, other table: a prefix or a suffix on the name.
    ShadowTable {
        /// Put before the name.
        #[serde(default)]
        prefix: String,
        /// Put after the name.
        #[serde(default)]
        suffix: String,
    },
    /// Same table name in another schema.
    ShadowSchema {
        /// The schema's name.
        schema: String,
    },
}

/// A stubbed third party.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stub {
    /// Host (and optional `:port`) that is answered by the stub.
    pub host: String,
    /// Status of the answer.
    pub status: u16,
    /// Median latency, in nanoseconds.
    pub latency_median_ns: u64,
    /// Shape of the lognormal distribution of the latency; 0 for a constant.
    pub latency_sigma: f64,
    /// Body of the answer.
    pub body: String,
}

/// Load over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Default spacing of arrivals.
    pub arrivals: Arrivals,
    /// How generators wait for the next arrival.
    #[serde(default)]
    pub pacing: Pacing,
    /// Seed of everything random.
    pub seed: u64,
    /// Over so many journeys in flight, arrivals are counted as missed.
    pub max_in_flight: usize,
    /// The phases, one after the other. At least one.
    pub phases: Vec<Phase>,
}

/// Spacing of arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// A Poisson process.
    Poisson,
    /// Evenly on the integral of the rate.
    Even,
}

/// How a generator waits for the next arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// Precise while a generator's core has room, then economy.
    #[default]
    Auto,
    /// Each arrival by itself, to within microseconds: wakes early and polls until it is due.
    Precise,
    /// Arrivals of a millisecond share one waking: least processor time. The lateness is part of the latency.
    Economy,
}

/// A phase of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// The rate over its time.
    pub shape: Shape,
    /// Spacing in this phase.
    pub arrivals: Arrivals,
    /// Whether gates and the run's totals of latency look at it.
    pub measure: bool,
    /// Shares per journey in this phase, summing to 1; `None`: the journeys' own.
    pub mix: Option<Vec<f64>>,
    /// Requests that a journey is expected to send at this phase's mix, where the scenario's rates count requests: the
    /// shape's rates are those divided by it. `None`: the scenario's rates count journeys.
    #[serde(default)]
    pub requests_per_journey: Option<f64>,
    /// Any of these ends the phase; the run goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<Condition>,
    /// What a search aims at: all of these hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objective: Vec<Condition>,
}

impl Phase {
    /// A measured phase with the journeys' own mix and nothing that ends it before its time.
    #[must_use]
    pub fn measured(name: &str, shape: Shape, arrivals: Arrivals) -> Self {
        Self {
            name: name.to_owned(),
            shape,
            arrivals,
            measure: true,
            mix: None,
            requests_per_journey: None,
            until: Vec::new(),
            objective: Vec::new(),
        }
    }
}

/// Stop rules and limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Guards {
    /// Any of these stops all load.
    pub stop: Vec<Condition>,
    /// The rate may never exceed this (journeys a second).
    pub limit_rate: Option<f64>,
    /// The run may never last longer.
    pub limit_duration_ns: Option<u64>,
    /// Hosts that may be hit (`*.` prefix allowed); empty: those of the targets.
    pub hosts_allow: Vec<String>,
    /// Hosts that may never be hit.
    pub hosts_deny: Vec<String>,
    /// How long answers are awaited after a stop.
    pub drain_ns: u64,
}

/// A pass rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name; the assertion when it has none.
    pub name: String,
    /// The condition as written.
    pub assert: String,
    /// The condition.
    pub condition: Condition,
    /// Names of the phases it looks at; empty: all that are measured.
    pub during: Vec<String>,
    /// Fewer samples make it inconclusive.
    pub min_samples: u64,
    /// Only warns.
    pub warn_only: bool,
    /// Line in the scenario file, for annotations; 0 without a file.
    pub line: u32,
}

impl Gate {
    /// Whether it looks at a phase of this name, which is measured or not.
    #[must_use]
    pub fn looks_at(&self, phase: &str, measured: bool) -> bool {
        if self.during.is_empty() { measured } else { self.during.iter().any(|wanted| wanted == phase) }
    }
}

/// A rendering besides those of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The HTML report, to this path.
    Html(String),
    /// JUnit XML.
    Junit(String),
    /// Markdown.
    Markdown(String),
    /// The verdict.
    Json(String),
}
