//! One module a verb.

mod analyze;
mod check;
mod compare;
mod demo;
mod doctor;
mod init;
mod keys;
mod otel_profile;
mod plan;
mod reference;
mod report;
mod run;

use peakdrill_drill_model::exit::Exit;

use crate::args::Command;

/// Why a command could not do its work: what to say, and how to end.
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl From<peakdrill_drill_control::ControlError> for Failure {
    fn from(error: peakdrill_drill_control::ControlError) -> Self {
        use peakdrill_drill_control::ControlError;
        let exit = match error {
            ControlError::Plan(_) => Exit::Preflight,
            _ => Exit::Engine,
        };
        Self::new(exit, error.to_string())
    }
}

/// Runs a verb.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Analyze(args) => analyze::run(&args),
        Command::OtelProfile(args) => otel_profile::run(&args),
        Command::Keys { what } => keys::run(&what),
        Command::Schema => reference::schema(),
        Command::Explain { code } => reference::explain(code.as_deref()),
        Command::Completions { shell } => reference::completions(shell),
        Command::Man => reference::man(),
    }
}
