//! Signals become commands: the first stops, the second cuts, the third ends the process.

use std::sync::mpsc::Sender;

use peakdrill_drill_control::Command;

/// Watches SIGINT and SIGTERM from a thread of its own, until the process ends.
pub(crate) fn watch(commands: Sender<Command>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered before this returns: a signal right after is not lost.
    let (mut interrupt, mut terminate) = runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        Ok::<_, std::io::Error>((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    })?;
    let watch = async move {
        let mut seen = 0_u32;
        loop {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            seen += 1;
            let command = match seen {
                1 => Command::Stop { by: name.to_owned() },
                2 => Command::Cut,
                _ => std::process::exit(i32::from(peakdrill_drill_model::exit::Exit::Person.code())),
            };
            if commands.send(command).is_err() && seen > 1 {
                std::process::exit(i32::from(peakdrill_drill_model::exit::Exit::Person.code()));
            }
        }
    };
    std::thread::Builder::new().name("pd-signals".into()).spawn(move || runtime.block_on(watch))?;
    Ok(())
}
