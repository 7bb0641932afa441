//! The head of a request, compiled: the lines of HTTP/1.1, or the header block of HTTP/2.

use http::{HeaderName, Method};
use peakdrill_wire_http2::hpack;

use crate::cookies::Jar;
use crate::form::Form;
use crate::template::{Text, Unfilled, Values};

/// What is asked for, and of whom.
pub(super) struct Line {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: Text,
    pub(super) tls: bool,
    /// The value of `host`.
    pub(super) host: Text,
}

/// A head in one of the two forms, all but what is added to each request.
#[derive(Debug)]
pub(super) enum Head {
    /// One run of literals and holes.
    Lines(Text),
    /// Fields without holes, joined, and fields with some.
    Block { path: Text, pieces: Vec<Piece> },
}

/// A piece of a header block: prepared bytes, and behind them a value with holes.
#[derive(Debug, Default)]
pub(super) struct Piece {
    before: Vec<u8>,
    value: Option<Text>,
}

impl Head {
    /// The request line with the host, or the pseudo-header fields.
    pub(super) fn new(form: Form, line: Line) -> Self {
        let Line { method, path, tls, host } = line;
        match form {
            Form::Lines => {
                let mut text = Text::default();
                text.literal(format!("{method} ").as_bytes());
                text.append(path);
                text.literal(b" HTTP/1.1\r\n");
                let mut head = Self::Lines(text);
                head.field("host", host, false);
                head
            }
            Form::Block => {
                let mut head = Self::Block { path: path.clone(), pieces: vec![Piece::default()] };
                let scheme: &[u8] = if tls { b"https" } else { b"http" };
                for (name, value) in [(":method", method.as_str().as_bytes()), (":scheme", scheme)] {
                    let mut text = Text::default();
                    text.literal(value);
                    head.field(name, text, false);
                }
                head.field(":path", path, false);
                head.field(":authority", host, false);
                head
            }
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Self::Lines(_) => Form::Lines,
            Self::Block { .. } => Form::Block,
        }
    }

    /// Adds a field; its name is in lower case.
    pub(super) fn field(&mut self, name: &str, text: Text, secret: bool) {
        match self {
            Self::Lines(head) => {
                head.literal(format!("{name}: ").as_bytes());
                head.append(text);
                head.literal(b"\r\n");
            }
            Self::Block { pieces, .. } => {
                let Some(last) = pieces.last_mut() else { return };
                if let Some(value) = text.fixed() {
                    return Form::Block.put(&mut last.before, name, value, secret);
                }
                Form::Block.put_name(&mut last.before, name, secret);
                last.value = Some(text);
                pieces.push(Piece::default());
            }
        }
    }

    /// Appends the head with its holes filled.
    pub(super) fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) -> Result<(), Unfilled> {
        match self {
            Self::Lines(text) => text.render(values, out),
            Self::Block { pieces, .. } => {
                for piece in pieces {
                    out.extend_from_slice(&piece.before);
                    if let Some(text) = &piece.value {
                        hpack::put_value_of(out, |out| text.render(values, out))?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Tells a journey's cookies what is asked for; `wire` begins with the head.
    pub(super) fn note(&self, jar: &mut Jar, values: &Values<'_>, wire: &[u8]) -> Result<(), Unfilled> {
        match self {
            Self::Lines(_) => jar.note(wire.split(|c| *c == b' ').nth(1).unwrap_or_default()),
            Self::Block { path, .. } => {
                let mut target = Vec::new();
                path.render(values, &mut target)?;
                jar.note(&target);
            }
        }
        Ok(())
    }

    /// Ends the head.
    pub(super) fn end(&self, out: &mut Vec<u8>) {
        if matches!(self, Self::Lines(_)) {
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Why a field cannot be sent in a form, if so.
pub(super) fn unfit(form: Form, name: &HeaderName, value: &[u8]) -> Option<&'static str> {
    let of_connection = ["keep-alive", "proxy-connection"].contains(&name.as_str());
    let unfit = of_connection || name == http::header::TE && value != b"trailers";
    (form == Form::Block && unfit).then_some("HTTP/2 has no such field")
}
