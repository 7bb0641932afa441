//! The command line. A contract: scripts rely on it.

mod compare;
mod listen;
mod metrics_to;
mod otel;
mod owned;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use compare::{Compare, ComparisonFormat};
pub(crate) use listen::Listen;
pub(crate) use otel::{OtelProfile, OtlpProtocol, ProfileFormat};
pub(crate) use owned::Owned;

/// Full-link stress tests for people who must know, before the peak, that production will hold.
#[derive(Parser)]
#[command(name = "peakdrill", version, before_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// How the exit code speaks.
    #[arg(long, global = true, value_enum, default_value_t = ExitCodes::Full)]
    pub(crate) exit_code: ExitCodes,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  peakdrill demo                                   a small shop, a peak, the bottleneck named: one minute
  peakdrill init > drill.yaml                      a commented scenario to start from
  peakdrill check drill.yaml                       every mistake at once, with its place and its fix
  peakdrill plan drill.yaml                        draws the load; sends nothing
  peakdrill doctor drill.yaml                      whether this machine can generate that load
  peakdrill run drill.yaml                         preflight, load, live view, verdict
  peakdrill run --target http://127.0.0.1:8080/ --rate 500/s --for 30s";

/// How the exit code speaks.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExitCodes {
    /// 0 pass, 99 gate failed, 81 inconclusive, 108 guard, 105 stopped by a person, 104 scenario, 80 preflight, 82 engine.
    Full,
    /// 0 for pass, 1 for everything else.
    Simple,
}

/// The verbs.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Starts a small real system, drills it, and names its bottleneck.
    Demo(Demo),
    /// Prints a commented scenario to start from.
    Init(Init),
    /// Reads a scenario and reports every mistake at once. Sends nothing.
    Check(Check),
    /// Draws the load of a scenario and what it needs. Sends nothing.
    Plan(Plan),
    /// Runs a drill: preflight, load, live view, verdict.
    Run(Box<Run>),
    /// Looks whether this machine can generate the load of a drill. Sends nothing.
    Doctor(Doctor),
    /// Renders a drill record again, whole or torn.
    Report(Report),
    /// Says whether a run is worse than runs of the same drill before it.
    Compare(Compare),
    /// Names the bottleneck in traces that no drill made.
    Analyze(Analyze),
    /// Prints the OpenTelemetry settings that services need in a drill.
    OtelProfile(OtelProfile),
    /// Makes keys for tagging.
    Keys {
        #[command(subcommand)]
        what: Keys,
    },
    /// Prints the JSON schema of scenarios, for editors.
    Schema,
    /// Explains a diagnostic code.
    #[command(before_help = "Examples:\n  peakdrill explain E0312\n  peakdrill explain")]
    Explain {
        /// A code such as E0312; without one, all are listed.
        code: Option<String>,
    },
    /// Prints shell completions.
    #[command(before_help = "Examples:\n  peakdrill completions bash > /etc/bash_completion.d/peakdrill")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page.
    Man,
}

/// When the live view is drawn.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tui {
    /// In a terminal.
    Auto,
    /// Or fail.
    Always,
    /// Plain lines.
    Never,
}

/// Form of what goes to stdout.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// Form of diagnostics.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiagnosticFormat {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// Form of a report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// The card for people.
    Human,
    /// verdict.json.
    Json,
    /// The HTML page.
    Html,
    /// JUnit XML.
    Junit,
    /// Markdown.
    Markdown,
}

/// The demo.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  peakdrill demo\n  peakdrill demo --bottleneck bank\n  peakdrill demo --bottleneck none --tui never\n  peakdrill demo --shop-only     # point your own drill at it"
)]
pub(crate) struct Demo {
    /// Where the shop is made too small.
    #[arg(long, value_enum, default_value_t = Plant::Stock)]
    pub(crate) bottleneck: Plant,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The record's folder [default: drills/demo-<run>].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The live view.
    #[arg(long, value_enum, default_value_t = Tui::Auto)]
    pub(crate) tui: Tui,
    /// PostgreSQL for the order database instead of SQLite, e.g. postgres://user@127.0.0.1/shop.
    #[arg(long, value_name = "DSN")]
    pub(crate) postgres: Option<String>,
    /// Only starts the shop and prints its addresses; Ctrl-C ends it.
    #[arg(long)]
    pub(crate) shop_only: bool,
    /// Form of the result on stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// Starts the shop with one service's isolation rules emptied: preflight must refuse.
    #[arg(long, value_name = "SERVICE", help_heading = "Breaking it on purpose")]
    pub(crate) empty_rules_for: Option<String>,
    /// Starts the shop with one service's tag handling removed: preflight must refuse.
    #[arg(long, value_name = "SERVICE", help_heading = "Breaking it on purpose")]
    pub(crate) without_middleware: Option<String>,
    /// The child process of the demo: reads its configuration from this file.
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) shop_child: Option<PathBuf>,
}

/// What the demo plants.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plant {
    /// The stock service.
    Stock,
    /// The payment service.
    Payment,
    /// The order service's database.
    OrderDb,
    /// The bank outside.
    Bank,
    /// The consumer of the order-placed queue.
    Queue,
    /// Nothing: the shop holds.
    None,
}

/// How sockets are moved.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// io_uring where the system allows it, else epoll; the record says which, and why.
    Auto,
    /// epoll.
    Epoll,
    /// io_uring, or the load does not start. Connections in TLS always go over epoll.
    #[value(name = "io_uring")]
    Uring,
}

impl From<Transport> for peakdrill_loadgen::Transport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Auto => Self::Auto,
            Transport::Epoll => Self::Epoll,
            Transport::Uring => Self::Uring,
        }
    }
}

/// How arrivals are waited for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pacing {
    /// Precise while the generator's core has room.
    Auto,
    /// Each arrival by itself, to within microseconds.
    Precise,
    /// Arrivals of a millisecond share one waking.
    Economy,
}

impl From<Pacing> for peakdrill_drill_model::plan::Pacing {
    fn from(pacing: Pacing) -> Self {
        match pacing {
            Pacing::Auto => Self::Auto,
            Pacing::Precise => Self::Precise,
            Pacing::Economy => Self::Economy,
        }
    }
}

/// A starting scenario.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  peakdrill init > drill.yaml\n  peakdrill init --list\n  peakdrill init --from midnight-spike > drill.yaml"
)]
pub(crate) struct Init {
    /// A ready drill of the library instead of the commented scaffold.
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,
    /// Lists the library.
    #[arg(long)]
    pub(crate) list: bool,
}

/// A scenario and its variables.
#[derive(Args)]
pub(crate) struct Scenario {
    /// The scenario.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Overrides a variable of the scenario; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) sets: Vec<(String, String)>,
}

/// Checking.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  peakdrill check drill.yaml\n  peakdrill check drill.yaml --format github\n  peakdrill check drill.yaml --set peak=60000/s"
)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) scenario: Scenario,
    /// Form of the diagnostics.
    #[arg(long, value_enum, default_value_t = DiagnosticFormat::Human)]
    pub(crate) format: DiagnosticFormat,
}

/// Planning.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  peakdrill plan drill.yaml\n  peakdrill plan drill.yaml --set peak=60000/s"
)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) scenario: Scenario,
    /// The resolved plan as JSON instead of the drawing.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Running.
#[derive(Args)]
#[command(before_help = "Examples:
  peakdrill run drill.yaml
  peakdrill run drill.yaml --set peak=60000/s --seed 7 --out drills/tuesday
  peakdrill run drill.yaml --tui never --format json > verdict.json
  peakdrill run --target http://127.0.0.1:8080/ --rate 500/s --for 30s
  peakdrill run --target http://127.0.0.1:8080/orders --users 64 --for 10s -X POST -d '{\"sku\":1}'")]
pub(crate) struct Run {
    /// The scenario; or give --target.
    #[arg(value_name = "FILE", required_unless_present = "target", conflicts_with = "target")]
    pub(crate) file: Option<PathBuf>,
    /// Overrides a variable of the scenario; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "target")]
    pub(crate) sets: Vec<(String, String)>,

    /// Hits this URL, without a scenario.
    #[arg(long, value_name = "URL", help_heading = "Without a scenario")]
    pub(crate) target: Option<String>,
    /// Requests a second, open loop: 500/s, 30000/min.
    #[arg(
        long,
        value_name = "N/s",
        help_heading = "Without a scenario",
        requires = "target",
        conflicts_with = "users"
    )]
    pub(crate) rate: Option<String>,
    /// Users in a closed loop, each waiting for its answer; latency is then not corrected.
    #[arg(long, value_name = "N", help_heading = "Without a scenario", requires = "target")]
    pub(crate) users: Option<u32>,
    /// How long.
    #[arg(long = "for", value_name = "DURATION", help_heading = "Without a scenario", requires = "target")]
    pub(crate) duration: Option<String>,
    /// Spacing of arrivals.
    #[arg(long, value_enum, help_heading = "Without a scenario", requires = "rate")]
    pub(crate) arrivals: Option<Spacing>,
    /// Exactly so many connections, opened before the start.
    #[arg(long, value_name = "N", help_heading = "Without a scenario", requires = "target")]
    pub(crate) connections: Option<usize>,
    /// Speak HTTP/2: by prior knowledge on http://, agreed on by ALPN on https://.
    #[arg(long, help_heading = "Without a scenario", requires = "target")]
    pub(crate) http2: bool,
    /// Exchanges that one connection carries at a time, at most [default: 100].
    #[arg(long, value_name = "N", help_heading = "Without a scenario", requires = "http2")]
    pub(crate) streams: Option<u32>,
    /// The method [default: GET, or POST with -d].
    #[arg(
        short = 'X',
        long = "request",
        value_name = "METHOD",
        help_heading = "Without a scenario",
        requires = "target"
    )]
    pub(crate) method: Option<String>,
    /// A header, as curl has it; may be repeated.
    #[arg(
        short = 'H',
        long = "header",
        value_name = "NAME: VALUE",
        help_heading = "Without a scenario",
        requires = "target"
    )]
    pub(crate) headers: Vec<String>,
    /// The body; @FILE reads a file.
    #[arg(
        short = 'd',
        long = "data",
        value_name = "BODY",
        help_heading = "Without a scenario",
        requires = "target"
    )]
    pub(crate) data: Option<String>,

    /// Overrides the seed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The record's folder [default: drills/<run>].
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
    /// The live view.
    #[arg(long, value_enum, default_value_t = Tui::Auto, help_heading = "Output")]
    pub(crate) tui: Tui,
    /// Form of the result on stdout.
    #[arg(long, value_enum, default_value_t = Format::Human, help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) owned: Owned,
    /// Does not ask although a target is not on this machine.
    #[arg(long, help_heading = "Safety")]
    pub(crate) yes: bool,
    /// How arrivals are waited for: precise (each by itself), economy (those of a millisecond together), or auto.
    #[arg(long, value_enum, help_heading = "Load")]
    pub(crate) pacing: Option<Pacing>,
    /// How sockets are moved.
    #[arg(long, value_enum, default_value_t = Transport::Auto, help_heading = "Load")]
    pub(crate) transport: Transport,
    /// Load threads [default: one per core, at most 4].
    #[arg(long, value_name = "N", help_heading = "Load", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) shards: Option<u16>,
    #[command(flatten)]
    pub(crate) listen: Listen,
}

/// Looking at the machine.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  peakdrill doctor\n  peakdrill doctor drill.yaml --set peak=60000/s\n  peakdrill doctor drill.yaml --format json | jq '.findings[] | select(.level != \"ok\")'"
)]
pub(crate) struct Doctor {
    /// The scenario whose load is to be generated; without one, what any large drill wants is looked at.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Overrides a variable of the scenario; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair, requires = "file")]
    pub(crate) sets: Vec<(String, String)>,
    /// Load threads of the run [default: one per core, at most 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) shards: Option<u16>,
    /// How the run is to move its sockets.
    #[arg(long, value_enum, default_value_t = Transport::Auto)]
    pub(crate) transport: Transport,
    /// Form of the findings on stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Spacing of arrivals.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spacing {
    /// As independent users arrive.
    Poisson,
    /// Evenly.
    Even,
}

/// Rendering again.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  peakdrill report drills/7f3a\n  peakdrill report drills/7f3a --format markdown > summary.md\n  peakdrill report drills/7f3a --owners owners.yaml\n  peakdrill report drills/7f3a --parquet cells"
)]
pub(crate) struct Report {
    /// The record's folder.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) owned: Owned,
    /// Also writes the collector's cells as Parquet files into this folder: edges, nodes, paths and roots by the second,
    /// and instances by ten of them.
    #[arg(long, value_name = "DIR")]
    pub(crate) parquet: Option<PathBuf>,
    /// What goes to stdout; the files in the folder are always made anew.
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    pub(crate) format: ReportFormat,
}

/// Analysis without a drill.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  peakdrill analyze slow.jsonl.gz --baseline normal.jsonl.gz\n  peakdrill analyze peak-*.jsonl --baseline quiet.jsonl --format json"
)]
pub(crate) struct Analyze {
    /// Traces of the time in question: OTLP JSON lines, or the JSON of Jaeger or Zipkin; plain, gzip or zstd.
    #[arg(value_name = "TRACES", required = true)]
    pub(crate) traces: Vec<PathBuf>,
    /// Traces of a normal time.
    #[arg(long, value_name = "TRACES", required = true, num_args = 1..)]
    pub(crate) baseline: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) owned: Owned,
    /// Form of the result.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Keys.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Makes a signing key pair and a mark secret.
    #[command(
        before_help = "Examples:\n  peakdrill keys new --kid k2026a --public keys.json > peakdrill.env\n  set -a; . ./peakdrill.env; set +a; peakdrill run drill.yaml"
    )]
    New {
        /// The key's id, carried in every token.
        #[arg(long, default_value = "k1")]
        kid: String,
        /// Adds the public key to this file, which hops verify with; made when absent.
        #[arg(long, value_name = "FILE", default_value = "keys.json")]
        public: PathBuf,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if name.is_empty() {
        Err("the name is empty".to_owned())
    } else {
        Ok((name.to_owned(), value.to_owned()))
    }
}
