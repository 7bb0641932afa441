//! The key that the work of a span is about, as far as its attributes name one.

use super::key::Key;
use super::{Attributes, Value};
use crate::{SpanKey, SpanKind};

/// What a service says itself goes before what a message or a path says.
const SAID: [Key; 3] = [Key::WorkKey, Key::MessagingKafkaKey, Key::MessagingKafkaKeyOld];

pub(super) fn key(attributes: &Attributes<'_>, kind: SpanKind) -> Option<SpanKey> {
    let said = SAID.iter().find_map(|key| of_value(attributes.get(&[*key])?));
    match kind {
        SpanKind::Server => said.or_else(|| of_path(attributes).and_then(SpanKey::of)),
        // A query's first parameter may be what it is about, and may be an amount.
        _ => said.or_else(|| Some(of_value(attributes.get(&[Key::DbQueryParameter])?)?.guessed())),
    }
}

fn of_value(value: Value<'_>) -> Option<SpanKey> {
    match value {
        Value::Text(text) => SpanKey::of(text),
        Value::Int(number) => SpanKey::of(&number.to_string()),
        Value::Bool(_) | Value::Double(_) => None,
    }
}

fn of_path<'a>(attributes: &Attributes<'a>) -> Option<&'a str> {
    let route = attributes.text(&[Key::HttpRoute])?;
    let path = attributes.text(&[Key::UrlPath, Key::HttpTargetOld])?;
    of_route(route, path.split('?').next()?)
}

/// What stands in a path for the only parameter of its route. `None`: there is none, or several, or the path is not of the
/// route. A path may have more in front: not all frameworks put the application's root into a route.
fn of_route<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    let mut parts = path.trim_end_matches('/').rsplit('/');
    let mut found = None;
    for pattern in route.trim_end_matches('/').rsplit('/') {
        if pattern.is_empty() {
            // The slash at the beginning.
            continue;
        }
        let part = parts.next()?;
        match parameter(pattern) {
            None if pattern.contains('*') || pattern != part => return None,
            None => {}
            Some(_) if found.is_some() => return None,
            Some((before, after)) => found = Some(part.strip_prefix(before)?.strip_suffix(after)?),
        }
    }
    found
}

/// What a part of a route has before and after its parameter: `{id}`, `:id` and `<id>` are parameters, in the words of
/// most frameworks.
fn parameter(pattern: &str) -> Option<(&str, &str)> {
    if pattern.starts_with(':') {
        return Some(("", ""));
    }
    let (open, close) = if pattern.contains('{') { ('{', '}') } else { ('<', '>') };
    let (start, end) = (pattern.find(open)?, pattern.rfind(close)?);
    // A `*` in it stands for several parts of the path.
    let whole = start < end && !pattern.contains('*');
    whole.then(|| (&pattern[..start], &pattern[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_the_only_parameter_of_its_route() {
        for (route, path, wanted) in [
            ("/items/{id}", "/items/7", Some("7")),
            ("/items/:id/price", "/items/7/price", Some("7")),
            ("/items/<int:id>", "/items/7/", Some("7")),
            ("items/{id:[0-9]+}", "/shop/items/7", Some("7")),
            ("/items/{id}.json", "/items/7.json", Some("7")),
            ("/items/{id}", "/items/7/more", None),
            ("/items/{id}/{part}", "/items/7/8", None),
            ("/items", "/items", None),
            ("/items/{*rest}", "/items/7", None),
            ("/items/*", "/items/7", None),
            ("/items/{id}", "7", None),
            ("/items/}{", "/items/7", None),
            ("/", "/", None),
            ("", "", None),
        ] {
            assert_eq!(of_route(route, path), wanted, "{route} {path}");
        }
    }

    #[test]
    fn what_a_service_says_goes_first() {
        let text = Value::Text;
        let mut pairs = vec![
            ("url.path", text("/items/7")),
            ("http.route", text("/items/{id}")),
            ("db.query.parameter.item", text("8")),
            ("db.query.parameter.0", text("9")),
            ("messaging.kafka.message_key", text("10")),
            ("messaging.kafka.message.key", text("11")),
            ("peakdrill.key", Value::Int(12)),
        ];
        let read = |pairs: &[(&'static str, Value<'static>)], kind| {
            key(&Attributes::read(pairs.iter().copied()), kind)
                .map(|key| (key.text().unwrap(), key.is_guessed()))
        };
        let (mut served, mut called) = (Vec::new(), Vec::new());
        while !pairs.is_empty() {
            served.push(read(&pairs, SpanKind::Server).map(|(text, _)| text).unwrap_or_default());
            called.push(read(&pairs, SpanKind::Client).unwrap_or_default());
            pairs.pop();
        }
        assert_eq!(served, ["12", "11", "10", "7", "7", "7", ""]);
        let called: Vec<_> = called.iter().map(|(text, guessed)| (text.as_str(), *guessed)).collect();
        let first = ("8", true);
        assert_eq!(
            called,
            [("12", false), ("11", false), ("10", false), first, first, ("", false), ("", false)]
        );
        let path = [("http.target", text("/items/7?x=/1")), ("http.route", text("/items/{id}"))];
        assert_eq!(read(&path, SpanKind::Server), Some(("7".to_owned(), false)));
        assert_eq!(read(&path, SpanKind::Client), None);
    }

    #[test]
    fn what_says_nothing_does_not_stand_in_the_way() {
        for nothing in [Value::Bool(true), Value::Double(0.5), Value::Text(""), Value::Text(" ")] {
            let pairs = [("peakdrill.key", nothing), ("messaging.kafka.message.key", Value::Int(7))];
            let read = key(&Attributes::read(pairs), SpanKind::Consumer);
            assert_eq!(read.and_then(|key| key.text()).as_deref(), Some("7"), "{nothing:?}");
        }
    }
}
