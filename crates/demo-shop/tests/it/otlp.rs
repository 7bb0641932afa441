//! An OTLP receiver that keeps what it gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use tonic::{Request, Response, Status};

/// A span as the tests want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) error: bool,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Span {
    pub(crate) fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Span>,
    /// Newest value of each counter by service, name and sorted attribute values.
    counters: BTreeMap<(String, String, Vec<String>), i64>,
    span_count: u64,
}

/// The receiver; it ends with the test's runtime.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    kept: Arc<Mutex<Kept>>,
    keep_spans: bool,
    address: SocketAddr,
}

impl Receiver {
    pub(crate) async fn start(keep_spans: bool) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let receiver = Self { kept: Arc::default(), keep_spans, address };
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(receiver.clone()))
            .add_service(MetricsServiceServer::new(receiver.clone()));
        tokio::spawn(server.serve(address));
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        receiver
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.kept.lock().unwrap().spans.clone()
    }

    pub(crate) fn span_count(&self) -> u64 {
        self.kept.lock().unwrap().span_count
    }

    /// The sum of a counter's values of one service whose attributes hold all these values.
    pub(crate) fn counter(&self, service: &str, name: &str, values: &[&str]) -> i64 {
        let kept = self.kept.lock().unwrap();
        let fits = |key: &(String, String, Vec<String>)| {
            key.0 == service
                && key.1 == name
                && values.iter().all(|value| key.2.iter().any(|own| own == value))
        };
        kept.counters.iter().filter(|(key, _)| fits(key)).map(|(_, value)| value).sum()
    }
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        _ => String::new(),
    }
}

fn attributes(list: &[KeyValue]) -> BTreeMap<String, String> {
    list.iter().map(|kv| (kv.key.clone(), kv.value.as_ref().map(text).unwrap_or_default())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn service(resource: Option<&opentelemetry_proto::tonic::resource::v1::Resource>) -> String {
    let all = resource.map(|resource| attributes(&resource.attributes)).unwrap_or_default();
    all.get("service.name").cloned().unwrap_or_default()
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.kept.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let service = service(resource.resource.as_ref());
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                kept.span_count += 1;
                if !self.keep_spans {
                    continue;
                }
                kept.spans.push(Span {
                    service: service.clone(),
                    name: span.name,
                    kind: span.kind,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    start_ns: span.start_time_unix_nano,
                    end_ns: span.end_time_unix_nano,
                    error: span.status.is_some_and(|status| status.code == 2),
                    attributes: attributes(&span.attributes),
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut kept = self.kept.lock().unwrap();
        for resource in request.into_inner().resource_metrics {
            let service = service(resource.resource.as_ref());
            for metric in resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let Some(Data::Sum(sum)) = metric.data else { continue };
                for point in sum.data_points {
                    let values = attributes(&point.attributes).into_values().collect();
                    let value = match point.value {
                        Some(number_data_point::Value::AsInt(value)) => value,
                        Some(number_data_point::Value::AsDouble(value)) => value as i64,
                        None => 0,
                    };
                    kept.counters.insert((service.clone(), metric.name.clone(), values), value);
                }
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
