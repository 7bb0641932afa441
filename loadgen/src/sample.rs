//! Which requests are shown, and how much of them.

use peakdrill_drill_model::plan::StepId;
use peakdrill_wire_grpc::Method;
use peakdrill_wire_http1::Fields;
use serde_json::Value;

use crate::answer::{Answer, Heads};
use crate::batch::{Sample, SampleKind};

/// Failed requests shown per step and shard over a run, at most.
pub const FAILED_PER_STEP_MAX: u16 = 32;
/// Failed requests shown per step, shard and batch, at most.
pub const FAILED_PER_BATCH_MAX: u16 = 4;
/// Samples held while nobody takes batches, at most.
pub const HELD_MAX: usize = 4096;
/// Longest body shown, in bytes.
pub const BODY_SHOWN_MAX_BYTES: usize = 512;
/// Longest detail shown, in bytes.
const DETAIL_MAX_BYTES: usize = 256;
/// Largest JSON body that is taken apart to be redacted, in bytes. Of larger ones nothing is shown.
const JSON_MAX_BYTES: usize = 64 * 1024;

/// The headers that are shown: they say what an answer is, and never who asked.
const HEADERS_SHOWN: [&str; 10] = [
    "content-type",
    "content-length",
    "location",
    "retry-after",
    "server",
    "date",
    "grpc-status",
    "grpc-message",
    crate::tagging::REFUSED_HEADER,
    "x-peakdrill-ack",
];
/// A JSON value is left out when its key contains one of these.
const SECRET_KEYS: [&str; 8] =
    ["token", "secret", "password", "passwd", "authorization", "cookie", "session", "card"];

/// Picks samples for the next batch.
#[derive(Debug, Default)]
pub(crate) struct Picker {
    steps: Vec<Step>,
    picked: Vec<Sample>,
}

#[derive(Debug, Clone, Default)]
struct Step {
    failed: u16,
    failed_in_batch: u16,
    slowest_ns: u64,
    slowest: Option<Sample>,
}

impl Picker {
    pub(crate) fn new(steps: usize) -> Self {
        Self { steps: vec![Step::default(); steps], picked: Vec::new() }
    }

    /// Whether a request would be picked. Asked before anything is built.
    pub(crate) fn wants(&self, step: StepId, failed: bool, latency_ns: u64) -> Option<SampleKind> {
        let state = self.steps.get(usize::from(step))?;
        if failed {
            let room = state.failed < FAILED_PER_STEP_MAX && state.failed_in_batch < FAILED_PER_BATCH_MAX;
            return room.then_some(SampleKind::Failed);
        }
        (latency_ns > state.slowest_ns).then_some(SampleKind::Slowest)
    }

    pub(crate) fn put(&mut self, sample: Sample) {
        let Some(state) = self.steps.get_mut(usize::from(sample.step)) else {
            return;
        };
        match sample.kind {
            SampleKind::Failed => {
                state.failed += 1;
                state.failed_in_batch += 1;
                self.picked.push(sample);
            }
            SampleKind::Slowest => {
                state.slowest_ns = sample.latency_ns;
                state.slowest = Some(sample);
            }
        }
    }

    /// Takes back what could not be delivered, as far as there is room.
    pub(crate) fn put_back(&mut self, samples: Vec<Sample>) {
        let room = HELD_MAX.saturating_sub(self.picked.len());
        self.picked.extend(samples.into_iter().take(room));
    }

    pub(crate) fn take(&mut self) -> Vec<Sample> {
        let mut picked = std::mem::take(&mut self.picked);
        for step in &mut self.steps {
            step.failed_in_batch = 0;
            picked.extend(step.slowest.take());
        }
        picked
    }
}

/// What of an answer is shown: headers, and the beginning of its body; of a gRPC call, the messages' JSON.
pub(crate) fn answer(answer: &Answer, method: Option<&Method>) -> (String, String) {
    let heads = answer.heads();
    let Some(method) = method else { return (head(heads), body(heads.fields, answer.content())) };
    let mut messages = Vec::new();
    let shown = match method.answer_json(answer.content(), &mut messages) {
        Ok(()) => json(&messages),
        Err(_) if answer.content().is_empty() => String::new(),
        // What cannot be read cannot be redacted by its keys, and is not shown.
        Err(_) => "[gRPC messages, incomplete]".into(),
    };
    (head(heads), shown)
}

/// The headers of an answer that are shown.
fn head(heads: Heads<'_>) -> String {
    let line = |name: &&str| {
        let value = heads.get(name)?;
        Some(format!("{name}: {}", shown(&String::from_utf8_lossy(value), DETAIL_MAX_BYTES)))
    };
    HEADERS_SHOWN.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

/// The beginning of a body, redacted.
fn body(fields: Fields<'_>, body: &[u8]) -> String {
    let is_json = fields.get("content-type").is_some_and(crate::program::is_json);
    let looks_json = body.trim_ascii_start().first().is_some_and(|c| matches!(c, b'{' | b'['));
    if !is_json && !looks_json {
        return shown(
            &String::from_utf8_lossy(body.get(..BODY_SHOWN_MAX_BYTES).unwrap_or(body)),
            BODY_SHOWN_MAX_BYTES,
        );
    }
    json(body)
}

fn json(body: &[u8]) -> String {
    if body.len() > JSON_MAX_BYTES {
        return format!("[{} bytes of JSON]", body.len());
    }
    // What is cut off cannot be redacted by its keys, and is not shown.
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return "[JSON, incomplete]".into();
    };
    hide(&mut value);
    shown(&value.to_string(), BODY_SHOWN_MAX_BYTES)
}

/// Text without tokens, cut at a length.
pub(crate) fn detail(text: &str) -> String {
    shown(text, DETAIL_MAX_BYTES)
}

fn shown(text: &str, max_bytes: usize) -> String {
    let clean = peakdrill_shadow_tag::redact(text);
    clean.get(..clean.floor_char_boundary(max_bytes)).unwrap_or_default().to_owned()
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                let key = key.to_ascii_lowercase();
                if SECRET_KEYS.iter().any(|secret| key.contains(secret)) {
                    *value = Value::String("[redacted]".into());
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out() {
        let none = Fields::default();
        let text = body(none, br#"{"id":7,"accessToken":"abc","in":[{"Password":"x","ok":1}]}"#);
        assert_eq!(text, r#"{"id":7,"accessToken":"[redacted]","in":[{"Password":"[redacted]","ok":1}]}"#);
        assert_eq!(body(none, br#"{"password":"abc"#), "[JSON, incomplete]");
        assert_eq!(body(none, b"saw pd1.a.b.c.1.2.sig"), "saw pd1.[redacted]");
        let fields = Fields::new(b"Set-Cookie: a=b\r\nRetry-After: 3\r\n");
        assert_eq!(head(Heads { fields, ..Heads::default() }), "retry-after: 3");
    }

    #[test]
    fn few_are_picked() {
        let mut picker = Picker::new(1);
        let sample = |kind, latency_ns| Sample {
            step: 0,
            kind,
            trace: 1,
            intended_ns: 0,
            latency_ns,
            status: 0,
            error: None,
            detail: String::new(),
            head: String::new(),
            body: String::new(),
        };
        let mut total = 0;
        for _ in 0..100 {
            while picker.wants(0, true, 5).is_some() {
                picker.put(sample(SampleKind::Failed, 5));
            }
            total += picker.take().len();
        }
        assert_eq!(total, usize::from(FAILED_PER_STEP_MAX));
        for latency in [10, 30, 20] {
            if let Some(kind) = picker.wants(0, false, latency) {
                picker.put(sample(kind, latency));
            }
        }
        assert_eq!(picker.take().iter().map(|s| s.latency_ns).collect::<Vec<_>>(), [30]);
        assert_eq!(picker.wants(0, false, 30), None);
        assert_eq!(picker.wants(9, true, 30), None);
    }
}
