use super::*;

/// A folder with these files under `proc` and `sys`.
fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Facts) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let facts = read(&Roots { proc: folder.path().join("proc"), sys: folder.path().join("sys") });
    (folder, facts)
}

const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             96365                96365                processes \n\
                      Max open files            1024                 unlimited            files     \n";

#[test]
fn a_machine_is_read() {
    let (_folder, facts) = machine(&[
        ("proc/self/limits", LIMITS),
        ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
        ("proc/sys/net/ipv4/tcp_tw_reuse", "2\n"),
        ("proc/sys/net/core/somaxconn", "4096\n"),
        ("proc/sys/net/netfilter/nf_conntrack_count", "70\n"),
        ("proc/sys/net/netfilter/nf_conntrack_max", "65536\n"),
        ("proc/sys/kernel/osrelease", "6.1.0\n"),
        ("proc/sys/kernel/io_uring_disabled", "2\n"),
        ("proc/self/status", "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"),
        ("proc/meminfo", "MemTotal:  2000 kB\nMemAvailable:    1000 kB\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
        ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm \n"),
    ]);
    assert_eq!(facts.files, Some(FileLimits { soft: 1024, hard: u64::MAX }));
    assert_eq!((facts.ports.range, facts.ports.reuse), (Some((32_768, 60_999)), Some(2)));
    assert_eq!((facts.network.somaxconn, facts.network.conntrack), (Some(4096), Some((70, 65_536))));
    assert_eq!(
        (facts.kernel.as_deref(), facts.uring_disabled, facts.filtered),
        (Some("6.1.0"), Some(2), true)
    );
    assert_eq!((facts.memory.available, facts.memory.limit), (Some(1_024_000), None));
    assert_eq!(facts.clock.source.as_deref(), Some("hpet"));
    assert_eq!(facts.clock.available, ["tsc", "hpet", "acpi_pm"]);
    assert_eq!(facts.processor, Processor::default());
}

#[test]
fn the_tightest_of_the_groups_around_a_process_holds() {
    let (_two, facts) = machine(&[
        ("proc/self/cgroup", "0::/pod/main\n"),
        ("sys/fs/cgroup/pod/main/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/pod/cpu.max", "150000 100000\n"),
        ("sys/fs/cgroup/pod/main/memory.max", "max\n"),
        ("sys/fs/cgroup/pod/memory.max", "536870912\n"),
        ("sys/fs/cgroup/pod/cpu.stat", "usage_usec 1\nnr_periods 200\nnr_throttled 30\n"),
    ]);
    assert_eq!((facts.processor.quota, facts.processor.throttled), (Some(1.5), Some((30, 200))));
    assert_eq!(facts.memory.limit, Some(512 << 20));

    let (_one, facts) = machine(&[
        ("proc/self/cgroup", "4:cpu,cpuacct:/docker/a\n3:memory:/docker/a\n0::/\n"),
        // Inside of a container its own group is the root of what is mounted.
        ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"),
        ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ("sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", "9223372036854771712\n"),
    ]);
    assert_eq!((facts.processor.quota, facts.memory.limit), (Some(0.5), None));
    assert_eq!(facts.processor.throttled, None);
}

#[test]
fn what_is_not_there_or_is_no_sense_is_not_known() {
    let (_empty, facts) = machine(&[]);
    assert_eq!(facts, Facts::default());
    let (_broken, facts) = machine(&[
        ("proc/self/limits", "Max open files  x y\n"),
        ("proc/sys/net/ipv4/ip_local_port_range", "60999 32768\n"),
        ("proc/self/cgroup", "nonsense\n0::/../../etc\n"),
        ("proc/meminfo", "MemAvailable: much\n"),
    ]);
    assert_eq!(facts, Facts::default());
}

#[test]
fn this_machine_can_be_read() {
    let facts = read(&Roots::default());
    assert!(facts.files.is_some() && facts.kernel.is_some(), "{facts:?}");
}
