//! The ledger as an OpenTelemetry metric.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use peakdrill_drill_model::ledger::{ATTR_OUTCOME, ATTR_RESOURCE, ATTR_RUN, METRIC};

use crate::error::Error;
use crate::router::Router;

/// How often the ledger is sent.
pub const EXPORT_INTERVAL: Duration = Duration::from_millis(250);
const SCOPE: &str = "peakdrill-shadow-router";

impl Router {
    /// Reports the ledger by this meter, as a cumulative and monotonic sum, whenever its provider collects: every
    /// [`EXPORT_INTERVAL`], if drill control is to see what happens while it happens. Once per provider.
    pub fn register_metrics(&self, meter: &Meter) {
        let router = self.clone();
        let builder = meter.u64_observable_counter(METRIC).with_callback(move |observer| {
            for row in router.ledger_snapshot() {
                let attributes = [
                    KeyValue::new(ATTR_RUN, row.run),
                    KeyValue::new(ATTR_RESOURCE, row.resource),
                    KeyValue::new(ATTR_OUTCOME, row.outcome.text()),
                ];
                observer.observe(row.count, &attributes);
            }
        });
        // The provider keeps the callback; the instrument is only a handle.
        let _handle = builder.build();
    }
}

/// The ledger on its way to a collector by OTLP over gRPC, for a service without metrics of its own. Sent for the
/// last time when it is [`shut down`](Self::shutdown).
#[derive(Debug)]
pub struct LedgerExport(SdkMeterProvider);

impl LedgerExport {
    /// Begins to send to `endpoint` (`http://host:port`), every [`EXPORT_INTERVAL`]. Needs a running runtime.
    ///
    /// # Errors
    /// When the endpoint is none.
    pub fn start(router: &Router, endpoint: &str) -> Result<Self, Error> {
        let exporter = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_temporality(Temporality::Cumulative)
            .build()
            .map_err(|error| Error::config(format!("the ledger cannot be sent: {error}")))?;
        let reader = PeriodicReader::builder(exporter).with_interval(EXPORT_INTERVAL).build();
        let resource = Resource::builder().with_service_name(router.service().to_owned()).build();
        let provider = SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build();
        router.register_metrics(&provider.meter(SCOPE));
        Ok(Self(provider))
    }

    /// Sends what is left, and ends.
    ///
    /// # Errors
    /// When the collector does not take it.
    pub async fn shutdown(self) -> Result<(), Error> {
        // The provider blocks while it sends, and what it sends needs the runtime.
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        let unsent =
            |error: &dyn std::fmt::Display| Error::config(format!("the ledger was not sent: {error}"));
        ended.map_err(|error| unsent(&error))?.map_err(|error| unsent(&error))
    }
}
