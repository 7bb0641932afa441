//! OTLP over gRPC. The request's bytes go to the journal as they came, so the codec hands them through.

use std::convert::Infallible;
use std::future::{Ready, ready};

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use prost::Message;
use tonic::{Code, Status};

use super::admission::{Ingest, RETRY_AFTER, Refused};
use super::body::{self, Packing, Received};
use crate::limits::REQUEST_BYTES_MAX;
use crate::otlp::{Format, Malformed};
use crate::record::RecordKind;

/// In front of a message: flag and length.
const MESSAGE_HEADER_BYTES: usize = 5;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const ENCODINGS: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");

/// One of OTLP's services; each has the one method `Export`.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Self::Traces),
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Self::Metrics),
            _ => None,
        }
    }

    fn kind(self) -> RecordKind {
        match self {
            Self::Traces => RecordKind::Traces(Format::Protobuf),
            Self::Metrics => RecordKind::Metrics(Format::Protobuf),
        }
    }

    /// The answer's message, encoded.
    fn answer(self, rejected: u64) -> Vec<u8> {
        let (count, why) = (i64::try_from(rejected).unwrap_or(i64::MAX), super::http::rejection(rejected));
        match self {
            Self::Traces => super::http::trace_answer(count, why).encode_to_vec(),
            Self::Metrics => super::http::metrics_answer(count, why).encode_to_vec(),
        }
    }
}

/// Answers a request.
pub(super) async fn answer(ingest: Ingest, request: Request<Incoming>) -> Response<Body> {
    let Some(signal) = Signal::of(request.uri().path()) else {
        return error(Status::unimplemented("no such method"));
    };
    let encoding = request.headers().get(GRPC_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let packing = match Packing::of(encoding.unwrap_or_default()) {
        Ok(packing) => packing,
        Err(unknown) => return error(Status::unimplemented(unknown.to_string())),
    };
    let received =
        body::receive(request.into_body(), REQUEST_BYTES_MAX + MESSAGE_HEADER_BYTES, &ingest).await;
    let (packing, message) = match received.and_then(|received| message(received, packing)) {
        Ok((packing, message)) => (packing, Ok(message)),
        Err(refused) => (None, Err(refused)),
    };
    match ingest.take(signal.kind(), packing, message).await {
        Ok(rejected) => success(&signal.answer(rejected)),
        Err(refused) => error(status(&refused)),
    }
}

/// The one message of a body, and how it is packed.
fn message(received: Received, packing: Option<Packing>) -> Result<(Option<Packing>, Received), Refused> {
    let Received { bytes, charge } = received;
    let header = bytes.first_chunk::<MESSAGE_HEADER_BYTES>();
    let [flag, length @ ..] = header.ok_or_else(|| Malformed::new("no message".to_owned()))?;
    if u32::from_be_bytes(*length) as usize != bytes.len() - MESSAGE_HEADER_BYTES {
        return Err(
            Malformed::new("the body is not one message of the length that it says".to_owned()).into()
        );
    }
    let packing = match (flag, packing) {
        (0, _) => None,
        (1, Some(packing)) => Some(packing),
        _ => return Err(Malformed::new("the message is packed nobody knows how".to_owned()).into()),
    };
    Ok((packing, Received { bytes: bytes.slice(MESSAGE_HEADER_BYTES..), charge }))
}

type Trailers = Ready<Option<Result<HeaderMap, Infallible>>>;

fn success(message: &[u8]) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(MESSAGE_HEADER_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    let trailers = HeaderMap::from_iter([(Status::GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body: WithTrailers<Full<Bytes>, Trailers> =
        Full::new(framed.freeze()).with_trailers(ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// A failure is told in the headers, and nothing follows.
fn error(status: Status) -> Response<Body> {
    let unknown = status.code() == Code::Unimplemented;
    let mut response = status.into_http::<()>().map(|()| Body::empty());
    if unknown {
        response.headers_mut().insert(GRPC_ACCEPT_ENCODING, ENCODINGS);
    }
    response
}

/// A client tries again on `UNAVAILABLE`, and when told so; it drops what is answered otherwise.
fn status(refused: &Refused) -> Status {
    let message = refused.to_string();
    match refused {
        Refused::Overloaded | Refused::Slow(_) | Refused::Journal(_) | Refused::Ended => {
            let details = retry_details(Code::Unavailable, &message);
            Status::with_details(Code::Unavailable, message, details)
        }
        Refused::Malformed(_) => Status::invalid_argument(message),
        Refused::TooLarge(_) | Refused::Full(_) => Status::resource_exhausted(message),
    }
}

/// `google.rpc.Status` with a `google.rpc.RetryInfo`.
fn retry_details(code: Code, message: &str) -> Bytes {
    let delay = Duration {
        seconds: RETRY_AFTER.as_secs().cast_signed(),
        nanos: RETRY_AFTER.subsec_nanos().cast_signed(),
    };
    let info = RetryInfo { retry_delay: Some(delay) };
    let any =
        Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: info.encode_to_vec() };
    RpcStatus { code: code as i32, message: message.to_owned(), details: vec![any] }.encode_to_vec().into()
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}
