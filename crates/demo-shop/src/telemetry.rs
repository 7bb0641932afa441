//! One OpenTelemetry SDK per service, as if each were a process of its own.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{
    MetricExporter, RetryPolicy, SpanExporter, WithExportConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};

use crate::Error;
use crate::config::{Config, Service};

/// How long a span waits for others before it is sent.
const SPAN_DELAY: Duration = Duration::from_millis(200);
/// Most spans that wait to be sent, per service; more are dropped.
const SPAN_QUEUE_MAX: usize = 65_536;
/// Most spans in one export.
const SPAN_BATCH_MAX: usize = 2_048;
/// How often metrics are sent.
const METRIC_INTERVAL: Duration = Duration::from_millis(250);
/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last spans and metrics of a service have to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// A collector that is busy is asked again so often.
const EXPORT_RETRIES_MAX: usize = 5;

const SCOPE: &str = "peakdrill-demo-shop";

/// The telemetry of one service.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Telemetry {
    /// Sets up tracing and metrics. Must be called within a tokio runtime, which then carries the exports.
    pub(crate) fn start(service: Service, config: &Config) -> Result<Self, Error> {
        let resource = resource(service, config);
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
        let metrics = SdkMeterProvider::builder().with_resource(resource);
        let Some(endpoint) = config.otlp.as_deref() else {
            return Ok(Self { traces: traces.build(), metrics: metrics.build() });
        };
        let failed = |error: opentelemetry_otlp::ExporterBuildError| Error::Telemetry {
            service: service.as_str(),
            reason: error.to_string(),
        };
        let spans = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT)
            .with_retry_policy(retries())
            .build()
            .map_err(failed)?;
        let values = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_TIMEOUT)
            .with_temporality(Temporality::Cumulative)
            .build()
            .map_err(failed)?;
        let batch = BatchConfigBuilder::default()
            .with_max_queue_size(SPAN_QUEUE_MAX)
            .with_max_export_batch_size(SPAN_BATCH_MAX)
            .with_scheduled_delay(SPAN_DELAY)
            .build();
        let processor = BatchSpanProcessor::builder(spans).with_batch_config(batch).build();
        let reader = PeriodicReader::builder(values).with_interval(METRIC_INTERVAL).build();
        Ok(Self {
            traces: traces.with_span_processor(processor).build(),
            metrics: metrics.with_reader(reader).build(),
        })
    }

    pub(crate) fn tracer(&self) -> SdkTracer {
        self.traces.tracer(SCOPE)
    }

    pub(crate) fn meter(&self) -> Meter {
        self.metrics.meter(SCOPE)
    }

    /// Sends what is left. Blocks: not for a thread of the runtime that carries the exports.
    pub(crate) fn shutdown(&self) {
        // A collector that is gone is no reason for a shop not to end.
        let _ = self.traces.shutdown_with_timeout(FLUSH_TIMEOUT);
        let _ = self.metrics.shutdown_with_timeout(FLUSH_TIMEOUT);
    }
}

fn resource(service: Service, config: &Config) -> Resource {
    let instance = format!("{service}-{}", std::process::id());
    Resource::builder_empty()
        .with_service_name(service.as_str())
        .with_attribute(KeyValue::new("service.namespace", "demo-shop"))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_attribute(KeyValue::new("deployment.environment.name", config.env.to_string()))
        .build()
}

fn retries() -> RetryPolicy {
    RetryPolicy::recommended().with_max_retries(EXPORT_RETRIES_MAX).with_max_delay(Duration::from_secs(1))
}
