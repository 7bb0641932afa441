//! Writes the HTML report of a made-up drill: `render FILE [over|partial|calm]`.

#[path = "../tests/it/synthetic.rs"]
mod synthetic;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(path) = args.next() else { return ExitCode::from(2) };
    let record = match args.next().as_deref() {
        None | Some("over") => synthetic::record(),
        Some("partial") => synthetic::partial(),
        Some("calm") => synthetic::calm(),
        Some(_) => return ExitCode::from(2),
    };
    let verdict = peakdrill_reports::verdict(&record);
    match std::fs::write(path, peakdrill_reports::html(&record, &verdict)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
