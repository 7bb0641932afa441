//! The arguments of `otel-profile`.

use clap::{Args, ValueEnum};

/// The settings of services.
#[derive(Args)]
#[command(before_help = "Examples:
  peakdrill otel-profile --service order > order.env
  peakdrill otel-profile --format kubernetes --otlp-grpc drill-host:4317 --deployment order > patch.yaml
  peakdrill otel-profile --format collector --otlp-grpc drill-host:4317 > peakdrill.yaml")]
pub(crate) struct OtelProfile {
    /// What is printed.
    #[arg(long, value_enum, default_value_t = ProfileFormat::Env)]
    pub(crate) format: ProfileFormat,
    /// Where the drill takes OTLP over gRPC, as services reach it; `run` listens there with the same flag [default:
    /// 127.0.0.1:4317].
    #[arg(long, value_name = "HOST:PORT", help_heading = "Addresses")]
    pub(crate) otlp_grpc: Option<String>,
    /// Where the drill takes OTLP over HTTP, as services reach it; with `--protocol http/protobuf` [default:
    /// 127.0.0.1:4318].
    #[arg(long, value_name = "HOST:PORT", help_heading = "Addresses")]
    pub(crate) otlp_http: Option<String>,
    /// How services send [default: grpc].
    #[arg(long, value_enum, help_heading = "Services")]
    pub(crate) protocol: Option<OtlpProtocol>,
    /// The service's name, as it is to stand in findings.
    #[arg(long, value_name = "NAME", help_heading = "Services")]
    pub(crate) service: Option<String>,
    /// The Deployment that is patched.
    #[arg(long, value_name = "NAME", help_heading = "Services", required_if_eq("format", "kubernetes"))]
    pub(crate) deployment: Option<String>,
    /// The container in it [default: the Deployment's name].
    #[arg(long, value_name = "NAME", help_heading = "Services", requires = "deployment")]
    pub(crate) container: Option<String>,
    /// Where a Collector sends everything besides: with it, a whole configuration is printed, without it what is to be
    /// added to yours.
    #[arg(long, value_name = "HOST:PORT", help_heading = "Collector")]
    pub(crate) backend: Option<String>,
    /// Where that Collector takes OTLP over gRPC [default: 0.0.0.0:4317].
    #[arg(long, value_name = "ADDRESS", help_heading = "Collector", requires = "backend")]
    pub(crate) listen_grpc: Option<std::net::SocketAddr>,
    /// Where that Collector takes OTLP over HTTP [default: 0.0.0.0:4318].
    #[arg(long, value_name = "ADDRESS", help_heading = "Collector", requires = "backend")]
    pub(crate) listen_http: Option<std::net::SocketAddr>,
}

/// Form of the settings.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileFormat {
    /// Environment variables.
    Env,
    /// A patch of a Deployment: `kubectl patch --patch-file`.
    Kubernetes,
    /// A configuration of the OpenTelemetry Collector that gives a copy to the drill.
    Collector,
}

/// How OTLP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protocol buffers over HTTP.
    #[value(name = "http/protobuf")]
    Http,
}
