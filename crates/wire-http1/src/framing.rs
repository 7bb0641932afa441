//! Where a response's body ends, and whether its connection can be used again (RFC 9112, 6.3 and 9.3).

use httparse::Header;

use crate::error::Error;
use crate::fields::NameLengths;

/// What the request was, as far as its response depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// `HEAD`: no body, whatever the head says.
    Head,
    /// A `GET` that asks to switch protocols: `101` is an answer to it.
    Upgrade,
    /// All others.
    #[default]
    Other,
}

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// After so many bytes.
    Bytes(u64),
    /// With its last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// How a response is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framing {
    pub(crate) length: Length,
    /// Whether another request may follow on the connection.
    pub(crate) reusable: bool,
    /// Of the names of all fields.
    pub(crate) lengths: NameLengths,
}

/// The fields that matter, as they were met.
#[derive(Default)]
struct Found {
    /// Of no meaning beside a transfer-encoding, and so no error there.
    content_length: Option<Result<u64, Error>>,
    transfer_encoding: bool,
    chunked_last: bool,
    close: bool,
    keep_alive: bool,
}

/// Reads the framing from a final response's head. `minor` is the version's second digit.
pub(crate) fn framing(
    method: Method,
    status: u16,
    minor: u8,
    headers: &[Header<'_>],
) -> Result<Framing, Error> {
    let bodiless = method == Method::Head || matches!(status, 204 | 304);
    let (mut found, mut lengths) = (Found::default(), NameLengths::default());
    for header in headers {
        lengths.add(header.name.len());
        // Most fields are told apart by their length alone.
        match header.name.len() {
            10 if is(header.name, "Connection") => found.connection(header.value),
            14 if !bodiless && is(header.name, "Content-Length") => found.content_length(header.value),
            17 if !bodiless && is(header.name, "Transfer-Encoding") => {
                found.transfer_encoding = true;
                let last = list(header.value).next_back().unwrap_or_default();
                // What is no text names no coding that is known.
                found.chunked_last = header.value.is_ascii() && last.eq_ignore_ascii_case(b"chunked");
            }
            _ => {}
        }
    }
    let persists = !found.close && (minor == 1 || found.keep_alive);
    found.length(bodiless, minor).map(|length| Framing {
        length,
        lengths,
        // Both framings at once are a sign of a confused or hostile peer.
        reusable: persists
            && length != Length::UntilClose
            && !(found.transfer_encoding && found.content_length.is_some()),
    })
}

/// Whether a name is this one, which nearly all servers write as it is given here.
fn is(name: &str, usual: &str) -> bool {
    name == usual || name.eq_ignore_ascii_case(usual)
}

impl Found {
    fn length(&self, bodiless: bool, minor: u8) -> Result<Length, Error> {
        match self.content_length {
            _ if bodiless => Ok(Length::Bytes(0)),
            _ if self.transfer_encoding && minor == 0 => {
                Err(Error::Framing("HTTP/1.0 knows no transfer-encoding"))
            }
            _ if self.chunked_last => Ok(Length::Chunked),
            _ if self.transfer_encoding => Ok(Length::UntilClose),
            Some(length) => length.map(Length::Bytes),
            None => Ok(Length::UntilClose),
        }
    }

    fn connection(&mut self, value: &[u8]) {
        if value == b"keep-alive" {
            self.keep_alive = true;
            return;
        }
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// The same length may be told more than once.
    fn content_length(&mut self, value: &[u8]) {
        match decimal(value) {
            Some(length) => self.one_length(Ok(length)),
            None => list(value).for_each(|text| {
                self.one_length(decimal(text).ok_or(Error::Framing("content-length is no number")));
            }),
        }
    }

    fn one_length(&mut self, length: Result<u64, Error>) {
        self.content_length = Some(match self.content_length {
            Some(known) if known != length => {
                Err(Error::Framing("content-length is told twice, differently"))
            }
            _ => length,
        });
    }
}

fn list(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|c| *c == b',').map(<[u8]>::trim_ascii)
}

fn decimal(text: &[u8]) -> Option<u64> {
    let digit = |c: &u8| c.is_ascii_digit().then(|| u64::from(c - b'0'));
    let add = |sum: u64, c: &u8| sum.checked_mul(10)?.checked_add(digit(c)?);
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    fn of(status: u16, minor: u8, fields: Fields<'_>) -> Result<(Length, bool), Error> {
        let headers: Vec<_> =
            fields.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        framing(Method::Other, status, minor, &headers).map(|framing| (framing.length, framing.reusable))
    }

    #[test]
    fn the_rules_of_the_body() {
        use Length::{Bytes, Chunked, UntilClose};
        let cases: &[(u16, u8, Fields<'_>, (Length, bool))] = &[
            (200, 1, &[("Content-Length", "12")], (Bytes(12), true)),
            (200, 1, &[("content-length", "5, 5"), ("CONTENT-LENGTH", "5")], (Bytes(5), true)),
            (200, 1, &[("Transfer-Encoding", "gzip, Chunked")], (Chunked, true)),
            (200, 1, &[("Transfer-Encoding", "chunked, gzip")], (UntilClose, false)),
            (200, 1, &[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")], (Chunked, true)),
            (200, 1, &[("transfer-encoding", "chunked"), ("content-length", "3")], (Chunked, false)),
            (200, 1, &[("content-length", "x"), ("transfer-encoding", "gzip")], (UntilClose, false)),
            (200, 1, &[], (UntilClose, false)),
            (204, 1, &[("content-length", "7"), ("transfer-encoding", "chunked")], (Bytes(0), true)),
            (304, 1, &[("content-length", "7")], (Bytes(0), true)),
            (200, 1, &[("content-length", "1"), ("connection", "x, Close")], (Bytes(1), false)),
            (200, 0, &[("content-length", "1")], (Bytes(1), false)),
            (200, 0, &[("content-length", "1"), ("connection", "Keep-Alive")], (Bytes(1), true)),
        ];
        for (status, minor, fields, expected) in cases {
            assert_eq!(of(*status, *minor, fields), Ok(*expected), "{fields:?}");
        }
    }

    #[test]
    fn a_length_that_is_none_is_an_error() {
        for value in ["", "-1", "+1", "1 2", "0x1", "1,2", "1,", "18446744073709551616", "٣"] {
            assert!(of(200, 1, &[("content-length", value)]).is_err(), "{value}");
        }
        assert!(of(200, 0, &[("transfer-encoding", "chunked")]).is_err());
    }
}
