//! The well-known types, whose JSON is not a mapping of their fields.

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor};
use serde_json::Value as Json;

use super::compile::Writer;
use super::scalar::{DELIMITED, SIXTY_FOUR, Scalar, VARINT, tag};

/// Fields of `google.protobuf.Value`.
const NULL: u32 = 1;
const NUMBER: u32 = 2;
const STRING: u32 = 3;
const BOOL: u32 = 4;
const STRUCT: u32 = 5;
const LIST: u32 = 6;

const PACKAGE: &str = "google.protobuf.";

impl Writer {
    /// Writes the content of a well-known type; false when it is none.
    pub(super) fn well_known(&mut self, of: &MessageDescriptor, json: &Json) -> bool {
        let Some(name) = of.full_name().strip_prefix(PACKAGE) else { return false };
        match name {
            "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value"
            | "BoolValue" | "StringValue" | "BytesValue" => self.wrapper(of, json),
            "Struct" | "Value" | "ListValue" | "Timestamp" | "Duration" | "FieldMask" | "Any" | "Empty" => {
                self.of_library(of, name, json);
            }
            _ => return false,
        }
        true
    }

    fn wrapper(&mut self, of: &MessageDescriptor, json: &Json) {
        let Some(field) = of.get_field_by_name("value") else { return };
        if let Some(scalar) = Scalar::of(&field.kind()) {
            self.scalar(field.full_name(), &scalar, tag(field.number(), scalar.wire_type()), true, json);
        }
    }

    /// Without holes the library knows best; with some, what can be written in pieces is.
    fn of_library(&mut self, of: &MessageDescriptor, name: &str, json: &Json) {
        match (self.has_holes(json), name) {
            // The library cannot read a null that stands where a list belongs.
            (false, "Any") if has_null(json) => {
                self.problem("a null inside of `google.protobuf.Any` is not built".into())
            }
            (false, _) => match DynamicMessage::deserialize(of.clone(), json) {
                Ok(message) => self.literal(&message.encode_to_vec()),
                Err(error) => self.problem(format!("this is no `{}`: {error}", of.full_name())),
            },
            (true, "Struct") => self.structure(json),
            (true, "ListValue") => self.list(json),
            (true, "Value") => self.value(json),
            (true, _) => self.problem(format!("values cannot be filled in inside of `{}`", of.full_name())),
        }
    }

    /// A time or a duration that is filled in, with its tag; false for all else.
    pub(super) fn moment(&mut self, field: &FieldDescriptor, of: &MessageDescriptor, json: &Json) -> bool {
        let scalar = match of.full_name().strip_prefix(PACKAGE) {
            Some("Timestamp") if self.has_holes(json) => Scalar::Timestamp,
            Some("Duration") if self.has_holes(json) => Scalar::Duration,
            _ => return false,
        };
        self.scalar(field.full_name(), &scalar, tag(field.number(), DELIMITED), false, json);
        true
    }

    fn structure(&mut self, json: &Json) {
        let Json::Object(entries) = json else {
            return self.problem("a `google.protobuf.Struct` is a mapping".to_owned());
        };
        for (place, (key, value)) in entries.iter().enumerate() {
            self.at(place, |writer| {
                writer.delimited(1, |writer| {
                    let name = "google.protobuf.Struct.fields";
                    writer.text(name, &Scalar::String, tag(1, DELIMITED), false, key);
                    writer.delimited(2, |writer| writer.value(value));
                });
            });
        }
    }

    fn list(&mut self, json: &Json) {
        let Json::Array(items) = json else {
            return self.problem("a `google.protobuf.ListValue` is a list".to_owned());
        };
        for (place, item) in items.iter().enumerate() {
            self.at(place, |writer| writer.delimited(1, |writer| writer.value(item)));
        }
    }

    fn value(&mut self, json: &Json) {
        match json {
            Json::Null => self.literal(&[tag(NULL, VARINT), vec![0]].concat()),
            Json::Bool(value) => self.literal(&[tag(BOOL, VARINT), vec![u8::from(*value)]].concat()),
            Json::Number(value) => {
                let bytes = value.as_f64().unwrap_or_default().to_le_bytes();
                self.literal(&[tag(NUMBER, SIXTY_FOUR), bytes.to_vec()].concat());
            }
            Json::String(text) => {
                let name = "google.protobuf.Value.string_value";
                self.text(name, &Scalar::String, tag(STRING, DELIMITED), false, text);
            }
            Json::Object(_) => self.delimited(STRUCT, |writer| writer.structure(json)),
            Json::Array(_) => self.delimited(LIST, |writer| writer.list(json)),
        }
    }
}

fn has_null(json: &Json) -> bool {
    match json {
        Json::Null => true,
        Json::Array(items) => items.iter().any(has_null),
        Json::Object(entries) => entries.values().any(has_null),
        _ => false,
    }
}
