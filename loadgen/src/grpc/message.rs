//! The message of a call: fixed, or a template with the texts of its holes.

use peakdrill_drill_model::plan::{Part, Template as Json};
use peakdrill_wire_grpc::{Method, Part as Piece, Template, Unrendered};

use crate::error::StartError;
use crate::template::{Escape, Names, Text, Unfilled, Values};

/// A message with holes.
#[derive(Debug)]
pub(crate) struct Message {
    template: Template,
    holes: Vec<Text>,
}

/// A piece of JSON text, or a hole.
enum Compiled {
    Literal(String),
    Hole(Text),
}

impl Message {
    /// Compiles the JSON of a message.
    pub(crate) fn compile(
        method: &Method,
        json: &Json,
        run: &str,
        names: &mut Names,
    ) -> Result<Self, StartError> {
        let parts: Vec<Compiled> = json.0.iter().map(|part| compile_part(part, run, names)).collect();
        let pieces: Vec<Piece<'_>> = parts.iter().map(Compiled::piece).collect();
        let template = method.request(&pieces).map_err(|problems| {
            let first = problems.first().map_or("it is not one", |problem| problem.message.as_str());
            StartError::Plan(format!("the message of `{}`: {first}", method.path()))
        })?;
        let hole = |part| if let Compiled::Hole(text) = part { Some(text) } else { None };
        Ok(Self { template, holes: parts.into_iter().filter_map(hole).collect() })
    }

    /// The framed message, when it has no holes.
    pub(crate) fn fixed(&self) -> Option<Vec<u8>> {
        let message = self.template.fixed()?;
        let mut framed = Vec::new();
        peakdrill_wire_grpc::put_frame(&message, &mut framed);
        Some(framed)
    }

    /// Appends the framed message with its holes filled.
    pub(crate) fn render(&self, values: &Values<'_>, out: &mut Vec<u8>) -> Result<(), Unrendered<Unfilled>> {
        let mut fill = |hole: usize, out: &mut Vec<u8>| match self.holes.get(hole) {
            Some(text) => text.render(values, out),
            None => Err(Unfilled::Hole(hole)),
        };
        self.template.render_frame(&mut fill, out)
    }
}

impl Compiled {
    fn piece(&self) -> Piece<'_> {
        match self {
            Self::Literal(text) => Piece::Literal(text),
            Self::Hole(_) => Piece::Hole,
        }
    }
}

/// What is known before the run, such as its id, is no hole.
fn compile_part(part: &Part, run: &str, names: &mut Names) -> Compiled {
    if let Part::Literal(text) = part {
        return Compiled::Literal(text.clone());
    }
    let text = Text::compile(&Json(vec![part.clone()]), Escape::None, run, names);
    match text.fixed() {
        Some(fixed) => {
            let quoted = serde_json::Value::from(String::from_utf8_lossy(fixed)).to_string();
            Compiled::Literal(quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned())
        }
        None => Compiled::Hole(text),
    }
}
