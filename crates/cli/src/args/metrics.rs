//! Where the drill's own metrics go.

use std::net::SocketAddr;

use clap::Args;
use peakdrill_drill_control::exposition::{Endpoint, endpoint};

/// The drill's own metrics.
#[derive(Args)]
pub(crate) struct Metrics {
    /// Serves the drill's own metrics for Prometheus: `http://ADDRESS/metrics`.
    #[arg(long, value_name = "ADDRESS", help_heading = "Telemetry")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Sends the drill's own metrics by OTLP over HTTP, once a second: `http://collector:4318`.
    #[arg(long, value_name = "URL", value_parser = endpoint, help_heading = "Telemetry")]
    pub(crate) metrics_to: Option<Endpoint>,
}
