#![doc = include_str!("../README.md")]

mod accuracy;
mod bench;
mod screenshots;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs everything that must hold: fmt, clippy, tidy, all tests.
    Test(test::Options),
    /// Checks layers, sizes, READMEs, licences and generated files.
    Tidy {
        /// Writes the size ratchet and generated files anew instead of complaining.
        #[arg(long)]
        bless: bool,
    },
    /// Measures how often a planted truth is found.
    Accuracy {
        #[command(subcommand)]
        what: accuracy::What,
    },
    /// Measures speed beside other programs, in one run.
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
    /// Makes the README's pictures from a real run (needs tmux and chromium).
    Screenshots,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Tidy { bless } => tidy::run(bless, None),
        Task::Accuracy { what } => accuracy::run(&what),
        Task::Bench { what } => bench::run(&what),
        Task::Screenshots => screenshots::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nxtask: {message}");
            ExitCode::FAILURE
        }
    }
}
