//! Signals become commands: the first stops, the second cuts, the third ends the process. A terminal that hangs up
//! is one of them.

use std::sync::mpsc::Sender;

use peakdrill_drill_control::Command;
use peakdrill_drill_model::exit::Exit;

/// Watches SIGINT, SIGTERM and, unless it is to be ignored (`nohup`), SIGHUP from a thread of its own, until the process ends.
pub(crate) fn watch(commands: Sender<Command>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before this returns: a signal right after is not lost.
    let heeded = !ignores_hangup();
    let (mut interrupt, mut terminate, mut hangup) = runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = (SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup());
        let hangup = heeded.then(|| signal(kinds.2)).transpose()?;
        Ok::<_, std::io::Error>((signal(kinds.0)?, signal(kinds.1)?, hangup))
    })?;
    let watch = async move {
        let mut seen = 0_u32;
        loop {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
                _ = hung_up(&mut hangup) => "SIGHUP",
            };
            seen += 1;
            let command = match seen {
                1 => Command::Stop { by: name.to_owned() },
                2 => Command::Cut,
                _ => leave(),
            };
            if commands.send(command).is_err() && seen > 1 {
                leave();
            }
        }
    };
    std::thread::Builder::new().name("pd-signals".into()).spawn(move || runtime.block_on(watch))?;
    Ok(())
}

/// A hang-up that is heeded; without, it waits for ever.
async fn hung_up(hangup: &mut Option<tokio::signal::unix::Signal>) {
    match hangup {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the process was started with SIGHUP (signal 1, so the lowest bit of the mask) ignored.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Ends the process at once, with the terminal as it was.
fn leave() -> ! {
    peakdrill_dashboard::restore();
    std::process::exit(i32::from(Exit::Person.code()))
}
