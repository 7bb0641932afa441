//! OTLP over HTTP: protocol buffers and JSON on one port, by content type.

use std::future::Future;
use std::io::{self, Read};
use std::net::TcpListener;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER as RETRY_AFTER_HEADER};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Limited};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;

use super::admission::{Ingest, RETRY_AFTER, Refused};
use crate::limits::{DECODED_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::otlp::Format;
use crate::record::RecordKind;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
/// A zstd frame may ask for a window of 2 to this power, and no more.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

pub(super) async fn serve(
    listener: TcpListener,
    ingest: Ingest,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let routes = Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(metrics))
        .with_state(ingest);
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
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
    let taken = match payload(request).await {
        Ok(payload) => ingest.take(kind(format), payload).await,
        Err((status, why)) => return (status, why).into_response(),
    };
    match taken {
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
        Refused::Overloaded | Refused::Journal(_) | Refused::Ended => StatusCode::SERVICE_UNAVAILABLE,
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

async fn payload(request: Request) -> Result<Bytes, (StatusCode, String)> {
    let (parts, body) = request.into_parts();
    let encoding = parts.headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").to_owned());
    let body = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
    let body = body.map_err(|error| match error.downcast::<http_body_util::LengthLimitError>() {
        Ok(_) => too_large(REQUEST_BYTES_MAX),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    })?;
    let bytes = body.to_bytes();
    match encoding.as_deref().unwrap_or("identity") {
        "" | "identity" => Ok(bytes),
        "gzip" => unpack(flate2::read::MultiGzDecoder::new(&bytes[..])),
        "zstd" => unpack(zstd_decoder(&bytes).map_err(bad_body)?),
        other => {
            let why = format!("the content encoding `{other}` is not known: gzip, zstd or none");
            Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
        }
    }
}

fn zstd_decoder(bytes: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

fn unpack(packed: impl Read) -> Result<Bytes, (StatusCode, String)> {
    let mut bytes = Vec::new();
    packed.take(DECODED_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(bad_body)?;
    if bytes.len() > DECODED_BYTES_MAX { Err(too_large(DECODED_BYTES_MAX)) } else { Ok(bytes.into()) }
}

fn bad_body(error: io::Error) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, format!("the body cannot be decompressed: {error}"))
}

fn too_large(bytes_max: usize) -> (StatusCode, String) {
    (StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {bytes_max} bytes"))
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
