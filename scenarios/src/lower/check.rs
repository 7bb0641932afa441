//! Checks of an answer: `status == 200`, `$.code == 0`.

use peakdrill_drill_model::condition::Op;
use peakdrill_drill_model::plan::Check;
use serde_json::Value as Json;
use serde_json_path::JsonPath;

use crate::codes::{E0313, E0403, E0407, E0408};
use crate::ctx::{Ctx, Draft, draft};
use crate::node::Node;

pub(super) fn lower(ctx: &Ctx<'_>, node: &Node) -> Option<Check> {
    let text = ctx.text(node, "a check")?;
    match read(&text) {
        Ok(check) => Some(check),
        Err(found) => {
            ctx.push(found.at(node.span));
            None
        }
    }
}

/// Checks that a JSON path can be read.
pub(super) fn json_path(path: &str) -> Result<(), Box<Draft>> {
    JsonPath::parse(path).map(|_| ()).map_err(|why| {
        let message = format!("`{path}` is no JSON path: {why}");
        Box::new(draft(E0407, Default::default(), message).help("paths begin with `$`: `$.data.token`"))
    })
}

fn read(text: &str) -> Result<Check, Box<Draft>> {
    let wrong = |message: String| {
        let help = "write `status == 200` or `$.code == 0`";
        Box::new(draft(E0408, Default::default(), message).help(help))
    };
    let Some((left, op, right)) = split(text) else {
        if text.starts_with('$') && text.contains(" in ") {
            let message = "`in` in a check is not built yet";
            return Err(Box::new(draft(E0313, Default::default(), message).label("not built yet")));
        }
        return Err(wrong(format!("the check `{text}` has no comparison")));
    };
    if right.is_empty() {
        return Err(wrong(format!("the check `{text}` has nothing to compare with")));
    }
    match left {
        "status" => {
            let Ok(value) = right.parse::<u16>() else {
                return Err(wrong(format!("`{right}` is no status")));
            };
            if !(100..=599).contains(&value) {
                let found = draft(E0403, Default::default(), format!("`{value}` is no HTTP status"));
                return Err(Box::new(found.label("must be 100 to 599")));
            }
            Ok(Check::Status { op, value })
        }
        path if path.starts_with('$') => {
            json_path(path)?;
            let value = json_value(right).ok_or_else(|| wrong(format!("`{right}` is no JSON value")))?;
            Ok(Check::Json { path: path.to_owned(), op, value })
        }
        other => Err(wrong(format!("`{other}` cannot be checked"))),
    }
}

/// Cuts at the first comparison that stands outside brackets and quotes.
fn split(text: &str) -> Option<(&str, Op, &str)> {
    const OPS: [(&str, Op); 6] =
        [("==", Op::Eq), ("!=", Op::Ne), ("<=", Op::Le), (">=", Op::Ge), ("<", Op::Lt), (">", Op::Gt)];
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(c),
            ('[' | '(', None) => depth += 1,
            (']' | ')', None) => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                if let Some((sign, op)) = OPS.iter().find(|(sign, _)| text[at..].starts_with(sign)) {
                    return Some((text[..at].trim(), *op, text[at + sign.len()..].trim()));
                }
            }
            _ => {}
        }
    }
    None
}

fn json_value(text: &str) -> Option<Json> {
    if let Some(inside) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return (!inside.contains('\'')).then(|| Json::from(inside));
    }
    serde_json::from_str(text).ok().filter(|value: &Json| !value.is_array() && !value.is_object())
}
