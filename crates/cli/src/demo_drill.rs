//! The demo's shop as a child process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use peakdrill_demo_shop::{Addresses, Bottleneck, Config, LiveUsers, Mistakes, OrderDatabase, Registry};
use peakdrill_drill_model::exit::Exit;
use serde::{Deserialize, Serialize};

use crate::commands::Failure;

/// How long the shop may take to stand.
const UP_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to end by itself.
const DOWN_WITHIN: Duration = Duration::from_secs(12);

/// What the child is told, as a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShopOrder {
    pub(crate) dir: PathBuf,
    pub(crate) otlp: Option<String>,
    pub(crate) registry: String,
    pub(crate) keys: PathBuf,
    pub(crate) env: String,
    pub(crate) bottleneck: String,
    pub(crate) seed: u64,
    pub(crate) postgres: Option<String>,
    pub(crate) empty_rules_for: Option<String>,
    pub(crate) without_middleware: Option<String>,
}

impl ShopOrder {
    /// The shop's own configuration.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let usage = |text: String| Failure::new(Exit::Usage, text);
        let service = |name: &Option<String>| {
            name.as_ref()
                .map(|name| {
                    name.parse().map_err(|error: peakdrill_demo_shop::UnknownWord| usage(error.to_string()))
                })
                .transpose()
        };
        let bottleneck: Bottleneck = self
            .bottleneck
            .parse()
            .map_err(|error: peakdrill_demo_shop::UnknownWord| usage(error.to_string()))?;
        Ok(Config {
            dir: self.dir.clone(),
            otlp: self.otlp.clone(),
            registry: Registry::Url(self.registry.clone()),
            keys: self.keys.clone(),
            env: self.env.parse().map_err(|error| usage(format!("environment: {error}")))?,
            bottleneck,
            seed: self.seed,
            orders: self.postgres.clone().map_or(OrderDatabase::Sqlite, OrderDatabase::Postgres),
            rules: None,
            live: LiveUsers::default(),
            mistakes: Mistakes {
                empty_rules_for: service(&self.empty_rules_for)?,
                without_middleware: service(&self.without_middleware)?,
            },
        })
    }
}

/// A shop in a process of its own. It ends when this is dropped, or when we end in any way: its standard input
/// closes then.
pub(crate) struct Shop {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) addresses: Addresses,
}

impl Shop {
    /// Starts it and waits for its addresses.
    pub(crate) fn start(order: &ShopOrder, file: &Path) -> Result<Self, Failure> {
        let failed = |text: String| Failure::new(Exit::Engine, format!("the demo shop: {text}"));
        let json = serde_json::to_vec_pretty(order).map_err(|error| failed(error.to_string()))?;
        peakdrill_drill_control::record::files::write_atomic(file, &json, 0o600)?;
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(program);
        command.args(["demo", "--shop-child"]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        detach(&mut command);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| failed("no output".into()))?;
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            let _ = told.send(read.map(|_| line));
        });
        let line = match heard.recv_timeout(UP_WITHIN) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => {
                let _ = child.kill();
                return Err(failed(format!("was not up within {} s", UP_WITHIN.as_secs())));
            }
        };
        // It may name a database with its password, and the shop has read it.
        let _ = std::fs::remove_file(file);
        match serde_json::from_str(&line) {
            Ok(addresses) => Ok(Self { child, stdin, addresses }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed("ended before it stood; what it said is above".into()))
            }
        }
    }
}

/// Ctrl-C in the terminal goes to the drill, which ends the shop when it is done with it.
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let deadline = Instant::now() + DOWN_WITHIN;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's side: runs the shop until its standard input closes.
pub(crate) fn child(file: &Path) -> Result<Exit, Failure> {
    let failed = |text: String| Failure::new(Exit::Engine, text);
    let text = std::fs::read(file).map_err(|error| failed(format!("{}: {error}", file.display())))?;
    let order: ShopOrder =
        serde_json::from_slice(&text).map_err(|error| failed(format!("{}: {error}", file.display())))?;
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = ended.send(());
    });
    run(
        order.config()?,
        |addresses| {
            if let Ok(mut line) = serde_json::to_vec(addresses) {
                line.push(b'\n');
                let mut stdout = std::io::stdout().lock();
                let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
            }
        },
        async {
            let _ = end.await;
        },
    )
}

/// Runs a shop in this process.
pub(crate) fn run(
    config: Config,
    ready: impl FnOnce(&Addresses),
    shutdown: impl Future<Output = ()>,
) -> Result<Exit, Failure> {
    let failed = |text: String| Failure::new(Exit::Engine, format!("the demo shop: {text}"));
    let runtime = tokio::runtime::Runtime::new().map_err(|error| failed(error.to_string()))?;
    runtime
        .block_on(peakdrill_demo_shop::run(config, ready, shutdown))
        .map_err(|error| failed(error.to_string()))?;
    Ok(Exit::Ok)
}
