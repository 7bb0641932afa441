//! OTLP over HTTP: protocol buffers and JSON on one port, by content type.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER as RETRY_AFTER_HEADER};
use http::{HeaderMap, HeaderValue, StatusCode};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;

use super::admission::{Ingest, RETRY_AFTER, Refused};
use super::body::{self, Packing};
use crate::limits::REQUEST_BYTES_MAX;
use crate::otlp::Format;
use crate::record::RecordKind;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
/// What is answered under which path.
pub(super) fn routes(ingest: Ingest) -> Router {
    Router::new().route("/v1/traces", post(traces)).route("/v1/metrics", post(metrics)).with_state(ingest)
}

async fn traces(State(ingest): State<Ingest>, request: Request) -> Response {
    export(&ingest, request, RecordKind::Traces, |rejected, message, format| match format {
        Format::Protobuf => trace_answer(rejected, message).encode_to_vec(),
        Format::Json => json_answer("rejectedSpans", rejected, &message),
    })
    .await
}

async fn metrics(State(ingest): State<Ingest>, request: Request) -> Response {
    export(&ingest, request, RecordKind::Metrics, |rejected, message, format| match format {
        Format::Protobuf => metrics_answer(rejected, message).encode_to_vec(),
        Format::Json => json_answer("rejectedDataPoints", rejected, &message),
    })
    .await
}

async fn export(
    ingest: &Ingest,
    request: Request,
    kind: fn(Format) -> RecordKind,
    answer: fn(i64, String, Format) -> Vec<u8>,
) -> Response {
    let Some(format) = format(request.headers()) else {
        let wanted = format!("the content type must be {PROTOBUF} or {JSON}");
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, wanted).into_response();
    };
    let packing = match packing(request.headers()) {
        Ok(packing) => packing,
        Err(why) => return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response(),
    };
    let received = body::receive(request.into_body(), REQUEST_BYTES_MAX, ingest).await;
    match ingest.take(kind(format), packing, received).await {
        Ok(rejected) => {
            let count = i64::try_from(rejected).unwrap_or(i64::MAX);
            let body = answer(count, rejection(rejected), format);
            ([(CONTENT_TYPE, content_type(format))], body).into_response()
        }
        Err(refused) => refusal(&refused),
    }
}

fn refusal(refused: &Refused) -> Response {
    let status = match refused {
        Refused::Overloaded | Refused::Slow(_) | Refused::Journal(_) | Refused::Ended => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Refused::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Refused::Malformed(_) => StatusCode::BAD_REQUEST,
        Refused::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
    };
    let mut response = (status, refused.to_string()).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = HeaderValue::from(RETRY_AFTER.as_secs());
        response.headers_mut().insert(RETRY_AFTER_HEADER, seconds);
    }
    response
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim();
    match kind {
        _ if kind.eq_ignore_ascii_case(PROTOBUF) => Some(Format::Protobuf),
        _ if kind.eq_ignore_ascii_case(JSON) => Some(Format::Json),
        _ => None,
    }
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Protobuf => PROTOBUF,
        Format::Json => JSON,
    }
}

fn packing(headers: &HeaderMap) -> Result<Option<Packing>, String> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    Packing::of(encoding.to_str().unwrap_or("?")).map_err(|error| error.to_string())
}

/// What a sender is told of rejected items; empty for none.
pub(super) fn rejection(rejected: u64) -> String {
    if rejected == 0 {
        String::new()
    } else {
        format!("{rejected} items cannot be used: ids, times or values")
    }
}

pub(super) fn trace_answer(rejected: i64, error_message: String) -> ExportTraceServiceResponse {
    let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message };
    ExportTraceServiceResponse { partial_success: (rejected > 0).then_some(partial) }
}

pub(super) fn metrics_answer(rejected: i64, error_message: String) -> ExportMetricsServiceResponse {
    let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message };
    ExportMetricsServiceResponse { partial_success: (rejected > 0).then_some(partial) }
}

fn json_answer(what: &str, rejected: i64, message: &str) -> Vec<u8> {
    if rejected == 0 {
        return b"{}".to_vec();
    }
    let answer = serde_json::json!({"partialSuccess": {what: rejected.to_string(), "errorMessage": message}});
    answer.to_string().into_bytes()
}
