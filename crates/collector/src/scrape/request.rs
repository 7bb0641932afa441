//! Samples of an endpoint as a metrics request.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{Metric, Summary, SummaryDataPoint, metric};
use peakdrill_drill_model::plan::Scrape;
use peakdrill_trace_model::metric::GIVEN_SERVICE;

use super::text::{Kind, Said, Sample};
use crate::otlp::write::{self, metrics_request, numbers, point, unsigned};

/// Of one time series of a family what was observed: sum and count stand on lines of their own.
type Observed = BTreeMap<(String, Vec<(String, String)>), (Option<f64>, Option<f64>, i64)>;

/// The bytes of an `ExportMetricsServiceRequest` that says the same.
pub(crate) fn request(scrape: &Scrape, said: Said, now_ns: i64) -> Vec<u8> {
    let mut metrics = Vec::new();
    let mut observed = Observed::new();
    for sample in said.samples {
        let at_ns = sample.at_ns.unwrap_or(now_ns);
        match sample.kind {
            Kind::Gauge | Kind::Counter => metrics.push(number(sample, at_ns)),
            Kind::Sum | Kind::Count => {
                let value = sample.value;
                let entry = observed.entry((sample.name, sample.labels)).or_default();
                entry.2 = at_ns;
                if sample.kind == Kind::Sum { entry.0 = Some(value) } else { entry.1 = Some(value) }
            }
        }
    }
    // Half of a pair tells nothing.
    let pairs = observed.into_iter().filter_map(|((name, labels), (sum, count, at_ns))| {
        let point = SummaryDataPoint {
            attributes: attributes(labels),
            time_unix_nano: unsigned(at_ns),
            count: count?.max(0.0) as u64,
            sum: sum?,
            ..Default::default()
        };
        let data = Some(metric::Data::Summary(Summary { data_points: vec![point] }));
        Some(Metric { name, data, ..Default::default() })
    });
    metrics.extend(pairs);
    let mut whose = vec![write::text("instance", scrape.authority.as_str())];
    whose.extend(scrape.service.iter().map(|service| write::text(GIVEN_SERVICE, service)));
    metrics_request(whose, metrics)
}

fn number(sample: Sample, at_ns: i64) -> Metric {
    let points = vec![point(attributes(sample.labels), 0, at_ns, sample.value)];
    let data = Some(numbers(points, sample.kind == Kind::Counter));
    Metric { name: sample.name, data, ..Default::default() }
}

fn attributes(labels: Vec<(String, String)>) -> Vec<KeyValue> {
    labels.into_iter().map(|(key, value)| write::text(key, value)).collect()
}
