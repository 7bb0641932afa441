//! What stands at JSON paths: all paths of a step in one pass over the body.
//!
//! Simple paths (`$.a.b[0].c`) become a trie that a streaming parser is led along: what no path asks for is passed over,
//! and nothing is built. Paths with filters, wildcards, slices, `..` or negative indices are left to the library, over a
//! tree of the whole body.

mod path;

use std::fmt::Write as _;
use std::ops::Range;

use serde::Deserialize as _;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_json_path::JsonPath;

use crate::error::StartError;
use path::{Key, simple};

/// The JSON paths of a step.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// As they are written, by their number.
    texts: Vec<String>,
    /// The simple ones; its first node is the root.
    trie: Vec<TrieNode>,
    complex: Vec<(usize, JsonPath)>,
}

#[derive(Debug, Default)]
struct TrieNode {
    /// The path that ends here.
    path: Option<usize>,
    children: Vec<(Key, usize)>,
}

/// What was found, by the number of the path. Its memory is used again for the next body.
#[derive(Debug, Default)]
pub(crate) struct Found {
    text: String,
    values: Vec<Option<Seen>>,
}

/// The first node at a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Null,
    Bool(bool),
    Number(Number),
    /// A string: its characters.
    Text(Range<usize>),
    /// An array or an object: its JSON.
    Other(Range<usize>),
}

/// A body is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson;

impl Paths {
    /// Adds a path, and gives its number: the same for the same text.
    pub(crate) fn add(&mut self, text: &str) -> Result<usize, StartError> {
        if let Some(known) = self.texts.iter().position(|other| other == text) {
            return Ok(known);
        }
        let path = JsonPath::parse(text)
            .map_err(|error| StartError::Plan(format!("JSON path `{text}`: {error}")))?;
        let number = self.texts.len();
        self.texts.push(text.to_owned());
        match simple(text) {
            Some(keys) => self.insert(keys, number),
            None => self.complex.push((number, path)),
        }
        Ok(number)
    }

    fn insert(&mut self, keys: Vec<Key>, number: usize) {
        if self.trie.is_empty() {
            self.trie.push(TrieNode::default());
        }
        let mut at = 0;
        for key in keys {
            let next = self.trie.len();
            let Some(node) = self.trie.get_mut(at) else { return };
            at = match node.children.iter().find(|(known, _)| *known == key) {
                Some((_, child)) => *child,
                None => {
                    node.children.push((key, next));
                    self.trie.push(TrieNode::default());
                    next
                }
            };
        }
        // Two spellings of one path: the other one is looked up in the tree of the library.
        match self.trie.get_mut(at) {
            Some(node) if node.path.is_none() => node.path = Some(number),
            _ => {
                if let Some(path) = self.texts.get(number).and_then(|text| JsonPath::parse(text).ok()) {
                    self.complex.push((number, path));
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// A path as it is written.
    pub(crate) fn text(&self, number: usize) -> &str {
        self.texts.get(number).map_or("?", String::as_str)
    }

    /// Looks up all paths in a body.
    pub(crate) fn find(&self, body: &[u8], found: &mut Found) -> Result<(), NotJson> {
        found.text.clear();
        found.values.clear();
        found.values.resize(self.texts.len(), None);
        if self.complex.is_empty() {
            let mut json = serde_json::Deserializer::from_slice(body);
            let walk = Walk { trie: &self.trie, at: self.trie.first(), found };
            return walk.deserialize(&mut json).and_then(|()| json.end()).map_err(|_| NotJson);
        }
        let tree: Value = serde_json::from_slice(body).map_err(|_| NotJson)?;
        if let Some(root) = self.trie.first() {
            found.walk_tree(&self.trie, root, &tree);
        }
        for (number, path) in &self.complex {
            if let Some(node) = path.query(&tree).first() {
                found.put_tree(*number, node);
            }
        }
        Ok(())
    }
}

impl Found {
    /// The first node at a path.
    pub(crate) fn get(&self, number: usize) -> Option<&Seen> {
        self.values.get(number)?.as_ref()
    }

    /// The characters of a string, or the JSON of an array or object.
    pub(crate) fn chars(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or("")
    }

    /// Calls `see` with a node as text: strings as they are, all else as JSON. Null is no value.
    pub(crate) fn as_text<T>(&self, seen: &Seen, see: impl FnOnce(&str) -> T) -> Option<T> {
        Some(match seen {
            Seen::Null => return None,
            Seen::Bool(value) => see(if *value { "true" } else { "false" }),
            Seen::Number(number) => {
                let mut digits = Digits { bytes: [0; 40], len: 0 };
                match write!(digits, "{number}") {
                    Ok(()) => see(digits.text()),
                    Err(_) => see(&number.to_string()),
                }
            }
            Seen::Text(range) | Seen::Other(range) => see(self.chars(range)),
        })
    }

    fn put(&mut self, number: usize, seen: Seen) {
        if let Some(slot) = self.values.get_mut(number) {
            *slot = Some(seen);
        }
    }

    fn put_text(&mut self, number: usize, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.put(number, Seen::Text(start..self.text.len()));
    }

    fn put_tree(&mut self, number: usize, node: &Value) {
        match node {
            Value::Null => self.put(number, Seen::Null),
            Value::Bool(value) => self.put(number, Seen::Bool(*value)),
            Value::Number(value) => self.put(number, Seen::Number(value.clone())),
            Value::String(text) => self.put_text(number, text),
            other => {
                let start = self.text.len();
                // Writing to a String cannot fail.
                let _ = write!(self.text, "{other}");
                self.put(number, Seen::Other(start..self.text.len()));
            }
        }
    }

    fn walk_tree(&mut self, trie: &[TrieNode], at: &TrieNode, node: &Value) {
        if let Some(number) = at.path {
            self.put_tree(number, node);
        }
        for (key, child) in &at.children {
            let below = match key {
                Key::Name(name) => node.as_object().and_then(|map| map.get(name.as_str())),
                Key::Index(index) => node.as_array().and_then(|items| items.get(*index)),
            };
            if let (Some(below), Some(child)) = (below, trie.get(*child)) {
                self.walk_tree(trie, child, below);
            }
        }
    }

    /// Forgets what stands below a place: its key has come again, and the last one counts.
    fn forget(&mut self, trie: &[TrieNode], at: &TrieNode) {
        if let Some(slot) = at.path.and_then(|number| self.values.get_mut(number)) {
            *slot = None;
        }
        for (_, child) in &at.children {
            if let Some(child) = trie.get(*child) {
                self.forget(trie, child);
            }
        }
    }
}

/// Room for a number's digits: the longest that JSON numbers are written with here has fewer.
struct Digits {
    bytes: [u8; 40],
    len: usize,
}

impl Digits {
    fn text(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The parser at a place of the trie; `None`: nothing here is asked for.
struct Walk<'a> {
    trie: &'a [TrieNode],
    at: Option<&'a TrieNode>,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.at {
            None => json.deserialize_ignored_any(IgnoredAny).map(|_| ()),
            Some(at) if at.path.is_some() && !at.children.is_empty() => {
                let tree = Value::deserialize(json)?;
                self.found.walk_tree(self.trie, at, &tree);
                Ok(())
            }
            Some(_) => json.deserialize_any(self),
        }
    }
}

impl Walk<'_> {
    fn here(&mut self, seen: Seen) {
        if let Some(number) = self.at.and_then(|at| at.path) {
            self.found.put(number, seen);
        }
    }

    fn child(&self, wanted: impl Fn(&Key) -> bool) -> Option<usize> {
        let children = self.at.map_or(&[][..], |at| at.children.as_slice());
        children.iter().find(|(key, _)| wanted(key)).map(|(_, child)| *child)
    }

    fn below(&mut self, child: Option<usize>) -> Walk<'_> {
        Walk { trie: self.trie, at: child.and_then(|child| self.trie.get(child)), found: self.found }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(mut self) -> Result<(), E> {
        self.here(Seen::Null);
        Ok(())
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<(), E> {
        self.here(Seen::Bool(value));
        Ok(())
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<(), E> {
        self.here(Seen::Number(value.into()));
        Ok(())
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<(), E> {
        self.here(Seen::Number(value.into()));
        Ok(())
    }

    fn visit_f64<E: serde::de::Error>(mut self, value: f64) -> Result<(), E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not finite"))?;
        self.here(Seen::Number(number));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if let Some(number) = self.at.and_then(|at| at.path) {
            self.found.put_text(number, text);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        if let Some(number) = self.at.and_then(|at| at.path) {
            let tree = Value::deserialize(MapAccessDeserializer::new(map))?;
            self.found.put_tree(number, &tree);
            return Ok(());
        }
        while let Some(child) = map.next_key_seed(Name(&self))? {
            let below = self.below(child);
            if let Some(at) = below.at {
                below.found.forget(below.trie, at);
            }
            map.next_value_seed(below)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        if let Some(number) = self.at.and_then(|at| at.path) {
            let tree = Value::deserialize(SeqAccessDeserializer::new(items))?;
            self.found.put_tree(number, &tree);
            return Ok(());
        }
        let mut index = 0_usize;
        loop {
            let child = self.child(|key| *key == Key::Index(index));
            if items.next_element_seed(self.below(child))?.is_none() {
                return Ok(());
            }
            index = index.checked_add(1).ok_or_else(|| A::Error::custom("too long"))?;
        }
    }
}

/// A key of an object, looked up without being kept.
struct Name<'a, 'w>(&'a Walk<'w>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Option<usize>, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.child(|key| matches!(key, Key::Name(known) if known == name)))
    }
}

#[cfg(test)]
mod tests;
