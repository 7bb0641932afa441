//! Who owns the nodes of a system.

use std::path::PathBuf;

use clap::Args;

/// Owners files.
#[derive(Args)]
pub(crate) struct Owned {
    /// Owners of nodes, which findings name and the record keeps: files with `version: 1` and
    /// `owners: { stock: { team: …, runbook: …, criticality: … } }`, or Backstage's catalog-info.yaml. Where two name one
    /// node, the earlier counts.
    #[arg(long = "owners", value_name = "FILE", num_args = 1.., help_heading = "Owners")]
    pub(crate) files: Vec<PathBuf>,
}
