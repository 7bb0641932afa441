//! Numbers as people read them at a glance.

use peakdrill_timebase::format_duration;

/// A duration.
pub(crate) fn time(ns: u64) -> String {
    format_duration(ns)
}

/// Milliseconds that may not have been measured.
pub(crate) fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format_duration((ms.max(0.0) * 1e6) as u64))
}

/// `mm:ss`.
pub(crate) fn clock(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// A share as percent.
pub(crate) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0%".to_owned(),
        p if p < 10.0 => format!("{p:.2}%"),
        p => format!("{p:.0}%"),
    }
}

/// A count with thin groups.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Cuts text to a width in characters, with a sign that it was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1_234_567), "1 234 567");
        assert_eq!(percent(0.000_51), "0.05%");
        assert_eq!(percent(0.0), "0%");
        assert_eq!(clock(83_000_000_000), "01:23");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
