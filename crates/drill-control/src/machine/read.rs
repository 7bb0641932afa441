//! Reads what Linux tells of itself in files.

use std::path::{Path, PathBuf};

use super::facts::{Clock, Facts, FileLimits, Memory, Network, Ports, Processor};

/// Folders that stand for `/proc` and `/sys`.
#[derive(Debug, Clone)]
pub struct Roots {
    /// As `/proc`.
    pub proc: PathBuf,
    /// As `/sys`.
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

impl Roots {
    fn proc(&self, path: &str) -> Option<String> {
        text(&self.proc.join(path))
    }

    fn sys(&self, path: &str) -> Option<String> {
        text(&self.sys.join(path))
    }

    fn number(&self, path: &str) -> Option<u64> {
        self.proc(path)?.parse().ok()
    }
}

fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// What the files tell. What has to be tried or measured is left open.
#[must_use]
pub fn read(roots: &Roots) -> Facts {
    let groups = Groups::of(roots);
    Facts {
        files: roots.proc("self/limits").and_then(|text| file_limits(&text)),
        ports: Ports {
            range: roots.proc("sys/net/ipv4/ip_local_port_range").and_then(|text| range(&text)),
            reuse: roots.proc("sys/net/ipv4/tcp_tw_reuse").and_then(|text| text.parse().ok()),
        },
        clock: clock(roots),
        processor: Processor {
            cores: None,
            quota: groups.quota(),
            throttled: groups.throttled(),
            stolen: None,
            busy: None,
        },
        memory: Memory {
            available: roots
                .proc("meminfo")
                .and_then(|text| field(&text, "MemAvailable:"))
                .map(|kib| kib * 1024),
            limit: groups.memory(),
        },
        network: Network {
            somaxconn: roots.number("sys/net/core/somaxconn"),
            conntrack: roots
                .number("sys/net/netfilter/nf_conntrack_count")
                .zip(roots.number("sys/net/netfilter/nf_conntrack_max")),
        },
        kernel: roots.proc("sys/kernel/osrelease"),
        uring: None,
        uring_disabled: roots.proc("sys/kernel/io_uring_disabled").and_then(|text| text.parse().ok()),
        // 2: a filter; 1: only reading and writing, with which nothing here would run.
        filtered: roots.proc("self/status").and_then(|text| field(&text, "Seccomp:")) == Some(2),
    }
}

fn clock(roots: &Roots) -> Clock {
    let file = |name: &str| roots.sys(&format!("devices/system/clocksource/clocksource0/{name}"));
    let available = file("available_clocksource").unwrap_or_default();
    Clock {
        source: file("current_clocksource"),
        available: available.split_whitespace().map(str::to_owned).collect(),
        synchronised: None,
        overshoot_ns: None,
    }
}

/// The line `Max open files  1024  524288  files`.
fn file_limits(text: &str) -> Option<FileLimits> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut values = line.split_whitespace().map(|value| match value {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some(FileLimits { soft: values.next()??, hard: values.next()?? })
}

fn range(text: &str) -> Option<(u16, u16)> {
    let mut values = text.split_whitespace().map(|value| value.parse().ok());
    let (first, last) = (values.next()??, values.next()??);
    (first <= last).then_some((first, last))
}

/// The number on the line of a name.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The control groups of this process, the innermost first. Each limits those inside of it.
struct Groups {
    processor: Vec<PathBuf>,
    memory: Vec<PathBuf>,
    /// One hierarchy for everything (cgroup 2).
    unified: Vec<PathBuf>,
}

/// Most groups that are inside of one another.
const GROUPS_MAX: usize = 64;

impl Groups {
    /// From lines as `0::/a/b` and `4:cpu,cpuacct:/a/b`.
    fn of(roots: &Roots) -> Self {
        let lines = roots.proc("self/cgroup").unwrap_or_default();
        let at = |wanted: &str, mount: &str| {
            let path = lines.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let (controllers, path) = (parts.next()?, parts.next()?);
                controllers.split(',').any(|one| one == wanted).then(|| path.to_owned())
            });
            path.map(|path| upwards(&roots.sys.join("fs/cgroup").join(mount), &path)).unwrap_or_default()
        };
        let mut unified = at("", "");
        unified.extend(at("", "unified"));
        Self { processor: at("cpu", "cpu"), memory: at("memory", "memory"), unified }
    }

    /// Cores' worth of time: the least of all groups.
    fn quota(&self) -> Option<f64> {
        let two = self.unified.iter().filter_map(|group| {
            let text = text(&group.join("cpu.max"))?;
            let (quota, period) = text.split_once(' ')?;
            cores(quota.parse().ok()?, period.parse().ok()?)
        });
        let one = self.processor.iter().filter_map(|group| {
            let number = |name: &str| text(&group.join(name))?.parse::<i64>().ok();
            cores(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
        });
        two.chain(one).reduce(f64::min)
    }

    /// Of the group in which it happened most often.
    fn throttled(&self) -> Option<(u64, u64)> {
        let all = self.unified.iter().chain(&self.processor).filter_map(|group| {
            let text = text(&group.join("cpu.stat"))?;
            Some((field(&text, "nr_throttled")?, field(&text, "nr_periods")?))
        });
        all.filter(|(_, periods)| *periods > 0).max()
    }

    fn memory(&self) -> Option<u64> {
        let files = self.unified.iter().map(|group| group.join("memory.max"));
        let files = files.chain(self.memory.iter().map(|group| group.join("memory.limit_in_bytes")));
        // Where there is no limit, version 1 shows the largest number of pages.
        files.filter_map(|file| text(&file)?.parse().ok()).filter(|limit| *limit < 1 << 60).min()
    }
}

fn cores(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// A group and those that it is in.
fn upwards(mount: &Path, path: &str) -> Vec<PathBuf> {
    let inner = mount.join(path.trim_start_matches('/'));
    inner
        .ancestors()
        .take(GROUPS_MAX)
        .take_while(|group| group.starts_with(mount))
        .map(Path::to_path_buf)
        .collect()
}

#[cfg(test)]
mod tests;
