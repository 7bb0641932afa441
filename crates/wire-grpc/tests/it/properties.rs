//! Whatever a message is, its template writes what the library writes for the same JSON.

use peakdrill_wire_grpc::Part;
use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json, json};

use crate::types::{method, pool, shown};

/// JSON that knows where holes may be.
enum Tree {
    /// As it is.
    Raw(Json),
    /// A value that may come as text.
    Scalar(Json),
    List(Vec<Tree>),
    /// With keys that may have holes.
    Map(Vec<(String, bool, Tree)>),
}

/// Choices, taken from random numbers as long as there are some.
struct Choices<'a>(&'a [u32]);

impl Choices<'_> {
    fn of(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first as usize % count.max(1)
    }

    fn pick<'p, T: ?Sized>(&mut self, from: &[&'p T]) -> &'p T {
        from[self.of(from.len())]
    }
}

fn message(of: &MessageDescriptor, choices: &mut Choices<'_>, depth: usize) -> Tree {
    let fields: Vec<FieldDescriptor> = of.fields().collect();
    let mut entries: Vec<(String, bool, Tree)> = Vec::new();
    let mut oneofs = Vec::new();
    for _ in 0..choices.of(5) {
        let field = &fields[choices.of(fields.len())];
        let known = entries.iter().any(|(name, ..)| name == field.name() || name == field.json_name());
        let oneof = field.containing_oneof().map(|oneof| oneof.full_name().to_owned());
        if known || oneof.as_ref().is_some_and(|oneof| oneofs.contains(oneof)) {
            continue;
        }
        oneofs.extend(oneof);
        let name = if choices.of(2) == 0 { field.name() } else { field.json_name() };
        entries.push((name.to_owned(), false, value(field, choices, depth)));
    }
    Tree::Map(entries)
}

fn value(field: &FieldDescriptor, choices: &mut Choices<'_>, depth: usize) -> Tree {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { unreachable!() };
        let key = entry.map_entry_key_field().kind();
        let keys: &[&str] = match key {
            Kind::Bool => &["true", "false"],
            Kind::String => &["", "a", "ü\"b"],
            Kind::Int32 => &["-1", "0", "77"],
            _ => &["0", "300"],
        };
        let mut out: Vec<(String, bool, Tree)> = Vec::new();
        for _ in 0..choices.of(3) {
            let key = choices.pick(keys);
            if !out.iter().any(|(known, ..)| known == key) {
                out.push((
                    key.to_owned(),
                    true,
                    single(&entry.map_entry_value_field().kind(), choices, depth),
                ));
            }
        }
        return Tree::Map(out);
    }
    if field.is_list() {
        return Tree::List((0..choices.of(4)).map(|_| single(&field.kind(), choices, depth)).collect());
    }
    single(&field.kind(), choices, depth)
}

fn single(kind: &Kind, choices: &mut Choices<'_>, depth: usize) -> Tree {
    let signed = [json!(0), json!(-1), json!("5"), json!(i32::MAX), json!(i32::MIN), json!(127), json!(1e2)];
    let wide = [json!(0), json!("-1"), json!(i64::MAX), json!(i64::MIN.to_string()), json!(300)];
    let unsigned = [json!(0), json!("1"), json!(u32::MAX), json!(128)];
    let reals = [json!(0.0), json!(-0.0), json!(1.5), json!("2.5"), json!(-7), json!(1e10)];
    let pick = |from: &[Json], choices: &mut Choices<'_>| Tree::Scalar(from[choices.of(from.len())].clone());
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => pick(&signed, choices),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => pick(&wide, choices),
        Kind::Uint32 | Kind::Fixed32 | Kind::Uint64 | Kind::Fixed64 => pick(&unsigned, choices),
        Kind::Float | Kind::Double => pick(&reals, choices),
        Kind::Bool => pick(&[json!(true), json!(false)], choices),
        Kind::String => {
            pick(&["", "a", "\"quoted\\\n", "ümlaut and more", &"x".repeat(200)].map(Json::from), choices)
        }
        Kind::Bytes => pick(&["", "aGk=", "aGk", "-_-_", "/+/+"].map(Json::from), choices),
        Kind::Enum(of) if of.full_name() == "google.protobuf.NullValue" => Tree::Raw(Json::Null),
        Kind::Enum(_) => pick(&[json!("COLOUR_NONE"), json!("RED"), json!(-2), json!(77)], choices),
        Kind::Message(of) => well_known(of.name(), choices, depth).unwrap_or_else(|| {
            if depth == 0 { Tree::Map(Vec::new()) } else { message(of, choices, depth - 1) }
        }),
    }
}

fn well_known(name: &str, choices: &mut Choices<'_>, depth: usize) -> Option<Tree> {
    let kind = match name {
        "StringValue" => Kind::String,
        "BytesValue" => Kind::Bytes,
        "Int64Value" => Kind::Int64,
        "UInt32Value" => Kind::Uint32,
        "BoolValue" => Kind::Bool,
        "DoubleValue" => Kind::Double,
        "Timestamp" => {
            let times =
                ["1970-01-01T00:00:00Z", "2026-11-11T10:00:00.123456789Z", "1900-02-28T23:59:59+08:00"];
            return Some(Tree::Scalar(choices.pick(&times).into()));
        }
        "Duration" => return Some(Tree::Scalar(choices.pick(&["0s", "1.5s", "-3.000000001s"]).into())),
        "FieldMask" => return Some(Tree::Raw(choices.pick(&["", "a,b.cD"]).into())),
        "Any" => return Some(Tree::Raw(json!({"@type": "t/all.v1.All", "i32": 5}))),
        "Empty" => return Some(Tree::Raw(json!({}))),
        "Value" => return Some(free(choices, depth)),
        "ListValue" => return Some(Tree::List((0..choices.of(3)).map(|_| free(choices, depth)).collect())),
        "Struct" => {
            let keys = ["a", "b", "c"];
            let entries = keys.iter().take(choices.of(3));
            return Some(Tree::Map(
                entries.map(|key| ((*key).to_owned(), true, free(choices, depth))).collect(),
            ));
        }
        _ => return None,
    };
    Some(single(&kind, choices, depth))
}

fn free(choices: &mut Choices<'_>, depth: usize) -> Tree {
    match choices.of(if depth == 0 { 4 } else { 6 }) {
        0 => Tree::Raw(Json::Null),
        1 => Tree::Raw(json!(choices.of(2) == 0)),
        2 => Tree::Raw(json!(-1.5)),
        3 => Tree::Scalar(choices.pick(&["", "text", "5"]).into()),
        4 => Tree::List((0..choices.of(3)).map(|_| free(choices, depth - 1)).collect()),
        _ => Tree::Map(
            (0..choices.of(3)).map(|at| (format!("k{at}"), true, free(choices, depth - 1))).collect(),
        ),
    }
}

impl Tree {
    fn json(&self) -> Json {
        match self {
            Self::Raw(json) | Self::Scalar(json) => json.clone(),
            Self::List(items) => Json::Array(items.iter().map(Self::json).collect()),
            Self::Map(entries) => Json::Object(
                entries.iter().map(|(key, _, value)| (key.clone(), value.json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// Its text, in which some values are holes: `None`, with their values beside.
    fn write(&self, choices: &mut Choices<'_>, out: &mut Vec<Option<String>>, values: &mut Vec<String>) {
        let text = |text: &str, out: &mut Vec<Option<String>>| out.push(Some(text.to_owned()));
        match self {
            Self::Raw(json) => text(&json.to_string(), out),
            Self::Scalar(json) => {
                let plain = json.as_str().map_or_else(|| whole(json), str::to_owned);
                match choices.of(3) {
                    0 => text(&json.to_string(), out),
                    1 => hole("", &plain, "", out, values),
                    // A part of a text; of a number, all of it.
                    _ => {
                        let cut = (1..plain.len()).find(|at| json.is_string() && plain.is_char_boundary(*at));
                        let (before, inside) = plain.split_at(cut.unwrap_or(0));
                        hole(before, inside, "", out, values);
                    }
                }
            }
            Self::List(items) => {
                text("[", out);
                for (at, item) in items.iter().enumerate() {
                    text(if at > 0 { "," } else { "" }, out);
                    item.write(choices, out, values);
                }
                text("]", out);
            }
            Self::Map(entries) => {
                text("{", out);
                for (at, (key, may, value)) in entries.iter().enumerate() {
                    text(if at > 0 { "," } else { "" }, out);
                    match *may && choices.of(2) == 0 {
                        true => hole("", key, "", out, values),
                        false => text(&Json::from(key.as_str()).to_string(), out),
                    }
                    text(":", out);
                    value.write(choices, out, values);
                }
                text("}", out);
            }
        }
    }

    /// Whether the library may write it in several orders.
    fn has_maps(&self) -> bool {
        match self {
            Self::Map(entries) => {
                entries.iter().filter(|(_, key, _)| *key).count() > 1
                    || entries.iter().any(|(_, _, v)| v.has_maps())
            }
            Self::List(items) => items.iter().any(Self::has_maps),
            _ => false,
        }
    }
}

fn whole(json: &Json) -> String {
    match json.as_f64() {
        Some(value) if json.is_f64() && value == 100.0 => "100".to_owned(),
        _ => json.to_string(),
    }
}

fn hole(before: &str, value: &str, after: &str, out: &mut Vec<Option<String>>, values: &mut Vec<String>) {
    let quoted = |text: &str| {
        let text = Json::from(text).to_string();
        text[1..text.len() - 1].to_owned()
    };
    out.push(Some(format!("\"{}", quoted(before))));
    out.push(None);
    out.push(Some(format!("{}\"", quoted(after))));
    values.push(value.to_owned());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_template_writes_what_the_library_writes(random in prop::collection::vec(any::<u32>(), 0..200)) {
        let of = pool().get_message_by_name("all.v1.All").unwrap();
        let mut choices = Choices(&random);
        let tree = message(&of, &mut choices, 3);
        let json = tree.json();
        let library = DynamicMessage::deserialize(of.clone(), json.clone());
        let library = library.map_err(|error| TestCaseError::fail(format!("{json}: {error}")))?.encode_to_vec();

        let (mut texts, mut values) = (Vec::new(), Vec::new());
        tree.write(&mut choices, &mut texts, &mut values);
        let parts: Vec<Part<'_>> =
            texts.iter().map(|text| text.as_deref().map_or(Part::Hole, Part::Literal)).collect();
        let template = method("all.v1.Echo/Unary").request(&parts);
        let template = template.map_err(|problems| TestCaseError::fail(format!("{json}: {}", shown(&problems))))?;
        let mut bytes = Vec::new();
        let fill = &mut |hole: usize, out: &mut Vec<u8>| {
            out.extend_from_slice(values.get(hole).ok_or(hole)?.as_bytes());
            Ok::<_, usize>(())
        };
        let rendered = template.render(fill, &mut bytes);
        prop_assert!(rendered.is_ok(), "{json}: {rendered:?}");
        prop_assert_eq!(template.fixed().is_some(), values.is_empty());

        let expected = DynamicMessage::decode(of.clone(), library.as_slice());
        let read = DynamicMessage::decode(of, bytes.as_slice());
        // Printed, a type that holds itself would never end.
        prop_assert!(read.is_ok() && read.ok() == expected.ok(), "{json}");
        if !tree.has_maps() {
            prop_assert_eq!(bytes, library, "{}", json);
        }
    }

    #[test]
    fn no_text_and_no_answer_breaks_anything(text in ".{0,60}", body in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = method("all.v1.Echo/Unary").request(&[Part::Literal(&text), Part::Hole]);
        let mut out = Vec::new();
        let _ = method("all.v1.Echo/Many").answer_json(&body, &mut out);
        let mut framed = Vec::new();
        peakdrill_wire_grpc::put_frame(&body, &mut framed);
        let _ = method("all.v1.Echo/Unary").answer_json(&framed, &mut out);
    }
}
