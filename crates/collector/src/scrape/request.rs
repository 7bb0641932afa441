//! Samples of an endpoint as a metrics request.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use peakdrill_drill_model::plan::Scrape;
use peakdrill_trace_model::metric::GIVEN_SERVICE;
use prost::Message;

use super::text::{Kind, Said, Sample};

/// Of one time series of a family what was observed: sum and count stand on lines of their own.
type Observed = BTreeMap<(String, Vec<(String, String)>), (Option<f64>, Option<f64>, u64)>;

/// The bytes of an `ExportMetricsServiceRequest` that says the same.
pub(crate) fn request(scrape: &Scrape, said: Said, now_ns: i64) -> Vec<u8> {
    let mut metrics = Vec::new();
    let mut observed = Observed::new();
    for sample in said.samples {
        let time = u64::try_from(sample.at_ns.unwrap_or(now_ns)).unwrap_or(0);
        match sample.kind {
            Kind::Gauge | Kind::Counter => metrics.push(number(sample, time)),
            Kind::Sum | Kind::Count => {
                let value = sample.value;
                let entry = observed.entry((sample.name, sample.labels)).or_default();
                entry.2 = time;
                if sample.kind == Kind::Sum { entry.0 = Some(value) } else { entry.1 = Some(value) }
            }
        }
    }
    // Half of a pair tells nothing.
    let pairs = observed.into_iter().filter_map(|((name, labels), (sum, count, time))| {
        let point = SummaryDataPoint {
            attributes: attributes(labels),
            time_unix_nano: time,
            count: count?.max(0.0) as u64,
            sum: sum?,
            ..Default::default()
        };
        let data = Some(metric::Data::Summary(Summary { data_points: vec![point] }));
        Some(Metric { name, data, ..Default::default() })
    });
    metrics.extend(pairs);
    let mut whose = vec![("instance".to_owned(), scrape.authority.clone())];
    whose.extend(scrape.service.iter().map(|service| (GIVEN_SERVICE.to_owned(), service.clone())));
    let group = ResourceMetrics {
        resource: Some(Resource { attributes: attributes(whose), ..Default::default() }),
        scope_metrics: vec![ScopeMetrics { metrics, ..Default::default() }],
        ..Default::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![group] }.encode_to_vec()
}

fn number(sample: Sample, time: u64) -> Metric {
    let point = NumberDataPoint {
        attributes: attributes(sample.labels),
        time_unix_nano: time,
        value: Some(number_data_point::Value::AsDouble(sample.value)),
        ..Default::default()
    };
    let data = if sample.kind == Kind::Counter {
        metric::Data::Sum(Sum {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: true,
        })
    } else {
        metric::Data::Gauge(Gauge { data_points: vec![point] })
    };
    Metric { name: sample.name, data: Some(data), ..Default::default() }
}

fn attributes(labels: Vec<(String, String)>) -> Vec<KeyValue> {
    let one = |(key, value)| KeyValue {
        key,
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value)) }),
        ..Default::default()
    };
    labels.into_iter().map(one).collect()
}
