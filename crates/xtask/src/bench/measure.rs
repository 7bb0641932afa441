//! A program pinned to a core, and the processor time that it took.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{WaitId, WaitIdOptions, waitid};

/// The core of the server, and that of the client.
pub const SERVER_CORE: &str = "0";
pub const CLIENT_CORE: &str = "1";

/// What a finished program took.
pub struct Measured {
    pub stdout: String,
    /// Seconds of processor time: outside of the kernel, and in it.
    pub user_s: f64,
    pub system_s: f64,
}

/// The program and its arguments, on one core.
pub fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// Runs a program to its end. Its processor time is read when it has ended and before it is gone.
pub fn measure(command: &mut Command, log: &Path, accepted: &[i32]) -> Result<Measured, String> {
    let failed = |what: String| format!("{command:?}: {what}");
    let out = fs::File::create(log).map_err(|error| failed(error.to_string()))?;
    let err = out.try_clone().map_err(|error| failed(error.to_string()))?;
    let mut started = Command::new(command.get_program());
    started.args(command.get_args()).stdin(Stdio::null()).stdout(out).stderr(err);
    let mut child = started.spawn().map_err(|error| failed(error.to_string()))?;
    let pid = rustix::process::Pid::from_child(&child);
    let left = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()));
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    left.map_err(|error| failed(error.to_string()))?;
    let stdout = fs::read_to_string(log).map_err(|error| failed(error.to_string()))?;
    if !status.code().is_some_and(|code| accepted.contains(&code)) {
        return Err(failed(format!("{status}\n{stdout}")));
    }
    let (user_s, system_s) =
        stat.ok().and_then(|stat| times(&stat)).ok_or_else(|| failed("no /proc/PID/stat".into()))?;
    Ok(Measured { stdout, user_s, system_s })
}

/// Ticks of `/proc/PID/stat` in a second: fixed in Linux' interface to programs.
const TICKS_PER_S: f64 = 100.0;

/// User and system time from a line of `/proc/PID/stat`: fields 14 and 15, counted behind the name in brackets.
fn times(stat: &str) -> Option<(f64, f64)> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_ascii_whitespace().skip(11).map(str::parse::<f64>);
    Some((fields.next()?.ok()? / TICKS_PER_S, fields.next()?.ok()? / TICKS_PER_S))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "42 (a ) b) Z 1 42 42 0 -1 4 5 6 7 8 150 25 1 2 20 0 1 0";
        assert_eq!(super::times(stat), Some((1.5, 0.25)));
        assert_eq!(super::times("42 (a) Z 1"), None);
    }
}
