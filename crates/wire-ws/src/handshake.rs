//! The key of an upgrade, and what proves that the server speaks the protocol (RFC 6455, 4.1).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};

/// Length of the header `sec-websocket-key`, in bytes.
pub const KEY_BYTES: usize = 24;
/// What a server puts behind the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The header `sec-websocket-key` for 16 random bytes.
#[must_use]
pub fn key_of(random: [u8; 16]) -> [u8; KEY_BYTES] {
    let mut key = [b'='; KEY_BYTES];
    // 16 bytes are 24 characters: it always fits.
    let _ = BASE64_STANDARD.encode_slice(random, &mut key);
    key
}

/// The header `sec-websocket-accept` that answers a key.
#[must_use]
pub fn accept_of(key: &[u8; KEY_BYTES]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    BASE64_STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(accept_of(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(&key_of(*b"the sample nonce"), b"dGhlIHNhbXBsZSBub25jZQ==");
    }
}
