//! How the fields of a request are written: as lines of HTTP/1.1, or as a header block of HTTP/2.

use peakdrill_wire_http2::hpack::{self, Secrecy};

/// Names of fields that say who asks, whatever they hold.
const SECRET_NAMES: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `name: value`, each with its line break.
    Lines,
    /// HPACK, without a dynamic table.
    Block,
}

impl Form {
    /// Appends a field; its name is in lower case. What is secret enters no table on its way.
    pub(crate) fn put(self, out: &mut Vec<u8>, name: &str, value: &[u8], secret: bool) {
        match self {
            Self::Block => hpack::put_field(out, name.as_bytes(), value, secrecy(name, secret)),
            Self::Lines => {
                for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
        }
    }

    /// Appends the beginning of a field whose value [`Self::put_value`] adds.
    pub(crate) fn put_name(self, out: &mut Vec<u8>, name: &str, secret: bool) {
        match self {
            Self::Block => hpack::put_name(out, name.as_bytes(), secrecy(name, secret)),
            Self::Lines => {
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b": ");
            }
        }
    }

    /// Appends a value that is written in place, and what ends its field.
    pub(crate) fn put_value<E>(
        self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Block => hpack::put_value_of(out, write),
            Self::Lines => {
                write(out)?;
                out.extend_from_slice(b"\r\n");
                Ok(())
            }
        }
    }
}

fn secrecy(name: &str, secret: bool) -> Secrecy {
    if secret || SECRET_NAMES.contains(&name) { Secrecy::Secret } else { Secrecy::Open }
}
