//! Where a drill listens, and where its own metrics go.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use peakdrill_drill_control::exposition::{Endpoint, endpoint};

/// Where the drill listens.
#[derive(Args)]
pub(crate) struct Listen {
    /// OTLP over gRPC from the services.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4317", help_heading = "Telemetry")]
    pub(crate) otlp_grpc: SocketAddr,
    /// OTLP over HTTP from the services.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318", help_heading = "Telemetry")]
    pub(crate) otlp_http: SocketAddr,
    /// Receives no telemetry: no bottleneck is named.
    #[arg(long, help_heading = "Telemetry")]
    pub(crate) no_collector: bool,
    /// Serves the drill's own metrics for Prometheus: `http://ADDRESS/metrics`.
    #[arg(long, value_name = "ADDRESS", help_heading = "Telemetry")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Sends the drill's own metrics by OTLP over HTTP, once a second: `http://collector:4318`.
    #[arg(long, value_name = "URL", value_parser = endpoint, help_heading = "Telemetry")]
    pub(crate) metrics_to: Option<Endpoint>,
    /// The table of runs, read by hops.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878", help_heading = "Safety")]
    pub(crate) registry: SocketAddr,
    /// Keeps the runs of earlier drills, so that their late messages are recognised.
    #[arg(long, value_name = "FILE", default_value = "drills/runs.json", help_heading = "Safety")]
    pub(crate) runs_file: PathBuf,
}
