//! Numbers as people read them.

/// What stands for a figure that was not measured.
pub(crate) const NOT_MEASURED: &str = "–";

/// Three significant digits, thousands grouped.
pub(crate) fn figure(value: f64) -> String {
    if !value.is_finite() {
        return NOT_MEASURED.to_owned();
    }
    let size = value.abs();
    if (999.5..1e15).contains(&size) {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(size.round() as u64));
    }
    match size {
        s if s >= 1e15 => format!("{value:.2e}"),
        s if s >= 99.95 => format!("{value:.0}"),
        s if s >= 9.995 => trim(format!("{value:.1}")),
        s if s >= 0.01 || s == 0.0 => trim(format!("{value:.2}")),
        _ => trim(format!("{value:.4}")),
    }
}

fn trim(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A count, thousands grouped: `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count, or the mark of what was not measured.
pub(crate) fn maybe_count(n: Option<u64>) -> String {
    n.map_or_else(|| NOT_MEASURED.to_owned(), count)
}

/// Milliseconds with the unit that fits: `0.42 ms`, `143 ms`, `1.24 s`, `3.5 min`.
pub(crate) fn millis(ms: Option<f64>) -> String {
    match ms {
        Some(ms) if ms.is_finite() => match ms.abs() {
            size if size >= 120_000.0 => format!("{} min", figure(ms / 60_000.0)),
            size if size >= 999.5 => format!("{} s", figure(ms / 1_000.0)),
            _ => format!("{} ms", figure(ms)),
        },
        _ => NOT_MEASURED.to_owned(),
    }
}

/// A share of 0..=1 in percent. Never rounds something to nothing, nor almost all to all.
pub(crate) fn percent(share: Option<f64>) -> String {
    let Some(share) = share.filter(|share| share.is_finite()) else { return NOT_MEASURED.to_owned() };
    let value = share * 100.0;
    match value {
        v if !v.is_finite() => NOT_MEASURED.to_owned(),
        v if v == 0.0 || v == 100.0 => format!("{v:.0}%"),
        v if v > 0.0 && v < 0.01 => "<0.01%".to_owned(),
        v if v > 99.99 && v < 100.0 => ">99.99%".to_owned(),
        v if v.abs() < 1.0 || (99.0..100.0).contains(&v) => format!("{}%", trim(format!("{v:.2}"))),
        v if v.abs() < 10.0 => format!("{}%", trim(format!("{v:.1}"))),
        v => format!("{v:.0}%"),
    }
}

/// A rate: `412/s`, `12.4k/s`.
pub(crate) fn rate(per_s: Option<f64>) -> String {
    match per_s {
        Some(rate) if rate.is_finite() && rate.abs() >= 9_999.5 => format!("{}k/s", figure(rate / 1e3)),
        Some(rate) if rate.is_finite() => format!("{}/s", figure(rate)),
        _ => NOT_MEASURED.to_owned(),
    }
}

/// Seconds as a length: `45 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn length(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NOT_MEASURED.to_owned();
    }
    if seconds < 120.0 {
        return format!("{} s", figure(seconds));
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes, rest) {
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// Seconds since the start of the load as a clock: `0:42`, `1:02:03`, `-0:05`.
pub(crate) fn clock(seconds: f64) -> String {
    if !seconds.is_finite() {
        return NOT_MEASURED.to_owned();
    }
    let sign = if seconds <= -1.0 { "-" } else { "" };
    let whole = seconds.abs() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{sign}{hours}:{minutes:02}:{rest:02}")
    } else {
        format!("{sign}{minutes}:{rest:02}")
    }
}

/// Unix nanoseconds as RFC 3339 in UTC, whole seconds; `None` when there is no such time.
pub(crate) fn rfc3339(unix_ns: i64) -> Option<String> {
    let time = jiff::Timestamp::from_second(unix_ns.div_euclid(1_000_000_000)).ok()?;
    (unix_ns != 0).then(|| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// `1 request`, `2 requests`.
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_numbers() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(millis(Some(0.4213)), "0.42 ms");
        assert_eq!(millis(Some(1240.0)), "1.24 s");
        assert_eq!(millis(None), NOT_MEASURED);
        assert_eq!(rate(Some(12_400.0)), "12.4k/s");
        assert_eq!(length(200.0), "3 min 20 s");
        assert_eq!(clock(3723.0), "1:02:03");
        assert_eq!(rfc3339(1_767_225_600_000_000_000).as_deref(), Some("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn shares_never_round_to_nothing_or_to_all() {
        assert_eq!(percent(Some(0.0)), "0%");
        assert_eq!(percent(Some(0.00001)), "<0.01%");
        assert_eq!(percent(Some(0.0042)), "0.42%");
        assert_eq!(percent(Some(0.999_95)), ">99.99%");
        assert_eq!(percent(Some(0.9996)), "99.96%");
        assert_eq!(percent(Some(1.0)), "100%");
    }
}
