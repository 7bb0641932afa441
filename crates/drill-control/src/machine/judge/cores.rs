//! Processors, and the kernel.

use super::{Finding, Level};
use crate::machine::facts::Facts;
use crate::machine::need::Need;

/// Share of time given to other machines from which on figures suffer.
const STOLEN_MAX: f64 = 0.01;
/// Share of the processors used by others from which on figures suffer.
const BUSY_MAX: f64 = 0.5;

pub(super) fn all(facts: &Facts, need: &Need) -> Vec<Finding> {
    [cores(facts, need), quota(facts, need), stolen(facts), busy(facts), uring(facts, need)]
        .into_iter()
        .flatten()
        .collect()
}

fn threads(need: &Need) -> String {
    if need.shards == 1 { "one load thread".to_owned() } else { format!("{} load threads", need.shards) }
}

fn cores(facts: &Facts, need: &Need) -> Option<Finding> {
    let cores = facts.processor.cores?;
    let level = if cores < need.shards { Level::Warning } else { Level::Ok };
    let found = format!("this process may use {cores} cores");
    let expected = format!("one for each of {}", threads(need));
    Some(Finding::new("cores", level, found, expected).fix(format!("peakdrill run --shards {cores} ...")))
}

fn quota(facts: &Facts, need: &Need) -> Option<Finding> {
    let quota = facts.processor.quota?;
    let (throttled, periods) = facts.processor.throttled.unwrap_or((0, 0));
    let level = if throttled > 0 || quota < f64::from(need.shards) { Level::Warning } else { Level::Ok };
    let found = format!(
        "its control group allows {quota:.1} cores' worth of time, and had used it up in {throttled} of {periods} periods"
    );
    let expected = format!("no limit, or more than {} use: whoever is over it stands still", threads(need));
    Some(
        Finding::new("cpu quota", level, found, expected)
            .fix("systemctl set-property --runtime UNIT CPUQuota="),
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn stolen(facts: &Facts) -> Option<Finding> {
    let stolen = facts.processor.stolen?;
    let level = if stolen > STOLEN_MAX { Level::Warning } else { Level::Ok };
    let found = format!("{} of the processors' time went to other machines", percent(stolen));
    Some(Finding::new("steal", level, found, format!("at most {}", percent(STOLEN_MAX))))
}

fn busy(facts: &Facts) -> Option<Finding> {
    let busy = facts.processor.busy?;
    let level = if busy > BUSY_MAX { Level::Warning } else { Level::Ok };
    let found = format!("{} of the processors' time is used already", percent(busy));
    let expected = format!("at most {}: the generator is to be alone", percent(BUSY_MAX));
    Some(Finding::new("load", level, found, expected).fix("ps -eo pcpu,comm --sort=-pcpu | head"))
}

/// Whoever asks for it gets it or an error: without that nothing is spoilt.
fn uring(facts: &Facts, need: &Need) -> Option<Finding> {
    let kernel = facts.kernel.as_deref().unwrap_or("unknown");
    let disabled = facts.uring_disabled.filter(|value| *value > 0);
    let why = |error: &str| match disabled {
        Some(value) => format!("{error} (kernel.io_uring_disabled is {value})"),
        None if facts.filtered => format!("{error} (system calls are filtered here, as in a container)"),
        None => error.to_owned(),
    };
    let found = match facts.uring.as_ref()? {
        Ok(()) => format!("Linux {kernel}, io_uring can be used"),
        Err(error) => format!("Linux {kernel}, io_uring cannot be used: {}", why(error)),
    };
    let level = if need.uring && facts.uring != Some(Ok(())) { Level::Problem } else { Level::Ok };
    let expected = if need.uring {
        "io_uring, which is asked for"
    } else {
        "any: without io_uring, epoll is used, which takes somewhat more of the processor"
    };
    let finding = Finding::new("kernel", level, found, expected);
    Some(if disabled.is_some() { finding.fix("sysctl -w kernel.io_uring_disabled=0") } else { finding })
}
