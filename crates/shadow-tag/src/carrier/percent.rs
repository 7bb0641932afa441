//! Percent-encoding.

/// The byte at the front of `text`, decoded, and what follows it; `None` at the end, `Some(Err)` when a percent
/// sign is not followed by two hex digits.
pub(crate) fn next(text: &[u8]) -> Option<Result<(u8, &[u8]), Broken>> {
    match text {
        [] => None,
        [b'%', high, low, rest @ ..] => {
            Some(crate::trace_id::hex(&[*high, *low], true).map(|[byte]| (byte, rest)).ok_or(Broken))
        }
        [b'%', ..] => Some(Err(Broken)),
        [byte, rest @ ..] => Some(Ok((*byte, rest))),
    }
}

/// A percent sign without two hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Whether `text`, decoded, is `name` in whatever case.
pub(crate) fn is_name(mut text: &[u8], name: &[u8]) -> bool {
    for expected in name {
        match next(text) {
            Some(Ok((byte, rest))) if byte.eq_ignore_ascii_case(expected) => text = rest,
            _ => return false,
        }
    }
    text.is_empty()
}

/// Decodes the whole of `text`.
pub(crate) fn decode(mut text: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(step) = next(text) {
        let (byte, rest) = step?;
        decoded.push(byte);
        text = rest;
    }
    Ok(decoded)
}

/// Encodes all but the unreserved characters of RFC 3986.
pub(crate) fn encode(text: &str, out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| HEX.get(usize::from(*digit))));
        }
    }
}
