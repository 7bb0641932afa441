//! Base64url without padding, canonical both ways.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes `bytes` without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes exactly `N` bytes. Padding, stray trailing bits and any other length are refused, so that one
/// value has one text.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    // The decoder wants room for whole groups of three bytes; 64 bytes, the longest value here, need 66.
    let mut room = [0_u8; 72];
    if text.len() != encoded_len(N) {
        return None;
    }
    let len = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
    room.get(..len)?.try_into().ok()
}

const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn one_value_has_one_text() {
        let text = encode(&[0xff; 64]);
        assert_eq!(text.len(), 86);
        assert_eq!(decode::<64>(text.as_bytes()), Some([0xff; 64]));
        let mut stray = text.clone().into_bytes();
        stray[85] += 1;
        assert_eq!(decode::<64>(&stray), None);
        assert_eq!(decode::<64>(format!("{text}==").as_bytes()), None);
        assert_eq!(decode::<32>(text.as_bytes()), None);
        assert_eq!(decode::<2>(b"+/8"), None);
    }
}
