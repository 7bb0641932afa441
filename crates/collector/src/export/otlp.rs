//! Families as an OTLP request.

use opentelemetry_proto::tonic::metrics::v1::Metric;

use super::Family;
use crate::otlp::write::{metrics_request, numbers, point, text};

/// The bytes of an `ExportMetricsServiceRequest`.
pub(super) fn request(families: &[Family], start_ns: i64, at_ns: i64) -> Vec<u8> {
    let metrics = families.iter().map(|family| metric(family, start_ns, at_ns));
    metrics_request(vec![text("service.name", "peakdrill")], metrics.collect())
}

fn metric(family: &Family, start_ns: i64, at_ns: i64) -> Metric {
    let start_ns = if family.grows { start_ns } else { 0 };
    let points = family.samples.iter().map(|(labels, value)| {
        let labels = labels.iter().map(|(name, value)| text(*name, value)).collect();
        point(labels, start_ns, at_ns, *value)
    });
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        data: Some(numbers(points.collect(), family.grows)),
        ..Default::default()
    }
}
