use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use peakdrill_drill_model::ledger::{ATTR_OUTCOME, ATTR_RESOURCE, ATTR_RUN, METRIC};
use peakdrill_shadow_router::LedgerExport;

use crate::support::*;

type Rows = Vec<(Vec<(String, String)>, u64)>;

/// Keeps what was exported last.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Rows>>);

impl PushMetricExporter for Keep {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut rows = self.0.lock().unwrap();
        rows.clear();
        for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
            assert_eq!(metric.name(), METRIC);
            let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else { panic!("not a sum") };
            assert!(sum.is_monotonic());
            assert_eq!(sum.temporality(), Temporality::Cumulative);
            for point in sum.data_points() {
                let mut attributes: Vec<_> =
                    point.attributes().map(|kv| (kv.key.to_string(), kv.value.to_string())).collect();
                attributes.sort();
                rows.push((attributes, point.value()));
            }
        }
        rows.sort();
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

fn row(run: &str, outcome: &str, count: u64) -> (Vec<(String, String)>, u64) {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut attributes =
        vec![pair(ATTR_RUN, run), pair(ATTR_RESOURCE, "ingress"), pair(ATTR_OUTCOME, outcome)];
    attributes.sort();
    (attributes, count)
}

#[test]
fn the_ledger_is_a_cumulative_sum() {
    let router = inner(r#"{"v":1}"#);
    let keep = Keep::default();
    let provider =
        SdkMeterProvider::builder().with_reader(PeriodicReader::builder(keep.clone()).build()).build();
    router.register_metrics(&provider.meter("test"));
    for _ in 0..3 {
        router.accept(&stamped()).unwrap();
    }
    router.accept(&tagged(1)).unwrap();
    provider.force_flush().unwrap();
    let expected = |live, shadow| {
        let mut rows = vec![row("", "live_in", live), row("run-1", "shadow_in", shadow)];
        rows.sort();
        rows
    };
    assert_eq!(*keep.0.lock().unwrap(), expected(3, 1));
    router.accept(&tagged(2)).unwrap();
    provider.force_flush().unwrap();
    assert_eq!(*keep.0.lock().unwrap(), expected(3, 2));
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_said_to_be_none() {
    let router = inner(r#"{"v":1}"#);
    assert!(LedgerExport::start(&router, "http://[invalid").unwrap_err().is_config());
}
