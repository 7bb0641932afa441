//! W3C `traceparent`.

use std::fmt;

use super::trim;
use crate::trace_id::hex;
use crate::{SpanId, TraceId};

/// The name of the header.
pub const HEADER: &str = "traceparent";

const BYTES_V00: usize = 55;
const SAMPLED: u8 = 1;
/// The flags that the standard has given a meaning: sampled, and random trace id. Others are sent as zero.
const KNOWN_FLAGS: u8 = 0b11;

/// A text is not a valid `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid traceparent")]
pub struct TraceparentError;

/// A valid `traceparent`. Shown, it is of version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Traceparent {
    /// The trace.
    pub trace_id: TraceId,
    /// The span of the caller.
    pub parent_id: SpanId,
    /// The flags as they came.
    pub flags: u8,
}

impl Traceparent {
    /// Reads version 00 exactly, and of a later version the part that the standard promises to keep.
    ///
    /// # Errors
    /// [`TraceparentError`] when the value is not valid; the trace is then to be started anew.
    #[inline]
    pub fn parse(value: &[u8]) -> Result<Self, TraceparentError> {
        parse(trim(value)).ok_or(TraceparentError)
    }

    /// Whether the caller may have recorded the trace.
    #[must_use]
    pub fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

fn parse(text: &[u8]) -> Option<Traceparent> {
    let (head, tail) = text.split_first_chunk::<BYTES_V00>()?;
    let [version] = hex::<1>(&head[..2], false)?;
    let trace_id = TraceId::from_hex(&head[3..35], false).ok()?;
    let parent_id = SpanId::from_hex(&head[36..52], false).ok()?;
    let [flags] = hex::<1>(&head[53..], false)?;
    let dashes = [head[2], head[35], head[52]] == *b"---";
    let ends_well = match version {
        0xff => false,
        0 => tail.is_empty(),
        _ => tail.first().is_none_or(|b| *b == b'-'),
    };
    (dashes && ends_well).then_some(Traceparent { trace_id, parent_id, flags })
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.parent_id, self.flags & KNOWN_FLAGS)
    }
}

/// The trace ids that may be meant by values which are not valid: upper case, a broken span id, several values in
/// one field. A mark is looked for in these too, so that none gets through by being malformed.
pub(crate) fn suspects(value: &[u8]) -> impl Iterator<Item = TraceId> + '_ {
    value.split(|b| *b == b',').filter_map(|piece| {
        let mut fields = trim(piece).split(|b| *b == b'-');
        let _version = fields.next()?;
        TraceId::from_hex(fields.next()?, true).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::Traceparent;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn version_00_is_exact() {
        let parsed = Traceparent::parse(VALID.as_bytes()).unwrap();
        assert_eq!(parsed.to_string(), VALID);
        assert!(parsed.sampled());
        let swap = |from: &str, to: &str| VALID.replace(from, to);
        for bad in [
            String::new(),
            format!("{VALID}-"),
            format!("{VALID}x"),
            VALID[..54].to_owned(),
            VALID.to_uppercase(),
            swap("00-0a", "ff-0a"),
            swap("00-0a", "0g-0a"),
            swap("-01", "-0 "),
            swap("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            swap("b7ad6b7169203331", &"0".repeat(16)),
            swap("-b7", "_b7"),
        ] {
            assert!(Traceparent::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn later_versions_keep_the_start() {
        let later = VALID.replacen("00", "cc", 1);
        for value in [later.clone(), format!("{later}-what-comes-then"), format!(" {later}\t")] {
            assert_eq!(Traceparent::parse(value.as_bytes()).unwrap().to_string(), VALID);
        }
        assert!(Traceparent::parse(format!("{later}.x").as_bytes()).is_err());
    }

    #[test]
    fn unknown_flags_are_sent_as_zero() {
        let parsed = Traceparent::parse(VALID.replace("-01", "-ff").as_bytes()).unwrap();
        assert_eq!(parsed.flags, 0xff);
        assert!(parsed.to_string().ends_with("-03"));
    }
}
