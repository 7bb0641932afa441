//! The key that the work of a span is about, as far as its attributes name one.

use super::key::Key;
use super::{Attributes, Value};
use crate::{SpanKey, SpanKind};

/// What a service says itself goes before what a message, a query or a path says.
const SAID: [Key; 4] =
    [Key::WorkKey, Key::MessagingKafkaKey, Key::MessagingKafkaKeyOld, Key::DbQueryParameter];

pub(super) fn key(attributes: &Attributes<'_>, kind: SpanKind) -> Option<SpanKey> {
    match attributes.get(&SAID) {
        Some(Value::Text(text)) => SpanKey::of(text),
        Some(Value::Int(number)) => SpanKey::of(&number.to_string()),
        Some(Value::Bool(_) | Value::Double(_)) => None,
        None if kind == SpanKind::Server => of_path(attributes).and_then(SpanKey::of),
        None => None,
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
            key(&Attributes::read(pairs.iter().copied()), kind).and_then(|key| key.text())
        };
        let mut found = Vec::new();
        while !pairs.is_empty() {
            found.push(read(&pairs, SpanKind::Server).unwrap_or_default());
            pairs.pop();
        }
        assert_eq!(found, ["12", "11", "10", "8", "8", "7", ""]);
        let path = [("http.target", text("/items/7?x=/1")), ("http.route", text("/items/{id}"))];
        assert_eq!(read(&path, SpanKind::Server).as_deref(), Some("7"));
        assert_eq!(read(&path, SpanKind::Client), None);
    }
}
