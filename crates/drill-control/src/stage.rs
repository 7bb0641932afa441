//! What must stand before a drill can run: authority, registry, collector.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peakdrill_bottleneck::TraceClass;
use peakdrill_collector::{Collector, CollectorConfig, Limits};
use peakdrill_shadow_tag::{EnvId, MarkKey, RunId, RunState, RunTable, TraceId};
use peakdrill_timebase::{Clock, OsClock};

use crate::authority::{Authority, Secrets};
use crate::error::ControlError;
use crate::registry::{Registry, RunsFile, RunsLock, unix_s};

/// Hops ask for the table of runs once a second; two rounds, at most.
const HOPS_HEAR_WITHIN: Duration = Duration::from_millis(2_200);

/// Whether spans are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectorMode {
    /// They must be.
    Required,
    /// When the addresses are free.
    WhenFree,
    /// No.
    Off,
}

/// How a stage is set.
#[derive(Debug, Clone)]
pub struct StageSettings {
    /// The run's id: for a single use.
    pub run: RunId,
    /// The environment, as hops know it.
    pub env: EnvId,
    /// Keys; `None`: nothing is tagged.
    pub secrets: Option<Secrets>,
    /// Runs known from earlier drills.
    pub runs_file: Option<RunsFile>,
    /// Where the table of runs is served.
    pub registry: SocketAddr,
    /// Where OTLP over gRPC is received.
    pub otlp_grpc: SocketAddr,
    /// Where OTLP over HTTP is received.
    pub otlp_http: SocketAddr,
    /// Whether spans are received.
    pub collector: CollectorMode,
    /// Where the journal goes; `None`: no journal.
    pub journal: Option<PathBuf>,
    /// Bytes that it may hold; `None`: what the collector holds to be enough.
    pub journal_bytes_max: Option<u64>,
}

/// An open stage.
pub struct Stage {
    pub(crate) clock: OsClock,
    pub(crate) run: RunId,
    pub(crate) authority: Option<Arc<Authority>>,
    pub(crate) runs_file: Option<RunsFile>,
    /// Given back after the run was closed in the file.
    _runs_lock: Option<RunsLock>,
    pub(crate) registry: Option<Registry>,
    pub(crate) collector: Option<Collector>,
    /// Why there is no collector although one was wanted.
    pub(crate) collector_off: Option<String>,
}

impl Stage {
    /// Opens it.
    ///
    /// # Errors
    /// When the registry or a required collector cannot listen, or the run id was used before.
    pub fn open(settings: StageSettings) -> Result<Self, ControlError> {
        let clock = OsClock::new();
        let runs_lock = settings.runs_file.as_ref().map(RunsFile::lock).transpose()?;
        let authority =
            settings.secrets.clone().map(|secrets| authority(&settings, secrets, &clock)).transpose()?;
        let registry = authority
            .as_ref()
            .map(|authority| Registry::serve(Arc::clone(authority), settings.registry, clock))
            .transpose()?;
        let (collector, collector_off) = collector(&settings, authority.as_deref())?;
        let stage = Self {
            clock,
            run: settings.run,
            authority,
            runs_file: settings.runs_file,
            _runs_lock: runs_lock,
            registry,
            collector,
            collector_off,
        };
        stage.keep_runs()?;
        Ok(stage)
    }

    /// The gRPC address for services' telemetry.
    #[must_use]
    pub fn otlp_grpc(&self) -> Option<SocketAddr> {
        self.collector.as_ref().map(|collector| collector.addresses().0)
    }

    /// Where hops read the table of runs.
    #[must_use]
    pub fn registry_url(&self) -> Option<String> {
        self.registry.as_ref().map(Registry::url)
    }

    /// The public keys, as hops read them.
    ///
    /// # Errors
    /// When the key cannot be listed.
    pub fn verifying_keys_json(&self) -> Result<Option<String>, ControlError> {
        self.authority.as_ref().map(|authority| Ok(authority.verifying_keys()?.to_json())).transpose()
    }

    /// Waits until the hops have heard that the run is closed since `closed`, within limits. One that does not hear it goes on
    /// taking the run's late messages for a minute.
    pub(crate) fn told_hops(&self, closed: Instant) {
        if let Some(registry) = &self.registry
            && !registry.told(closed, HOPS_HEAR_WITHIN)
        {
            tracing::warn!("not every hop has heard that the run is closed");
        }
    }

    /// Wall-clock time, Unix nanoseconds.
    pub(crate) fn clock_unix_ns(&self) -> i64 {
        self.clock.unix().0
    }

    /// Closes the run: its tag is dead at every hop that hears of it.
    pub(crate) fn close(&self) -> Result<(), ControlError> {
        if let Some(authority) = &self.authority {
            authority.set_state(RunState::Closed)?;
        }
        self.keep_runs()
    }

    /// Writes the table of runs to its file.
    pub(crate) fn keep_runs(&self) -> Result<(), ControlError> {
        match (&self.runs_file, &self.authority) {
            (Some(file), Some(authority)) => file.store(&authority.table_json(unix_s(&self.clock))),
            _ => Ok(()),
        }
    }
}

impl Drop for Stage {
    /// However a drill ends, its run is closed. Nothing can be done when that fails too; hops that hear nothing
    /// treat the run as draining within a minute.
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the run could not be closed");
        }
    }
}

fn authority(
    settings: &StageSettings,
    secrets: Secrets,
    clock: &OsClock,
) -> Result<Arc<Authority>, ControlError> {
    let now = unix_s(clock);
    let earlier =
        settings.runs_file.as_ref().map_or_else(|| Ok(RunTable::new(now)), |file| file.load(now))?;
    Authority::new(secrets, settings.env, settings.run, earlier, now).map(Arc::new)
}

type MaybeCollector = (Option<Collector>, Option<String>);

fn collector(
    settings: &StageSettings,
    authority: Option<&Authority>,
) -> Result<MaybeCollector, ControlError> {
    if settings.collector == CollectorMode::Off {
        return Ok((None, Some("switched off".to_owned())));
    }
    let mut limits = Limits::default();
    limits.journal_bytes_max = settings.journal_bytes_max.unwrap_or(limits.journal_bytes_max);
    let config = CollectorConfig {
        grpc: settings.otlp_grpc,
        http: Some(settings.otlp_http),
        journal_dir: settings.journal.clone(),
        classify: classifier(authority.map(Authority::mark_key)),
        limits,
    };
    match Collector::start(config) {
        Ok(collector) => Ok((Some(collector), None)),
        Err(error) if settings.collector == CollectorMode::WhenFree => Ok((None, Some(error.to_string()))),
        Err(error) => Err(ControlError::Collector(error.to_string())),
    }
}

/// Shadow is told from live by the mark in the trace id alone: no attribute is needed.
fn classifier(mark: Option<MarkKey>) -> Arc<dyn Fn(u128) -> TraceClass + Send + Sync> {
    Arc::new(move |trace| {
        let id = TraceId::from_bytes(trace.to_be_bytes());
        match (&mark, id) {
            (Some(mark), Some(id)) if mark.is_marked(id) => TraceClass::Mine,
            _ => TraceClass::Live,
        }
    })
}
