//! Clocks: what latencies are measured with, and what spans of other machines are held against.

use super::{Finding, Level};
use crate::machine::facts::Facts;

/// Clocks that are read without a call of the kernel.
const QUICK: [&str; 4] = ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"];
/// A sleep that is too long by more than this, at 99 %, makes arrivals late, in nanoseconds.
const OVERSHOOT_MAX_NS: u64 = 1_000_000;

pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    [source(facts), synchronised(facts), overshoot(facts)].into_iter().flatten().collect()
}

fn source(facts: &Facts) -> Option<Finding> {
    let source = facts.clock.source.as_deref()?;
    let quick = |name: &str| QUICK.contains(&name);
    let level = if quick(source) { Level::Ok } else { Level::Warning };
    let found = format!("the kernel reads its time from `{source}`");
    let finding = Finding::new("clock", level, found, "a clock that is quick to read, such as tsc");
    let better = facts.clock.available.iter().find(|name| quick(name));
    Some(match better {
        Some(better) => finding
            .fix(format!("echo {better} > /sys/devices/system/clocksource/clocksource0/current_clocksource")),
        None => finding,
    })
}

fn synchronised(facts: &Facts) -> Option<Finding> {
    let synchronised = facts.clock.synchronised?;
    let (level, found) = if synchronised {
        (Level::Ok, "the clock is kept to the world's time")
    } else {
        (Level::Warning, "nothing keeps the clock to the world's time")
    };
    let expected = "a clock that agrees with those of the services, whose spans are read";
    Some(Finding::new("clock sync", level, found, expected).fix("timedatectl set-ntp true"))
}

fn overshoot(facts: &Facts) -> Option<Finding> {
    let (middle, most) = facts.clock.overshoot_ns?;
    let us = |ns: u64| ns / 1_000;
    let found =
        format!("sleeps of a millisecond are too long by {} us, and by {} us at 99 %", us(middle), us(most));
    let level = if most > OVERSHOOT_MAX_NS { Level::Warning } else { Level::Ok };
    let expected = format!("at most {} us at 99 %: arrivals are late by it", us(OVERSHOOT_MAX_NS));
    Some(Finding::new("sleep", level, found, expected).fix("ps -eo pcpu,comm --sort=-pcpu | head"))
}
