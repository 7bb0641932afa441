//! The text of a Prometheus endpoint: format 0.0.4 and OpenMetrics 1.0. Pure; no bytes make it panic.
//!
//! Only what tells of a resource is kept. A line that cannot be read is counted and spoils that line alone.

use std::collections::HashMap;

use peakdrill_trace_model::metric::is_known;

/// Samples that are kept of one look.
pub(crate) const SAMPLES_MAX: usize = 20_000;
/// Labels of a sample.
const LABELS_MAX: usize = 64;
/// Families whose type is remembered.
const FAMILIES_MAX: usize = 20_000;

/// What a family's samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As things are.
    Gauge,
    /// Growing.
    Counter,
    /// The sum of what was observed, growing.
    Sum,
    /// How often was observed, growing.
    Count,
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// Of what; of sums and counts the family.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// As written, sorted by name.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
    /// When, Unix nanoseconds, where it says so.
    pub(crate) at_ns: Option<i64>,
}

/// What an endpoint said.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Said {
    pub(crate) samples: Vec<Sample>,
    /// Lines that could not be read.
    pub(crate) bad_lines: u64,
    /// Samples that were over the limit.
    pub(crate) over_limit: u64,
}

/// Reads a text. `open_metrics`: times are seconds, not milliseconds.
pub(crate) fn read(text: &str, open_metrics: bool) -> Said {
    let mut said = Said::default();
    let mut types: HashMap<&str, &str> = HashMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_ascii_whitespace();
            if words.next() == Some("TYPE")
                && let (Some(name), Some(kind)) = (words.next(), words.next())
                && types.len() < FAMILIES_MAX
            {
                types.insert(name.trim_matches('"'), kind);
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        match sample(line, &types, open_metrics) {
            Ok(Some(_)) if said.samples.len() >= SAMPLES_MAX => said.over_limit += 1,
            Ok(found) => said.samples.extend(found),
            Err(Unreadable) => said.bad_lines += 1,
        }
    }
    said
}

/// A line that is no sample.
struct Unreadable;

/// Reads one line; `None` when it tells of no resource, or has no value.
fn sample(line: &str, types: &HashMap<&str, &str>, open_metrics: bool) -> Result<Option<Sample>, Unreadable> {
    let (name, labels, rest) = head(line)?;
    let mut words = rest.split('#').next().unwrap_or_default().split_ascii_whitespace();
    let value: f64 = words.next().ok_or(Unreadable)?.parse().map_err(|_| Unreadable)?;
    let at = words.next().map(|at| at.parse::<f64>().map_err(|_| Unreadable)).transpose()?;
    if words.next().is_some() {
        return Err(Unreadable);
    }
    let Some((name, kind)) = meant(&name, types) else { return Ok(None) };
    // Not a number: there is no value, as of a quantile of nothing.
    if !value.is_finite() {
        return Ok(None);
    }
    // Whole microseconds: a number of this size has no digits beyond.
    let micros = |at: f64| (at * if open_metrics { 1e6 } else { 1e3 }).round() as i64;
    let at_ns = at.filter(|at| at.is_finite()).map(|at| micros(at).saturating_mul(1_000));
    Ok(Some(Sample { name: name.to_owned(), kind, labels, value, at_ns }))
}

/// What a sample's name means; `None` when it tells of no resource.
fn meant<'a>(name: &'a str, types: &HashMap<&str, &str>) -> Option<(&'a str, Kind)> {
    let observed = [("_sum", Kind::Sum), ("_count", Kind::Count)];
    let family = observed.iter().find_map(|(suffix, kind)| Some((name.strip_suffix(suffix)?, *kind)));
    if let Some((family, kind)) = family
        && matches!(types.get(family), Some(&("histogram" | "summary")))
    {
        return is_known(family).then_some((family, kind));
    }
    // OpenMetrics names the type of a counter without `_total`.
    let base = name.strip_suffix("_total").unwrap_or(name);
    let kind = match types.get(name).or_else(|| types.get(base)) {
        Some(&"counter") => Kind::Counter,
        Some(&("gauge" | "untyped" | "unknown")) => Kind::Gauge,
        Some(_) => return None,
        None if name.ends_with("_total") => Kind::Counter,
        None => Kind::Gauge,
    };
    if types.contains_key(name) || is_known(name) {
        return is_known(name).then_some((name, kind));
    }
    family.filter(|(family, _)| is_known(family))
}

type Labels = Vec<(String, String)>;

/// Name, labels, and what follows them. A name may stand in quotes in front of the labels.
fn head(line: &str) -> Result<(String, Labels, &str), Unreadable> {
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace()).ok_or(Unreadable)?;
    let (name, rest) = line.split_at(end);
    let mut name = name.to_owned();
    let mut labels = Vec::new();
    let Some(mut rest) = rest.strip_prefix('{') else {
        return if name.is_empty() { Err(Unreadable) } else { Ok((name, labels, rest)) };
    };
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if let Some(rest) = rest.strip_prefix('}') {
            labels.sort();
            return if name.is_empty() { Err(Unreadable) } else { Ok((name, labels, rest)) };
        }
        let (key, after) = word(rest)?;
        rest = after.trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            // In quotes and without a value: the name itself.
            if !name.is_empty() {
                return Err(Unreadable);
            }
            name = key;
            continue;
        };
        let (value, after) = quoted(value.trim_start())?;
        if labels.len() == LABELS_MAX {
            return Err(Unreadable);
        }
        labels.push((key, value));
        rest = after;
    }
}

/// A label's name, bare or in quotes.
fn word(text: &str) -> Result<(String, &str), Unreadable> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).ok_or(Unreadable)?;
    if end == 0 {
        return Err(Unreadable);
    }
    let (name, rest) = text.split_at(end);
    Ok((name.to_owned(), rest))
}

fn quoted(text: &str) -> Result<(String, &str), Unreadable> {
    let inner = text.strip_prefix('"').ok_or(Unreadable)?;
    let mut out = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, inner.get(at + 1..).unwrap_or_default())),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                _ => return Err(Unreadable),
            },
            c => out.push(c),
        }
    }
    Err(Unreadable)
}

#[cfg(test)]
mod tests;
