//! What a journey keeps of its answers: the extracted values of a session, in one piece of memory.

/// Most extracted values of one journey.
pub(crate) const EXTRACTED_MAX: usize = 256;
/// Longest extracted value, in bytes.
pub const EXTRACTED_MAX_BYTES: usize = 64 * 1024;
/// Bytes that may be out of use before the values are moved together.
const SLACK_BYTES: usize = 256;

/// Extracted values by their number in the journey.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Bytes of values that were replaced.
    unused: usize,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    /// `ABSENT`: there is no value.
    len: u32,
}

const ABSENT: u32 = u32::MAX;
const NONE: Span = Span { start: 0, len: ABSENT };

/// A value is longer than [`EXTRACTED_MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Kept {
    /// Forgets all values and makes room for so many. Memory is kept.
    pub(crate) fn reset(&mut self, values: usize) {
        self.bytes.clear();
        self.spans.clear();
        self.spans.resize(values, NONE);
        self.unused = 0;
    }

    pub(crate) fn get(&self, number: u16) -> Option<&[u8]> {
        let span = self.spans.get(usize::from(number)).filter(|span| span.len != ABSENT)?;
        self.bytes.get(span.start as usize..(span.start + span.len) as usize)
    }

    pub(crate) fn set(&mut self, number: u16, value: &[u8]) -> Result<(), TooLong> {
        if value.len() > EXTRACTED_MAX_BYTES {
            return Err(TooLong);
        }
        let Some(span) = self.spans.get_mut(usize::from(number)) else { return Ok(()) };
        let before = std::mem::replace(span, NONE);
        if before.len != ABSENT {
            let fits = value.len() <= before.len as usize;
            let place = self.bytes.get_mut(before.start as usize..);
            if let Some(place) = place.and_then(|place| place.get_mut(..value.len())).filter(|_| fits) {
                place.copy_from_slice(value);
                self.unused += before.len as usize - value.len();
                *span = Span { start: before.start, len: value.len() as u32 };
                return Ok(());
            }
            self.unused += before.len as usize;
        }
        if self.unused > SLACK_BYTES + self.bytes.len() / 2 {
            self.compact();
        }
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        if let Some(span) = self.spans.get_mut(usize::from(number)) {
            *span = Span { start, len: value.len() as u32 };
        }
        Ok(())
    }

    fn compact(&mut self) {
        let mut live = Vec::with_capacity(self.bytes.len() - self.unused.min(self.bytes.len()));
        for span in self.spans.iter_mut().filter(|span| span.len != ABSENT) {
            let value = self.bytes.get(span.start as usize..(span.start + span.len) as usize);
            span.start = live.len() as u32;
            live.extend_from_slice(value.unwrap_or_default());
        }
        self.bytes = live;
        self.unused = 0;
    }

    /// Bytes of memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_value_is_kept(
            sets in prop::collection::vec((0..4_u16, prop::collection::vec(any::<u8>(), 0..200)), 0..80),
        ) {
            let mut kept = Kept::default();
            kept.reset(4);
            let mut wanted: [Option<Vec<u8>>; 4] = [const { None }; 4];
            let mut most = 0;
            for (number, value) in sets {
                kept.set(number, &value).unwrap();
                wanted[usize::from(number)] = Some(value);
                let live: usize = wanted.iter().flatten().map(Vec::len).sum();
                most = live.max(most);
                let bound = 2 * most + 2 * SLACK_BYTES + 200;
                prop_assert!(kept.bytes.len() <= bound, "memory stays bounded: {}", kept.bytes.len());
                for number in 0..4_u16 {
                    prop_assert_eq!(kept.get(number), wanted[usize::from(number)].as_deref());
                }
            }
        }
    }

    #[test]
    fn a_value_has_a_limit_and_a_new_journey_none_of_the_old_ones() {
        let mut kept = Kept::default();
        kept.reset(1);
        assert_eq!(kept.set(0, &vec![b'x'; EXTRACTED_MAX_BYTES + 1]), Err(TooLong));
        assert_eq!(kept.get(0), None);
        kept.set(0, b"").unwrap();
        assert_eq!(kept.get(0), Some(&b""[..]));
        kept.reset(2);
        assert_eq!((kept.get(0), kept.get(1), kept.get(2)), (None, None, None));
    }
}
