//! What is known of a machine. What could not be found out is `None`, and never taken for well.

/// The machine, and this process's part of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Files that this process may have open.
    pub files: Option<FileLimits>,
    /// Local ports of outgoing connections.
    pub ports: Ports,
    /// Clocks.
    pub clock: Clock,
    /// Processors.
    pub processor: Processor,
    /// Memory.
    pub memory: Memory,
    /// Queues and tables of the network.
    pub network: Network,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// Whether `io_uring` can be used, or why not.
    pub uring: Option<Result<(), String>>,
    /// `kernel.io_uring_disabled`: 0 for nobody, 1 for all but a group, 2 for all.
    pub uring_disabled: Option<u8>,
    /// A filter of system calls (seccomp) is on, as containers have it.
    pub filtered: bool,
}

/// Limits of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// That which holds. `u64::MAX`: none.
    pub soft: u64,
    /// That up to which the process may raise it by itself. `u64::MAX`: none.
    pub hard: u64,
}

/// Local ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// First and last.
    pub range: Option<(u16, u16)>,
    /// `net.ipv4.tcp_tw_reuse`: 0 never, 1 always, 2 on this machine alone.
    pub reuse: Option<u8>,
}

/// Clocks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clock {
    /// The one in use: `tsc`, `kvm-clock`, `hpet`, …
    pub source: Option<String>,
    /// Those that could be.
    pub available: Vec<String>,
    /// Whether it is kept to the world's time.
    pub synchronised: Option<bool>,
    /// By how much a sleep was too long at 50 % and 99 %, in nanoseconds.
    pub overshoot_ns: Option<(u64, u64)>,
}

/// Processors.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Processor {
    /// Cores that this process may use.
    pub cores: Option<u32>,
    /// Cores' worth of time that its control groups allow; `None`: no limit is known.
    pub quota: Option<f64>,
    /// Periods in which its groups had used up their time, and all periods, since they were made.
    pub throttled: Option<(u64, u64)>,
    /// Share of time that the hypervisor gave to other machines, while it was measured, 0..=1.
    pub stolen: Option<f64>,
    /// Share of time that was used by whatever runs here, while it was measured, 0..=1.
    pub busy: Option<f64>,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// What can be had now.
    pub available: Option<u64>,
    /// What the control groups allow; `None`: no limit is known.
    pub limit: Option<u64>,
}

/// Queues and tables of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Network {
    /// `net.core.somaxconn`: connections that wait to be accepted by a server here.
    pub somaxconn: Option<u64>,
    /// Entries of the table of tracked connections, and how many it can have; `None`: there is no such table.
    pub conntrack: Option<(u64, u64)>,
}
