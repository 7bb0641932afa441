#![doc = include_str!("../README.md")]

mod args;
mod commands;
mod demo_drill;
mod drill;
mod files;
mod keys;
mod owners;
mod profile;
mod show;
mod signals;

use std::process::ExitCode;

use clap::Parser;
use peakdrill_drill_model::exit::Exit;

use crate::args::{Cli, ExitCodes};

fn main() -> ExitCode {
    peakdrill_sockets::one_arena_per_core();
    let cli = Cli::parse();
    let simple = cli.exit_code == ExitCodes::Simple;
    let exit = match std::panic::catch_unwind(|| commands::run(cli.command)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            show::error(&failure.message);
            failure.exit
        }
        Err(_) => Exit::Bug,
    };
    match exit {
        Exit::Ok => ExitCode::SUCCESS,
        _ if simple => ExitCode::FAILURE,
        other => ExitCode::from(other.code()),
    }
}
