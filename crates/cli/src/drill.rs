//! Runs a drill on a thread of its own while a person watches.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use peakdrill_dashboard::Action;
use peakdrill_drill_control::exposition::{self, Exposition, Push, Receiver};
use peakdrill_drill_control::machine::raise_file_limit;
use peakdrill_drill_control::{Command, ControlError, Finished, Hooks, Options, Stage};
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::owners::Owners;
use peakdrill_drill_model::plan::Plan;
use peakdrill_drill_model::snapshot::Snapshot;

use crate::args::{Format, Tui};
use crate::commands::Failure;
use crate::show::{self, lines::Lines};
use crate::signals;

/// How a drill is run and shown.
pub(crate) struct Drill {
    pub(crate) out: PathBuf,
    pub(crate) shards: usize,
    pub(crate) transport: peakdrill_loadgen::Transport,
    pub(crate) tui: Tui,
    pub(crate) format: Format,
    pub(crate) secrets: BTreeMap<String, String>,
    /// Where the drill's own metrics are served.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where they are sent.
    pub(crate) metrics_to: Option<Receiver>,
    pub(crate) owners: Owners,
    /// Lives as long as the drill: the demo's shop.
    pub(crate) keep: Option<Box<dyn Send>>,
}

/// How long the live view stays after the end when nobody presses a key.
const LINGER: Duration = Duration::from_secs(4);

/// The newest snapshot, for whoever looks.
#[derive(Clone, Default)]
struct Newest(Arc<Mutex<Option<Arc<Snapshot>>>>);

impl Newest {
    fn put(&self, snapshot: Arc<Snapshot>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }

    fn get(&self) -> Option<Arc<Snapshot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn looker(&self) -> exposition::Newest {
        let newest = self.clone();
        Arc::new(move || newest.get())
    }
}

/// Runs it to its verdict.
pub(crate) fn run(stage: Stage, plan: Plan, drill: Drill) -> Result<Exit, Failure> {
    if let Err(error) = raise_file_limit() {
        show::note(&format!("the limit of open files stays as it is: {error}\n"));
    }
    let (commands, obey) = channel();
    signals::watch(commands.clone())
        .map_err(|error| Failure::new(Exit::Engine, format!("signals: {error}")))?;
    let newest = Newest::default();
    let served = drill.metrics.map(|address| serve_metrics(address, &newest)).transpose()?;
    let unverified = drill.metrics_to.as_ref().and_then(Receiver::unverified);
    let unverified = unverified.map(|to| {
        format!("metrics of the drill: the certificate of {to} is not verified, to whom they are sent")
    });
    let pushed = drill.metrics_to.map(|receiver| Push::start(receiver, newest.looker())).transpose()?;
    let published = newest.clone();
    let hooks = Hooks { commands: obey, publish: Box::new(move |snapshot| published.put(snapshot)) };
    let options = Options {
        out: drill.out.clone(),
        shards: drill.shards,
        transport: drill.transport,
        command: Some(show::command_line(std::env::args())),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        owners: drill.owners,
        secrets: drill.secrets,
        warnings: unverified.into_iter().collect(),
    };
    let control = std::thread::Builder::new()
        .name("pd-control".into())
        .spawn(move || peakdrill_drill_control::run(stage, plan, &options, hooks))
        .map_err(|error| Failure::new(Exit::Engine, format!("no thread: {error}")))?;
    watch(drill.tui, &newest, &commands, &control);
    let finished = control.join();
    if let Some(why) = pushed.and_then(Push::end) {
        show::note(&format!("{why}\n"));
    }
    drop((drill.keep, served));
    conclude(finished, &drill.out, drill.format)
}

fn serve_metrics(address: SocketAddr, newest: &Newest) -> Result<Exposition, Failure> {
    let served = Exposition::serve(address, newest.looker())?;
    show::note(&format!("metrics of the drill: {}\n", served.url()));
    Ok(served)
}

type Control = std::thread::JoinHandle<Result<Finished, ControlError>>;

fn on_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// `--tui always` fails before anything is started.
pub(crate) fn can_draw(tui: Tui) -> Result<(), Failure> {
    if tui == Tui::Always && !on_terminal() {
        return Err(Failure::new(Exit::Usage, "--tui always: stdin and stdout are no terminal"));
    }
    Ok(())
}

/// A folder that holds a record is left alone, journal and all.
pub(crate) fn is_free(out: &Path) -> Result<(), Failure> {
    if out.join(peakdrill_drill_control::record::PLAN).exists() {
        let text = format!("{}: holds a record already: choose another --out", out.display());
        return Err(Failure::new(Exit::Usage, text));
    }
    Ok(())
}

fn watch(tui: Tui, newest: &Newest, commands: &Sender<Command>, control: &Control) {
    let draw = match tui {
        Tui::Always => true,
        Tui::Auto => on_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb"),
        Tui::Never => false,
    };
    if draw {
        let act = |action| {
            let command = match action {
                Action::Stop => Command::Stop { by: "key".to_owned() },
                Action::Cut => Command::Cut,
            };
            // A drill that is over hears nothing, and needs nothing.
            let _ = commands.send(command);
        };
        // A drill outlives what shows it, whatever happens there.
        let left = std::panic::catch_unwind(AssertUnwindSafe(|| {
            peakdrill_dashboard::run(&|| newest.get(), &act, &|| control.is_finished(), LINGER)
        }));
        let ended = match left {
            Ok(shown) => shown.err().map(|error| error.to_string()),
            Err(_) => Some("a bug of ours, told above".to_owned()),
        };
        if let Some(why) = ended {
            show::note(&format!("the live view ended: {why}; the drill goes on in plain lines\n"));
        }
    }
    let mut lines = Lines::default();
    while !control.is_finished() {
        if let Some(snapshot) = newest.get() {
            lines.show(&snapshot);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    if let Some(snapshot) = newest.get() {
        lines.show(&snapshot);
    }
}

fn conclude(
    finished: std::thread::Result<Result<Finished, ControlError>>,
    out: &Path,
    format: Format,
) -> Result<Exit, Failure> {
    let finished = match finished {
        Ok(result) => result?,
        Err(panic) => return Err(crash(out, panic.as_ref())),
    };
    for problem in &finished.refused {
        show::note(&format!("  ✗ {problem}\n"));
    }
    if !finished.refused.is_empty() {
        show::note("preflight refused: no load was sent\n");
    }
    match format {
        Format::Human => show::card(&finished.verdict, Some(&finished.folder)),
        Format::Json => {
            let path = finished.folder.join("verdict.json");
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::new(Exit::Engine, format!("{}: {error}", path.display())))?;
            show::out(&text);
        }
    }
    Ok(finished.exit)
}

/// A bug of ours: what is known goes to a file, and the record is still rendered.
fn crash(out: &Path, panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned());
    let path = out.join("crash.txt");
    let report = format!("peakdrill {}\n{text}\n", env!("CARGO_PKG_VERSION"));
    let kept = std::fs::write(&path, report).is_ok();
    let rendered = peakdrill_drill_control::record::rerender(out).is_ok();
    let mut message = format!("a bug of ours ended the drill: {text}");
    if kept {
        message.push_str(&format!("\nwhat is known is in {}", path.display()));
    }
    if rendered {
        message.push_str(&format!("\nthe record up to then is rendered in {}", out.display()));
    }
    Failure::new(Exit::Bug, message)
}
