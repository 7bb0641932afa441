//! A record of the journal: one request as it was received, or what the drill's own parts said.

use bytes::Bytes;
use peakdrill_bottleneck::TraceClass;
use peakdrill_drill_model::frame::RootRow;
use peakdrill_trace_model::Span;

use crate::otlp::{self, Decoded, Format, Malformed, MetricPoint, Texts};

/// What the payload of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// An OTLP trace request.
    Traces(Format),
    /// An OTLP metrics request.
    Metrics(Format),
    /// Rows of the generator, a JSON object a line.
    Roots,
    /// Start of the load: Unix nanoseconds, eight bytes, little-endian.
    Origin,
}

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What the payload is.
    pub kind: RecordKind,
    /// When it was received whole, Unix nanoseconds. Records are journalled in the order in which they were decoded.
    pub recv_ns: i64,
    /// Traces named in the payload, or linked to, that are not live; sorted by id.
    pub classes: Vec<(u128, TraceClass)>,
    /// The bytes, decompressed.
    pub payload: Bytes,
}

/// What a record says, decoded.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Spans.
    Spans(Decoded<Span>),
    /// Counts of the ledger, and how full resources are.
    Metrics(Decoded<MetricPoint>),
    /// Rows of the generator.
    Roots(Vec<RootRow>),
    /// Start of the load, Unix nanoseconds.
    Origin(i64),
}

impl Record {
    /// The rows of the generator as a record.
    ///
    /// # Errors
    /// When a row cannot be written as JSON, which no row is known to cause.
    pub fn roots(rows: &[RootRow], recv_ns: i64) -> Result<Self, serde_json::Error> {
        let mut payload = Vec::new();
        for row in rows {
            serde_json::to_writer(&mut payload, row)?;
            payload.push(b'\n');
        }
        Ok(Self { kind: RecordKind::Roots, recv_ns, classes: Vec::new(), payload: payload.into() })
    }

    /// The start of the load as a record.
    #[must_use]
    pub fn origin(origin_ns: i64, recv_ns: i64) -> Self {
        let payload = Bytes::copy_from_slice(&origin_ns.to_le_bytes());
        Self { kind: RecordKind::Origin, recv_ns, classes: Vec::new(), payload }
    }

    /// Decodes the payload. `texts`: those of records before, which rows share.
    ///
    /// # Errors
    /// [`Malformed`] when the payload is not what the kind says.
    pub fn event(&self, texts: &mut Texts) -> Result<Event, Malformed> {
        match self.kind {
            RecordKind::Traces(format) => {
                otlp::decode_traces(&self.payload, format, self.recv_ns, texts).map(Event::Spans)
            }
            RecordKind::Metrics(format) => {
                otlp::decode_metrics(&self.payload, format, self.recv_ns).map(Event::Metrics)
            }
            RecordKind::Roots => {
                let rows = serde_json::Deserializer::from_slice(&self.payload).into_iter();
                let rows: Result<Vec<RootRow>, _> = rows.collect();
                rows.map(Event::Roots).map_err(|error| Malformed::new(error.to_string()))
            }
            RecordKind::Origin => {
                let bytes = self.payload.as_ref().try_into();
                let bytes: [u8; 8] = bytes.map_err(|_| Malformed::new("a start of 8 bytes".to_owned()))?;
                Ok(Event::Origin(i64::from_le_bytes(bytes)))
            }
        }
    }
}
