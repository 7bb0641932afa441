//! Metrics, one by one: the ledger's, those of resources, and others.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use peakdrill_drill_model::ledger::METRIC;

use super::resources::{Source, resource};
use super::{Decoded, MetricPoint, attributes, ledger};
use crate::counters::counter;

pub(super) fn read(request: ExportMetricsServiceRequest, recv_ns: i64) -> Decoded<MetricPoint> {
    let mut out = Decoded::default();
    for group in request.resource_metrics {
        let attached = group.resource.unwrap_or_default().attributes;
        let read = attributes(&attached);
        let (service, instance) = (read.service().to_owned(), read.instance());
        let source = Source::new(&attached, recv_ns);
        for metric in group.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            if metric.name == METRIC {
                ledger::ledger(metric, &service, &instance, &mut out);
            } else if !resource(metric, &source, &mut out) {
                out.counters.add(counter::POINTS_UNUSED, points(metric));
            }
        }
    }
    out
}

fn points(metric: &Metric) -> u64 {
    let count = match &metric.data {
        Some(metric::Data::Sum(sum)) => sum.data_points.len(),
        Some(metric::Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(metric::Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(metric::Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(metric::Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    };
    count as u64
}
