//! The JSON schema accepts what the reader accepts.

use peakdrill_scenarios::{LIBRARY, scaffold, schema};
use serde_json::Value;

/// Checks keys and forms against the schema: references, properties, required, counts, items, enums and types.
fn validate(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").ok_or("a reference out of the file")?;
        return validate(root, &root["$defs"][name], value, path);
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        let tried: Vec<_> = forms.iter().map(|form| validate(root, form, value, path)).collect();
        return if tried.iter().any(Result::is_ok) { Ok(()) } else { Err(format!("{path}: {tried:?}")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
    match &schema["type"] {
        Value::Null => {}
        Value::Array(kinds) if kinds.iter().any(fits) => {}
        wanted if fits(wanted) => {}
        wanted => return Err(format!("{path}: {kind} is not {wanted}")),
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{path}: not one of {words:?}"));
    }
    if let Value::Array(items) = value {
        return items
            .iter()
            .try_for_each(|item| validate(root, &schema["items"], item, &format!("{path}[]")));
    }
    let Value::Object(entries) = value else { return Ok(()) };
    if schema["maxProperties"].as_u64().is_some_and(|max| entries.len() as u64 > max) {
        return Err(format!("{path}: too many keys"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !entries.contains_key(name) {
            return Err(format!("{path}: `{name}` is missing"));
        }
    }
    for (name, value) in entries {
        let below = match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{path}: unknown key `{name}`")),
            (Value::Null, Value::Null) => continue,
            (Value::Null, other) => other,
            (known, _) => known,
        };
        validate(root, below, value, &format!("{path}.{name}"))?;
    }
    Ok(())
}

fn json(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn ready_drills_fit_the_schema() {
    let schema = schema();
    for (name, text) in LIBRARY.iter().copied().chain([("scaffold", scaffold())]) {
        validate(&schema, &schema, &json(text), name).unwrap();
    }
}

#[test]
fn the_stored_schema_is_the_one_that_is_written() {
    let stored = json(include_str!("../../drill.v1.schema.json"));
    assert!(
        stored == schema(),
        "drill.v1.schema.json is not what the code says; `cargo xtask tidy --bless` brings it up to date"
    );
}

#[test]
fn broken_drills_do_not() {
    let schema = schema();
    let smoke = LIBRARY[0].1;
    for (good, bad) in [
        ("rate:", "arrivalRate:"),
        ("hold: {", "wait: {"),
        ("name: smoke", "nome: smoke"),
        ("get: /", "grpc: /"),
    ] {
        assert!(smoke.contains(good));
        let broken = smoke.replacen(good, bad, 1);
        assert!(validate(&schema, &schema, &json(&broken), "").is_err(), "{bad}");
    }
}
