//! `peakdrill schema`, `explain`, `completions`, `man`.

use clap::CommandFactory;
use peakdrill_drill_model::exit::Exit;

use super::Failure;
use crate::args::Cli;
use crate::show::out;

pub(super) fn schema() -> Result<Exit, Failure> {
    let json = serde_json::to_string_pretty(&peakdrill_scenarios::schema())
        .map_err(|error| Failure::new(Exit::Bug, format!("the schema does not serialise: {error}")))?;
    out(&(json + "\n"));
    Ok(Exit::Ok)
}

pub(super) fn explain(code: Option<&str>) -> Result<Exit, Failure> {
    let Some(code) = code else {
        for code in peakdrill_scenarios::codes() {
            let text = peakdrill_scenarios::explain(code.0).unwrap_or_default();
            out(&format!("{code}  {}\n", text.lines().next().unwrap_or_default()));
        }
        return Ok(Exit::Ok);
    };
    let text = peakdrill_scenarios::explain(&code.to_ascii_uppercase()).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{code}` is no diagnostic code; `peakdrill explain` lists them"))
    })?;
    out(&format!("{}\n", text.trim_end()));
    Ok(Exit::Ok)
}

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "peakdrill", &mut text);
    out(&String::from_utf8_lossy(&text));
    Ok(Exit::Ok)
}

pub(super) fn man() -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(|error| Failure::new(Exit::Bug, format!("the manual page: {error}")))?;
    out(&String::from_utf8_lossy(&text));
    Ok(Exit::Ok)
}
