//! Header fields as they came.

/// The field lines of a head: `name: value`, each with its line break; without the start line and the blank line.
///
/// Nothing is indexed, since a response has a dozen fields and few of them are asked for; but it is known which lengths
/// the names have, so that one that is not there is nearly always found not to be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields<'a> {
    lines: &'a [u8],
    lengths: NameLengths,
}

/// The lengths of names, each modulo 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NameLengths(u64);

impl NameLengths {
    /// There is a name of so many bytes.
    pub fn add(&mut self, length: usize) {
        self.0 |= 1 << (length % 64);
    }

    fn has(self, length: usize) -> bool {
        self.0 >> (length % 64) & 1 == 1
    }
}

impl<'a> Fields<'a> {
    /// Takes lines as they stand. What is no field line is passed over when one is looked for.
    #[must_use]
    pub fn new(lines: &'a [u8]) -> Self {
        let mut lengths = NameLengths::default();
        for line in lines.split(|c| *c == b'\n') {
            if let Some(colon) = line.iter().position(|c| *c == b':') {
                lengths.add(colon);
            }
        }
        Self { lines, lengths }
    }

    /// The same lines with what was known of them before.
    #[must_use]
    pub fn known(lines: &'a [u8], lengths: NameLengths) -> Self {
        Self { lines, lengths }
    }

    /// The lines.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.lines
    }

    /// What is known of the lines, to be kept with a copy of them.
    #[must_use]
    pub fn lengths(&self) -> NameLengths {
        self.lengths
    }

    /// The value of the first field of that name, in whatever case, without the white space around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        if !self.lengths.has(name.len()) {
            return None;
        }
        self.get_all(name).next()
    }

    /// The values of all fields of that name, in their order.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let (lines, name) = (self.lines, name.as_bytes());
        let ends = memchr::memchr_iter(b'\n', lines).chain(std::iter::once(lines.len()));
        ends.scan(0, |start, end| Some((std::mem::replace(start, end + 1), end))).filter_map(
            move |(start, end)| {
                let line = lines.get(start..end)?;
                // Most lines are told apart by where their name ends.
                if line.get(name.len()) != Some(&b':') {
                    return None;
                }
                let (found, rest) = line.split_at_checked(name.len())?;
                found.eq_ignore_ascii_case(name).then(|| rest.get(1..).unwrap_or_default().trim_ascii())
            },
        )
    }
}

/// Whether a text may stand as a field's value: visible characters, spaces, tabs and bytes above 0x7f (RFC 9110, 5.5).
#[must_use]
pub fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|c| matches!(c, b'\t' | 0x20..=0x7e | 0x80..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name() {
        let fields =
            Fields::new(b"Server: x\r\nSet-Cookie:a=1\r\nset-cookie:\t b=2 \r\nEmpty:\r\nBad line\n");
        assert_eq!(fields.get("server"), Some(&b"x"[..]));
        assert_eq!(fields.get_all("Set-Cookie").collect::<Vec<_>>(), [&b"a=1"[..], b"b=2"]);
        assert_eq!(fields.get("empty"), Some(&b""[..]));
        for absent in ["serve", "server ", "bad line", "x", ""] {
            assert_eq!(fields.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn a_value_holds_no_line_break() {
        assert!(is_field_value("a\tb ü".as_bytes()));
        assert!(is_field_value(b""));
        for bad in [&b"a\r\nx: y"[..], b"a\n", b"\0", b"\x7f"] {
            assert!(!is_field_value(bad));
        }
    }
}
