//! Field sections: fields become lines, as HTTP/1.1 has them, and are checked (RFC 9113, 8.2 and 8.3).

use peakdrill_wire_http1::{Fields, NameLengths, is_field_value};

use crate::error::Error;

/// What a field counts beside its name and value (RFC 9113, 6.5.2), in bytes.
const FIELD_BYTES: usize = 32;

/// A section that is being read. Its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Section {
    lines: Vec<u8>,
    lengths: NameLengths,
    pub(crate) status: Option<u16>,
    content_length: Option<u64>,
    /// As it is limited.
    size: usize,
    limit: usize,
    wrong: Option<Error>,
}

impl Section {
    /// Makes it empty, for a section of at most so many bytes.
    pub(crate) fn clear(&mut self, limit: usize) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        *self = Self { lines, limit, ..Self::default() };
    }

    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::known(&self.lines, self.lengths)
    }

    pub(crate) fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// What is wrong with it, first of all.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.wrong.map_or(Ok(()), Err)
    }

    /// Takes the next field. Behind one that is wrong, none is kept.
    pub(crate) fn field(&mut self, name: &[u8], value: &[u8]) {
        self.size = self.size.saturating_add(name.len() + value.len() + FIELD_BYTES);
        if self.wrong.is_none()
            && let Err(wrong) = self.take(name, value)
        {
            self.wrong = Some(wrong);
        }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        if self.size > self.limit {
            return Err(Error::HeadTooLarge("the head is too long"));
        }
        if name.first() == Some(&b':') {
            return self.pseudo(name, value);
        }
        if name.is_empty() || !name.iter().all(|c| is_name_byte(*c)) {
            return Err(Error::Malformed("a field's name is none"));
        }
        if !is_field_value(value) {
            return Err(Error::Malformed("a field's value is none"));
        }
        match name {
            b"content-length" => self.length(value)?,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => {
                return Err(Error::Malformed("a field of the connection, which HTTP/2 does not have"));
            }
            _ => {}
        }
        self.lengths.add(name.len());
        for part in [name, b": ", value, b"\r\n"] {
            self.lines.extend_from_slice(part);
        }
        Ok(())
    }

    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Error> {
        let first = self.lines.is_empty() && self.status.is_none();
        match value {
            [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] if name == b":status" && first => {
                let digit = |c: &u8| u16::from(c - b'0');
                self.status = Some(digit(a) * 100 + digit(b) * 10 + digit(c));
                Ok(())
            }
            _ => Err(Error::Malformed("a pseudo-header field that is not the status, or not the first")),
        }
    }

    /// The same length may be told more than once.
    fn length(&mut self, value: &[u8]) -> Result<(), Error> {
        let add = |sum: u64, c: &u8| {
            let digit = c.is_ascii_digit().then(|| u64::from(c - b'0'))?;
            sum.checked_mul(10)?.checked_add(digit)
        };
        let length = if value.is_empty() { None } else { value.iter().try_fold(0, add) };
        let length = length.ok_or(Error::Malformed("content-length is no number"))?;
        match self.content_length.replace(length) {
            Some(known) if known != length => {
                Err(Error::Malformed("content-length is told twice, differently"))
            }
            _ => Ok(()),
        }
    }
}

/// What names are made of (RFC 9110, 5.6.2), but for capital letters.
fn is_name_byte(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(fields: &[(&str, &str)]) -> Section {
        let mut section = Section::default();
        section.clear(200);
        fields.iter().for_each(|(name, value)| section.field(name.as_bytes(), value.as_bytes()));
        section
    }

    #[test]
    fn fields_become_lines() {
        let found =
            section(&[(":status", "204"), ("a", "b c"), ("content-length", "7"), ("content-length", "7")]);
        assert_eq!(found.check(), Ok(()));
        assert_eq!((found.status, found.content_length()), (Some(204), Some(7)));
        assert_eq!(found.fields().as_bytes(), b"a: b c\r\ncontent-length: 7\r\ncontent-length: 7\r\n");
        assert_eq!((found.fields().get("A"), found.fields().get("b")), (Some(&b"b c"[..]), None));
    }

    #[test]
    fn what_is_malformed_is_found() {
        let bad: &[&[(&str, &str)]] = &[
            &[("A", "b")],
            &[("", "b")],
            &[("a b", "c")],
            &[("a", "b\r\nc: d")],
            &[("a", "b\0")],
            &[("a", "b"), (":status", "200")],
            &[(":status", "200"), (":status", "200")],
            &[(":status", "20")],
            &[(":status", "2000")],
            &[(":status", "+20")],
            &[(":path", "/")],
            &[("connection", "close")],
            &[("transfer-encoding", "chunked")],
            &[("content-length", "x")],
            &[("content-length", "")],
            &[("content-length", "1"), ("content-length", "2")],
        ];
        for fields in bad {
            assert!(matches!(section(fields).check(), Err(Error::Malformed(_))), "{fields:?}");
        }
        let long = "x".repeat(200);
        assert!(matches!(section(&[("a", &long)]).check(), Err(Error::HeadTooLarge(_))));
    }
}
