//! The JSON schema for editors, written from the same tables that the reader uses.

use serde_json::{Map, Value, json};

use crate::keys::{Block, Field, ROOT, State, Ty};

/// Address that the schema names itself by.
const ID: &str = "https://peakdrill.dev/schema/drill.v1.schema.json";
/// A quantity may be a variable instead.
const HOLE: &str = r"\$\{[^}]+\}";

/// The JSON schema (draft 2020-12) of a scenario file.
#[must_use]
pub fn schema() -> Value {
    let mut defs = Map::new();
    let mut open: Vec<&'static Block> = vec![&ROOT];
    while let Some(block) = open.pop() {
        if defs.contains_key(block.id) {
            continue;
        }
        let written = mapping(block, false, &mut open);
        defs.insert(block.id.to_owned(), written);
    }
    let root = defs.remove(ROOT.id).unwrap_or_default();
    let mut out = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "peakdrill scenario, version 1",
    });
    if let (Some(out), Value::Object(root)) = (out.as_object_mut(), root) {
        out.extend(root);
        out.insert("$defs".to_owned(), Value::Object(defs));
    }
    out
}

fn mapping(block: &'static Block, variant: bool, open: &mut Vec<&'static Block>) -> Value {
    let usable = || block.fields.iter().filter(|field| field.state != State::NotBuilt);
    let properties: Map<String, Value> =
        usable().map(|field| (field.name.to_owned(), property(field, open))).collect();
    let required: Vec<_> =
        usable().filter(|field| field.state == State::Required).map(|field| field.name).collect();
    let mut out = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    let Some(fields) = out.as_object_mut() else { return out };
    if !required.is_empty() {
        fields.insert("required".to_owned(), json!(required));
    }
    if variant {
        fields.insert("minProperties".to_owned(), json!(1));
        fields.insert("maxProperties".to_owned(), json!(1));
    }
    out
}

fn property(field: &'static Field, open: &mut Vec<&'static Block>) -> Value {
    let mut out = of(&field.ty, open);
    if let Some(fields) = out.as_object_mut() {
        fields.insert("description".to_owned(), json!(field.doc));
        if field.name == "version" {
            fields.insert("const".to_owned(), json!(1));
        }
    }
    out
}

fn of(ty: &'static Ty, open: &mut Vec<&'static Block>) -> Value {
    match ty {
        Ty::Text | Ty::Template => json!({ "type": ["string", "number", "boolean"] }),
        Ty::Json => json!({}),
        Ty::Whole => or_hole(&json!({ "type": "integer" })),
        Ty::Number => or_hole(&json!({ "type": "number" })),
        Ty::Bool => or_hole(&json!({ "type": "boolean" })),
        Ty::Duration => quantity(r"([0-9._]+ *(ns|us|µs|ms|s|m|min|h) *)+|0"),
        Ty::Rate => quantity(r"[0-9._]+ */(s|m|min|h)|0"),
        Ty::Percent => quantity(r"[0-9.]+ *%"),
        Ty::Condition => json!({ "type": "string" }),
        Ty::Choice(words) => json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": HOLE }] }),
        Ty::List(inner) => json!({ "type": "array", "items": of(inner, open) }),
        Ty::Map(inner) => json!({ "type": "object", "additionalProperties": of(inner, open) }),
        Ty::Block(block) => {
            open.push(block);
            json!({ "$ref": format!("#/$defs/{}", block.id) })
        }
        Ty::Variant(block) => mapping(block, true, open),
        Ty::Either(short, long) => json!({ "anyOf": [of(short, open), of(long, open)] }),
    }
}

fn or_hole(plain: &Value) -> Value {
    json!({ "anyOf": [plain, { "type": "string" }] })
}

fn quantity(pattern: &str) -> Value {
    json!({ "anyOf": [{ "type": "string", "pattern": format!("^(.*{HOLE}.*|{pattern})$") }, { "enum": [0] }] })
}
