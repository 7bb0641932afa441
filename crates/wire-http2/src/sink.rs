//! Who takes what is found.

use peakdrill_wire_http1::Fields;

/// Takes an answer as it comes: one head, the parts of its body, and at its end trailers if there are any.
///
/// Field lines have the form they have in HTTP/1.1, with names in lower case and without pseudo-header fields.
pub trait Sink: peakdrill_wire_http1::Sink {
    /// The trailer section. Nothing comes behind it.
    fn trailers(&mut self, fields: Fields<'_>);
}
