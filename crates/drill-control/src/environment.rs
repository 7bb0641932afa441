//! What is known of this machine and process. Linux's `/proc`; elsewhere unknown, which is said.

use peakdrill_reports::Machine;

/// The machine.
#[must_use]
pub(crate) fn machine() -> Machine {
    Machine {
        cpus: std::thread::available_parallelism().map_or(0, |n| u32::try_from(n.get()).unwrap_or(0)),
        memory_mib: field("/proc/meminfo", "MemTotal:").map_or(0, |kib| kib / 1024),
        os: std::env::consts::OS.to_owned(),
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        hostname: None,
    }
}

/// The largest resident memory of this process so far, in MiB.
#[must_use]
pub fn max_rss_mib() -> Option<f64> {
    field("/proc/self/status", "VmHWM:").map(|kib| kib as f64 / 1024.0)
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
