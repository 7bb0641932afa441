//! OTLP over gRPC. The request's bytes go to the journal as they came, so the codec hands them through.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use http_body_util::Limited;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Body, Service, StdError};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use super::admission::{Ingest, RETRY_AFTER, Refused};
use crate::limits::{DECODED_BYTES_MAX, REQUEST_BYTES_MAX};
use crate::otlp::Format;
use crate::record::RecordKind;

/// Requests under way on one connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 64;
/// Bytes of a request that a client may send before it is told that they were read. The 64 KiB of the protocol would
/// stop it several times in each.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same over all requests of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// Largest piece in which a request may come.
const FRAME_BYTES_MAX: u32 = 128 << 10;
/// In front of a message: flag and length.
const MESSAGE_HEADER_BYTES: usize = 5;

pub(super) async fn serve(
    listener: TcpListener,
    ingest: Ingest,
    stop: impl Future<Output = ()>,
) -> Result<(), StdError> {
    let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .add_service(Export::<Traces>::new(ingest.clone()))
        .add_service(Export::<Metrics>::new(ingest))
        .serve_with_incoming_shutdown(incoming, stop)
        .await?;
    Ok(())
}

/// One of OTLP's services; each has the one method `Export`.
trait Signal: Send + Sync + 'static {
    const SERVICE: &'static str;
    const PATH: &'static str;
    const KIND: RecordKind;

    /// The answer, encoded.
    fn answer(rejected: i64, message: String) -> Vec<u8>;
}

struct Traces;

impl Signal for Traces {
    const SERVICE: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
    const PATH: &'static str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    const KIND: RecordKind = RecordKind::Traces(Format::Protobuf);

    fn answer(rejected: i64, message: String) -> Vec<u8> {
        super::http::trace_answer(rejected, message).encode_to_vec()
    }
}

struct Metrics;

impl Signal for Metrics {
    const SERVICE: &'static str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
    const PATH: &'static str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    const KIND: RecordKind = RecordKind::Metrics(Format::Protobuf);

    fn answer(rejected: i64, message: String) -> Vec<u8> {
        super::http::metrics_answer(rejected, message).encode_to_vec()
    }
}

struct Export<S> {
    ingest: Ingest,
    signal: PhantomData<S>,
}

impl<S> Export<S> {
    fn new(ingest: Ingest) -> Self {
        Self { ingest, signal: PhantomData }
    }
}

impl<S> Clone for Export<S> {
    fn clone(&self) -> Self {
        Self::new(self.ingest.clone())
    }
}

impl<S: Signal> NamedService for Export<S> {
    const NAME: &'static str = S::SERVICE;
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<S, B> Service<http::Request<B>> for Export<S>
where
    S: Signal,
    B: Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Answer<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() != S::PATH {
                return Ok(Status::unimplemented("no such method").into_http());
            }
            let body_max = REQUEST_BYTES_MAX + MESSAGE_HEADER_BYTES;
            let request = request.map(|body| Limited::new(body, body_max));
            let mut grpc = Grpc::new(Raw)
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd)
                .max_decoding_message_size(DECODED_BYTES_MAX);
            Ok(grpc.unary(service, request).await)
        })
    }
}

impl<S: Signal> UnaryService<Bytes> for Export<S> {
    type Response = Vec<u8>;
    type Future = Answer<Response<Vec<u8>>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let ingest = self.ingest.clone();
        Box::pin(async move {
            match ingest.take(S::KIND, request.into_inner()).await {
                Ok(rejected) => Ok(Response::new(answer::<S>(rejected))),
                Err(refused) => Err(status(&refused)),
            }
        })
    }
}

fn answer<S: Signal>(rejected: u64) -> Vec<u8> {
    let message = super::http::rejection(rejected);
    S::answer(i64::try_from(rejected).unwrap_or(i64::MAX), message)
}

/// A client tries again on `UNAVAILABLE`, and when told so; it drops what is answered otherwise.
fn status(refused: &Refused) -> Status {
    let message = refused.to_string();
    match refused {
        Refused::Overloaded | Refused::Journal(_) | Refused::Ended => {
            let details = retry_details(Code::Unavailable, &message);
            Status::with_details(Code::Unavailable, message, details)
        }
        Refused::Malformed(_) => Status::invalid_argument(message),
        Refused::Full(_) => Status::resource_exhausted(message),
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

/// Messages as bytes.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        // Split off, not copied.
        Ok(Some(bytes.copy_to_bytes(bytes.remaining())))
    }
}
