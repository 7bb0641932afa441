//! Text with holes that are filled for each journey.

use std::collections::BTreeSet;

use peakdrill_drill_model::plan::{DigestForm, Part, Template, TimeForm};

use super::feeders::Slot;
use crate::codes::{E0201, E0202, E0203, E0204, E0212, E0405, W0804};
use crate::ctx::{Ctx, draft, list_of, nearest};
use crate::hole::{Piece, pieces};
use crate::limits;
use crate::node::Node;

/// What a template may refer to at its place in a journey.
pub(super) struct Scope<'s> {
    ctx: &'s Ctx<'s>,
    feeders: &'s [Slot],
    /// Computed by the step under way.
    pub(super) values: BTreeSet<String>,
    /// Extracted by an earlier step.
    pub(super) extracted: BTreeSet<String>,
    /// Extracted by any step of the journey.
    anywhere: BTreeSet<String>,
    /// Feeders that were referred to.
    pub(super) used_feeders: BTreeSet<u16>,
}

impl<'s> Scope<'s> {
    pub(super) fn new(ctx: &'s Ctx<'s>, feeders: &'s [Slot], anywhere: BTreeSet<String>) -> Self {
        let (values, extracted, used_feeders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { ctx, feeders, values, extracted, anywhere, used_feeders }
    }

    /// Lowers the text of a node.
    pub(super) fn template(&mut self, node: &Node, what: &str) -> Option<Template> {
        let text = &self.ctx.scalar(node, what)?.text;
        let mut out = Builder::default();
        self.append(node, text, &mut out, &str::to_owned).then(|| out.finish())
    }

    /// Appends a text to a template; fixed pieces go through `escape`. False when a hole was reported.
    pub(super) fn append(
        &mut self,
        node: &Node,
        text: &str,
        out: &mut Builder,
        escape: &dyn Fn(&str) -> String,
    ) -> bool {
        self.foreign_template(node, text);
        let mut whole = true;
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.text(&escape(text)),
                Piece::Hole(name) => match self.hole(node, name) {
                    Some(Hole::Fixed(value)) => out.text(&escape(&value)),
                    Some(Hole::Part(part)) => out.0.push(part),
                    None => whole = false,
                },
                Piece::Broken(text) => {
                    self.ctx.broken_hole(node, text);
                    whole = false;
                }
            }
        }
        whole
    }

    fn foreign_template(&self, node: &Node, text: &str) {
        let Some(at) = text.find("{{") else { return };
        let Some(end) = text[at..].find("}}") else { return };
        let hole = &text[at..at + end + 2];
        let inside = hole.trim_matches(['{', '}', ' ']);
        let message = format!("`{hole}` is sent literally");
        let found = draft(W0804, self.ctx.within(node, hole), message);
        self.ctx.push(found.help(format!("this is Artillery's form; here it is `${{{inside}}}`")));
    }

    fn hole(&mut self, node: &Node, name: &str) -> Option<Hole> {
        if let Some(value) = self.ctx.constant(node, name) {
            return value.map(Hole::Fixed);
        }
        let part = match name {
            "uuid" => Part::Uuid(String::new()),
            "index" => Part::Index,
            "run.id" => Part::RunId,
            "time" => Part::Time(TimeForm::Seconds),
            "time_ms" => Part::Time(TimeForm::Millis),
            "time_rfc3339" => Part::Time(TimeForm::Rfc3339),
            _ if self.values.contains(name) => Part::Value(name.to_owned()),
            _ if self.extracted.contains(name) => Part::Extracted(name.to_owned()),
            _ => return self.other_hole(node, name),
        };
        Some(Hole::Part(part))
    }

    fn other_hole(&mut self, node: &Node, name: &str) -> Option<Hole> {
        let at = self.ctx.within(node, name);
        if let Some(tag) = name.strip_prefix("uuid:").filter(|tag| !tag.is_empty()) {
            return Some(Hole::Part(Part::Uuid(tag.to_owned())));
        }
        if let Some(secret) = name.strip_prefix("secret:") {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if secret.is_empty() || !secret.chars().all(good) {
                let message = format!("`{secret}` cannot name a secret");
                self.ctx.push(
                    draft(E0405, at, message)
                        .help("letters, digits and `_`: it is the name of an environment variable"),
                );
                return None;
            }
            return Some(Hole::Part(Part::Secret(secret.to_owned())));
        }
        if let Some((function, arguments)) = name.strip_suffix(')').and_then(|name| name.split_once('(')) {
            return self.call(node, function.trim(), arguments);
        }
        if let Some((feeder, column)) = name.split_once('.')
            && !name.contains(['(', ':'])
        {
            return self.column(node, feeder, column);
        }
        if name.contains(['(', ':']) {
            let message = format!("unknown function `${{{name}}}`");
            let label =
                "expected a function such as `random(1, 100)`, `uuid:name`, `env:NAME` or `secret:NAME`";
            self.ctx.push(draft(E0203, at, message).label(label));
        } else if self.anywhere.contains(name) {
            let message = format!("`{name}` is used before it is extracted");
            let help = "steps run in order; after a `choose` only what every branch extracts exists";
            self.ctx.push(draft(E0202, at, message).label("not extracted yet").help(help));
        } else {
            self.unknown(node, name);
        }
        None
    }

    fn call(&mut self, node: &Node, function: &str, inside: &str) -> Option<Hole> {
        let wrong = |what: &str| {
            let at = self.ctx.within(node, function);
            let message = format!("`{function}` has wrong arguments: `{inside}`");
            self.ctx.push(draft(E0212, at, message).label(format!("expected {what}")));
            None
        };
        let Some(arguments) = arguments(inside) else { return wrong("brackets and quotes that are closed") };
        let form = if function.ends_with("_base64") { DigestForm::Base64 } else { DigestForm::Hex };
        let part = match (function, arguments.as_slice()) {
            ("random", [low, high]) => match (low.parse::<i64>(), high.parse::<i64>()) {
                (Ok(low), Ok(high)) if low <= high => Part::Random { low, high },
                _ => return wrong("two whole numbers, the smaller first: `random(1, 100)`"),
            },
            ("random_string", [count]) => match count.parse::<u16>() {
                Ok(count) if (1..=limits::MAX_RANDOM_CHARS).contains(&count) => Part::RandomString(count),
                _ => return wrong("a number of characters: `random_string(8)`"),
            },
            ("base64", [of]) => Part::Base64(self.argument(node, of)?),
            ("sha256" | "sha256_base64", [of]) => Part::Sha256 { of: self.argument(node, of)?, form },
            ("hmac_sha256" | "hmac_sha256_base64", [key, of]) => {
                Part::HmacSha256 { key: self.argument(node, key)?, of: self.argument(node, of)?, form }
            }
            ("random", _) => return wrong("two whole numbers: `random(1, 100)`"),
            ("random_string", _) => return wrong("a number of characters: `random_string(8)`"),
            ("base64" | "sha256" | "sha256_base64", _) => return wrong("one name, or text in quotes"),
            ("hmac_sha256" | "hmac_sha256_base64", _) => {
                return wrong("a key and a name: `hmac_sha256(secret:KEY, to_sign)`");
            }
            _ => {
                let message = format!("unknown function `{function}`");
                let names = [
                    "random",
                    "random_string",
                    "base64",
                    "sha256",
                    "sha256_base64",
                    "hmac_sha256",
                    "hmac_sha256_base64",
                ];
                let mut found = draft(E0203, self.ctx.within(node, function), message)
                    .label(format!("expected {}", list_of(&names)));
                if let Some(near) = nearest(function, names) {
                    found = found.help(format!("did you mean `{near}`?"));
                }
                self.ctx.push(found);
                return None;
            }
        };
        Some(Hole::Part(part))
    }

    /// A name as it would stand in `${}`, or text in quotes.
    fn argument(&mut self, node: &Node, text: &str) -> Option<Template> {
        let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(text) = quoted('\'').or_else(|| quoted('"')) {
            return Some(Template::literal(text));
        }
        match self.hole(node, text)? {
            Hole::Fixed(text) => Some(Template::literal(&text)),
            Hole::Part(part) => Some(Template(vec![part])),
        }
    }

    fn unknown(&self, node: &Node, name: &str) {
        let vars = self.ctx.vars.borrow();
        let known = vars.keys().chain(&self.anywhere).chain(&self.values).map(String::as_str);
        let known = known.chain(["uuid", "index", "run.id", "time", "time_ms", "time_rfc3339"]);
        let mut found = draft(E0201, self.ctx.within(node, name), format!("unknown name `{name}`"));
        found = match nearest(name, known) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => {
                found.help("names come from `vars`, feeders (`${users.uid}`), `let` and earlier `extract`s")
            }
        };
        self.ctx.push(found);
    }

    fn column(&mut self, node: &Node, feeder: &str, column: &str) -> Option<Hole> {
        let Some(at) = self.feeders.iter().position(|slot| slot.feeder.name == feeder) else {
            let message = format!("there is no feeder `{feeder}`");
            let mut found = draft(E0201, self.ctx.within(node, feeder), message);
            if let Some(near) = nearest(feeder, self.feeders.iter().map(|slot| slot.feeder.name.as_str())) {
                found = found.help(format!("did you mean `{near}.{column}`?"));
            }
            self.ctx.push(found);
            return None;
        };
        let slot = &self.feeders[at];
        self.used_feeders.insert(at as u16);
        if !slot.read {
            return None;
        }
        let Some(index) = slot.feeder.columns.iter().position(|known| known == column) else {
            let columns: Vec<_> = slot.feeder.columns.iter().map(String::as_str).collect();
            let message = format!("the feeder `{feeder}` has no column `{column}`");
            let place = self.ctx.within(node, &format!("{feeder}.{column}"));
            let mut found = draft(E0204, place, message).label(format!("expected {}", list_of(&columns)));
            if let Some(near) = nearest(column, columns.iter().copied()) {
                found = found.help(format!("did you mean `{feeder}.{near}`?"));
            }
            self.ctx.push(found);
            return None;
        };
        Some(Hole::Part(Part::Feeder { feeder: at as u16, column: index as u16 }))
    }

    /// The first row (from 1, after the header) of a column whose value breaks a header.
    pub(super) fn broken_value(&self, part: &Part) -> Option<(&str, usize)> {
        let Part::Feeder { feeder, column } = part else { return None };
        let slot = self.feeders.get(usize::from(*feeder))?;
        let bad = |row: &Vec<String>| {
            row.get(usize::from(*column)).is_some_and(|cell| cell.contains(char::is_control))
        };
        Some((&slot.feeder.name, slot.feeder.rows.iter().position(bad)? + 1))
    }
}

/// The arguments of a function: cut at commas outside of brackets and quotes.
fn arguments(inside: &str) -> Option<Vec<&str>> {
    let (mut out, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, c) in inside.char_indices() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) => depth = depth.checked_sub(1)?,
            (',', None) if depth == 0 => {
                out.push(inside.get(start..at)?.trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(inside.get(start..)?.trim());
    (depth == 0 && quote.is_none()).then_some(out)
}

enum Hole {
    Fixed(String),
    Part(Part),
}

/// A template under construction: neighbouring literals are joined.
#[derive(Default)]
pub(super) struct Builder(Vec<Part>);

impl Builder {
    pub(super) fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Literal(last)) => last.push_str(text),
            _ => self.0.push(Part::Literal(text.to_owned())),
        }
    }

    pub(super) fn finish(self) -> Template {
        Template(self.0)
    }
}
