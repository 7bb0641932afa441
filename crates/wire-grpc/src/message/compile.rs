//! JSON text and a message type to the operations that write the message.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json};

use super::scalar::{DELIMITED, GROUP_END, GROUP_START, Scalar, tag};
use super::{Bit, DEPTH_MAX, Op, Part, Problem, Slot, Template};

/// Most problems that are told of one message.
const PROBLEMS_MAX: usize = 50;

/// Compiles a message.
pub(crate) fn compile(of: &MessageDescriptor, parts: &[Part<'_>]) -> Result<Template, Vec<Problem>> {
    let Some(mark) = mark(parts) else {
        let message = "the message has every private character of Unicode: none is left to mark holes with";
        let problem =
            Problem { path: Vec::new(), at_key: false, message: message.to_owned(), known: Vec::new() };
        return Err(vec![problem]);
    };
    let mut text = String::new();
    let mut holes = 0_usize;
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Hole => {
                text.push(mark);
                text.push_str(&holes.to_string());
                text.push(mark);
                holes += 1;
            }
        }
    }
    let mut writer = Writer { mark, ..Writer::default() };
    match serde_json::from_str::<Json>(&text) {
        Ok(json) => writer.message(of, &json),
        Err(error) => writer.problem(format!("the message is no JSON: {error}")),
    }
    if writer.problems.is_empty() { Ok(Template(writer.ops)) } else { Err(writer.problems) }
}

/// A private character that no literal holds, to mark holes with.
fn mark(parts: &[Part<'_>]) -> Option<char> {
    let used =
        |mark: &char| parts.iter().any(|part| matches!(part, Part::Literal(text) if text.contains(*mark)));
    // A mark may also be written as an escape, which is no mark before the text is read.
    let escaped = |mark: &char| {
        let digits = format!("{:04x}", u32::from(*mark));
        parts
            .iter()
            .any(|part| matches!(part, Part::Literal(text) if text.to_ascii_lowercase().contains(&digits)))
    };
    ('\u{e000}'..='\u{f8ff}').find(|mark| !used(mark) && !escaped(mark))
}

/// Writes operations along a tree of JSON.
#[derive(Default)]
pub(super) struct Writer {
    mark: char,
    ops: Vec<Op>,
    problems: Vec<Problem>,
    path: Vec<usize>,
    depth: usize,
}

impl Writer {
    pub(super) fn problem(&mut self, message: String) {
        self.push_problem(message, false, Vec::new());
    }

    fn push_problem(&mut self, message: String, at_key: bool, known: Vec<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { path: self.path.clone(), at_key, message, known });
        }
    }

    pub(super) fn literal(&mut self, bytes: &[u8]) {
        match self.ops.last_mut() {
            Some(Op::Literal(before)) => before.extend_from_slice(bytes),
            _ => self.ops.push(Op::Literal(bytes.to_vec())),
        }
    }

    /// Writes something with its length in front.
    pub(super) fn delimited(&mut self, number: u32, inside: impl FnOnce(&mut Self)) {
        self.literal(&tag(number, DELIMITED));
        if self.depth >= DEPTH_MAX {
            return self.problem(format!("more than {DEPTH_MAX} messages inside of one another"));
        }
        self.depth += 1;
        let start = self.ops.len();
        self.ops.push(Op::Open);
        inside(self);
        self.depth -= 1;
        let fixed =
            self.ops.get(start + 1..).unwrap_or_default().iter().all(|op| matches!(op, Op::Literal(_)));
        if !fixed {
            return self.ops.push(Op::Close);
        }
        // What never changes has a length that never does.
        let content: Vec<Op> = self.ops.drain(start..).skip(1).collect();
        let content: Vec<u8> = content
            .into_iter()
            .flat_map(|op| if let Op::Literal(bytes) = op { bytes } else { Vec::new() })
            .collect();
        let mut length = Vec::new();
        super::put_varint(content.len() as u64, &mut length);
        self.literal(&length);
        self.literal(&content);
    }

    /// Something at a place of the tree.
    pub(super) fn at(&mut self, place: usize, inside: impl FnOnce(&mut Self)) {
        self.path.push(place);
        inside(self);
        self.path.pop();
    }

    /// The content of a message.
    pub(super) fn message(&mut self, of: &MessageDescriptor, json: &Json) {
        if self.well_known(of, json) {
            return;
        }
        let Json::Object(entries) = json else {
            let message =
                format!("`{}` is written as a mapping of its fields, not as {}", of.full_name(), what(json));
            return self.problem(message);
        };
        let mut fields = self.fields(of, entries);
        // In the order in which libraries write them.
        fields.sort_by_key(|(field, _, _)| field.number());
        for (field, place, value) in fields {
            self.at(place, |writer| writer.field(&field, value));
        }
    }

    /// The fields that are given, each with its place; what is given twice, or is not there, is a problem.
    fn fields<'j>(
        &mut self,
        of: &MessageDescriptor,
        entries: &'j Map<String, Json>,
    ) -> Vec<(FieldDescriptor, usize, &'j Json)> {
        let mut out: Vec<(FieldDescriptor, usize, &Json)> = Vec::new();
        for (place, (name, value)) in entries.iter().enumerate() {
            let field = of.get_field_by_json_name(name).or_else(|| of.get_field_by_name(name));
            let message = match &field {
                None if name.contains(self.mark) => "a name of a field cannot be filled in".to_owned(),
                None => format!("`{}` has no field `{name}`", of.full_name()),
                Some(field) => {
                    let oneof = field.containing_oneof();
                    let again = out.iter().find(|(other, _, other_value)| {
                        let same_oneof = oneof.is_some() && other.containing_oneof() == oneof;
                        other == field || same_oneof && !value.is_null() && !other_value.is_null()
                    });
                    match (again, oneof) {
                        (None, _) => {
                            out.push((field.clone(), place, value));
                            continue;
                        }
                        (Some((other, ..)), Some(oneof)) if other != field => {
                            let (one, two) = (other.name(), field.name());
                            format!(
                                "`{one}` and `{two}` exclude each other: they are of the oneof `{}`",
                                oneof.name()
                            )
                        }
                        _ => format!("the field `{}` stands twice", field.name()),
                    }
                }
            };
            let known =
                if field.is_none() { of.fields().map(|f| f.name().to_owned()).collect() } else { Vec::new() };
            self.at(place, |writer| writer.push_problem(message, true, known));
        }
        out
    }

    fn field(&mut self, field: &FieldDescriptor, json: &Json) {
        if json.is_null() {
            // Null is not there, but where it is a value of its own.
            let single = !field.is_list() && !field.is_map();
            return match field.kind() {
                Kind::Message(of) if single && of.full_name() == "google.protobuf.Value" => {
                    self.single(field, json)
                }
                Kind::Enum(of) if single && of.full_name() == "google.protobuf.NullValue" => {
                    self.single(field, &Json::from(0));
                }
                _ => {}
            };
        }
        if field.is_map() {
            return self.map(field, json);
        }
        if !field.is_list() {
            return self.single(field, json);
        }
        let Json::Array(items) = json else {
            return self.problem(format!("`{}` is a list, not {}", field.full_name(), what(json)));
        };
        let packed = Scalar::of(&field.kind()).filter(|_| field.is_packed());
        let each = |writer: &mut Self| {
            for (place, item) in items.iter().enumerate() {
                writer.at(place, |writer| match &packed {
                    Some(scalar) => writer.scalar(field.full_name(), scalar, Vec::new(), false, item),
                    None => writer.single(field, item),
                });
            }
        };
        match packed {
            Some(_) if items.is_empty() => {}
            Some(_) => self.delimited(field.number(), each),
            None => each(self),
        }
    }

    fn map(&mut self, field: &FieldDescriptor, json: &Json) {
        let (Json::Object(entries), Kind::Message(entry)) = (json, field.kind()) else {
            return self.problem(format!("`{}` is a mapping, not {}", field.full_name(), what(json)));
        };
        let (key_field, value_field) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let Some(scalar) = Scalar::of(&key_field.kind()) else { return };
        let implicit = !key_field.supports_presence();
        for (place, (key, value)) in entries.iter().enumerate() {
            self.at(place, |writer| {
                writer.delimited(field.number(), |writer| {
                    let before = writer.problems.len();
                    writer.text(key_field.full_name(), &scalar, tag(1, scalar.wire_type()), implicit, key);
                    writer.problems.iter_mut().skip(before).for_each(|problem| problem.at_key = true);
                    if value.is_null() && !is_null_a_value(&value_field) {
                        return writer.problem("a value of a map cannot be nothing".to_owned());
                    }
                    writer.field(&value_field, value);
                });
            });
        }
    }

    /// One value with its tag.
    fn single(&mut self, field: &FieldDescriptor, json: &Json) {
        let number = field.number();
        match field.kind() {
            Kind::Message(of) if field.is_group() => {
                self.literal(&tag(number, GROUP_START));
                self.message(&of, json);
                self.literal(&tag(number, GROUP_END));
            }
            Kind::Message(of) if self.moment(field, &of, json) => {}
            Kind::Message(of) => self.delimited(number, |writer| writer.message(&of, json)),
            kind => {
                if let Some(scalar) = Scalar::of(&kind) {
                    let implicit = !field.supports_presence() && !field.is_list();
                    self.scalar(field.full_name(), &scalar, tag(number, scalar.wire_type()), implicit, json);
                }
            }
        }
    }

    pub(super) fn scalar(&mut self, name: &str, scalar: &Scalar, tag: Vec<u8>, implicit: bool, json: &Json) {
        let fits = match json {
            Json::String(text) => text.contains(self.mark) || *scalar != Scalar::Bool,
            Json::Number(_) => scalar.is_number() || matches!(scalar, Scalar::Enum(_)),
            Json::Bool(_) => *scalar == Scalar::Bool,
            _ => false,
        };
        if !fits {
            let quoted = if *scalar == Scalar::String { ": put it in quotes" } else { "" };
            let message = format!("`{name}` takes {}, not {}{quoted}", scalar.expected(), what(json));
            return self.problem(message);
        }
        match json {
            Json::String(text) => self.text(name, scalar, tag, implicit, text),
            other => self.text(name, scalar, tag, implicit, &other.to_string()),
        }
    }

    /// A value as text, with or without holes.
    pub(super) fn text(&mut self, name: &str, scalar: &Scalar, tag: Vec<u8>, implicit: bool, text: &str) {
        let slot =
            Slot { tag, scalar: scalar.clone(), implicit, text: self.bits(text), field: name.to_owned() };
        if slot.text.iter().any(|bit| matches!(bit, Bit::Hole(_))) {
            return self.ops.push(Op::Slot(Box::new(slot)));
        }
        let mut bytes = Vec::new();
        match slot.render::<()>(&mut |_, _| Ok(()), &mut Vec::new(), &mut bytes) {
            Ok(()) => self.literal(&bytes),
            Err(_) => {
                let known = match scalar {
                    Scalar::Enum(of) => of.values().map(|value| value.name().to_owned()).collect(),
                    _ => Vec::new(),
                };
                let message = format!("`{name}` takes {}, not `{text}`", scalar.expected());
                self.push_problem(message, false, known);
            }
        }
    }

    pub(super) fn has_holes(&self, json: &Json) -> bool {
        match json {
            Json::String(text) => text.contains(self.mark),
            Json::Array(items) => items.iter().any(|item| self.has_holes(item)),
            Json::Object(entries) => {
                entries.iter().any(|(key, value)| key.contains(self.mark) || self.has_holes(value))
            }
            _ => false,
        }
    }

    /// A text taken apart at its holes. Marks come in pairs, so every second part is the number of a hole, and all
    /// others are text, whatever they look like.
    pub(super) fn bits(&self, text: &str) -> Vec<Bit> {
        let mut out = Vec::new();
        for (at, part) in text.split(self.mark).enumerate() {
            match part.parse() {
                Ok(hole) if at % 2 == 1 => out.push(Bit::Hole(hole)),
                _ if part.is_empty() => {}
                _ => out.push(Bit::Text(part.to_owned())),
            }
        }
        out
    }
}

fn is_null_a_value(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(of) => of.full_name() == "google.protobuf.Value",
        Kind::Enum(of) => of.full_name() == "google.protobuf.NullValue",
        _ => false,
    }
}

fn what(json: &Json) -> &'static str {
    match json {
        Json::Null => "nothing",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    }
}
