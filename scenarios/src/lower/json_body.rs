//! A YAML node as JSON text with holes.

use peakdrill_drill_model::plan::Template;
use serde_json::Value as Json;

use super::template::{Builder, Scope};
use crate::ctx::Ctx;
use crate::node::{Kind, Node, Scalar, Value};

/// Lowers a body. Holes stand inside JSON strings only; whoever fills them escapes the value.
pub(super) fn lower(ctx: &Ctx<'_>, scope: &mut Scope<'_>, node: &Node, what: &str) -> Option<Template> {
    let mut out = Builder::default();
    write(ctx, scope, node, what, &mut out).then(|| out.finish())
}

fn write(ctx: &Ctx<'_>, scope: &mut Scope<'_>, node: &Node, what: &str, out: &mut Builder) -> bool {
    let mut whole = true;
    match &node.value {
        Value::Scalar(scalar) => return scalar_text(scope, node, scalar, out),
        Value::Seq(items) => {
            out.text("[");
            for (at, item) in items.iter().enumerate() {
                out.text(if at > 0 { "," } else { "" });
                whole &= write(ctx, scope, item, what, out);
            }
            out.text("]");
        }
        Value::Map(_) => {
            out.text("{");
            let entries = ctx.mapping(node, node.span, what).unwrap_or_default();
            for (at, (name, key, value)) in entries.into_iter().enumerate() {
                out.text(if at > 0 { ",\"" } else { "\"" });
                whole &= scope.append(key, name, out, &escaped);
                out.text("\":");
                whole &= write(ctx, scope, value, what, out);
            }
            out.text("}");
        }
    }
    whole
}

fn scalar_text(scope: &mut Scope<'_>, node: &Node, scalar: &Scalar, out: &mut Builder) -> bool {
    match scalar.kind {
        Kind::Null => out.text("null"),
        Kind::Bool(value) => out.text(if value { "true" } else { "false" }),
        Kind::Int(value) => out.text(&value.to_string()),
        Kind::Float(value) => out.text(&number(&scalar.text, value)),
        Kind::Text => {
            out.text("\"");
            let whole = scope.append(node, &scalar.text, out, &escaped);
            out.text("\"");
            return whole;
        }
    }
    true
}

/// The number as it is written when that is JSON (`1.10` stays `1.10`), else its value.
fn number(written: &str, value: f64) -> String {
    match serde_json::from_str::<Json>(written) {
        Ok(Json::Number(_)) => written.to_owned(),
        _ => {
            serde_json::Number::from_f64(value).map_or_else(|| "null".to_owned(), |number| number.to_string())
        }
    }
}

/// Text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}
