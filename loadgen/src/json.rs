//! What stands at JSON paths: all paths of a step in one pass over the body.
//!
//! Simple paths (`$.a.b[0].c`) become a trie that a streaming parser is led along: what no path asks for is passed over,
//! and nothing is built. Of paths with filters, wildcards, slices, `..` or negative indices, the library tells the first
//! node, over a tree of the whole body; where it stands is a simple path. What is found is the text that was sent: a
//! tree would make 10.0 of 10.00, and a float of an id with more than 64 bits.

mod path;

use std::ops::Range;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use serde_json_path::{JsonPath, NormalizedPath, PathElement};

use crate::error::StartError;
use path::{Key, simple};

/// Deepest nesting in which is looked for something: that of the library.
const DEPTH_MAX: usize = 128;

/// The JSON paths of a step.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// As they are written, by their number.
    texts: Vec<String>,
    /// The simple ones.
    trie: Trie,
    complex: Vec<(usize, JsonPath)>,
}

/// Simple paths; its first node is the root.
#[derive(Debug, Clone, Default)]
struct Trie(Vec<TrieNode>);

#[derive(Debug, Clone, Default)]
struct TrieNode {
    /// The paths that end here.
    paths: Vec<usize>,
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
    /// A number: as it was sent.
    Number(Range<usize>),
    /// A string: its characters.
    Text(Range<usize>),
    /// An array or an object: its JSON, as it was sent.
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
            Some(keys) => self.trie.insert(keys, number),
            None => self.complex.push((number, path)),
        }
        Ok(number)
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
        let body = std::str::from_utf8(body).map_err(|_| NotJson)?;
        if self.complex.is_empty() {
            return self.trie.find(body, found);
        }
        let tree: Value = serde_json::from_str(body).map_err(|_| NotJson)?;
        let mut trie = self.trie.clone();
        for (number, path) in &self.complex {
            if let Some(node) = path.query_located(&tree).first() {
                trie.insert(keys(node.location()), *number);
            }
        }
        trie.find(body, found)
    }
}

/// Where the library has found a node.
fn keys(path: &NormalizedPath<'_>) -> Vec<Key> {
    let key = |element: &PathElement<'_>| match *element {
        PathElement::Name(name) => Key::Name(name.to_owned()),
        PathElement::Index(index) => Key::Index(index),
    };
    path.iter().map(key).collect()
}

impl Trie {
    fn insert(&mut self, keys: Vec<Key>, number: usize) {
        if self.0.is_empty() {
            self.0.push(TrieNode::default());
        }
        let mut at = 0;
        for key in keys {
            let next = self.0.len();
            let Some(node) = self.0.get_mut(at) else { return };
            at = match node.children.iter().find(|(known, _)| *known == key) {
                Some((_, child)) => *child,
                None => {
                    node.children.push((key, next));
                    self.0.push(TrieNode::default());
                    next
                }
            };
        }
        if let Some(node) = self.0.get_mut(at) {
            node.paths.push(number);
        }
    }

    fn find(&self, body: &str, found: &mut Found) -> Result<(), NotJson> {
        let mut json = serde_json::Deserializer::from_str(body);
        let walk = Walk { trie: self, at: self.0.first(), depth: 0, found };
        walk.deserialize(&mut json).and_then(|()| json.end()).map_err(|_| NotJson)
    }
}

impl Found {
    /// The first node at a path.
    pub(crate) fn get(&self, number: usize) -> Option<&Seen> {
        self.values.get(number)?.as_ref()
    }

    /// The characters of a string, or the JSON of a number, array or object.
    pub(crate) fn chars(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or("")
    }

    /// Calls `see` with a node as text: strings as they are, all else as JSON. Null is no value.
    pub(crate) fn as_text<T>(&self, seen: &Seen, see: impl FnOnce(&str) -> T) -> Option<T> {
        Some(match seen {
            Seen::Null => return None,
            Seen::Bool(value) => see(if *value { "true" } else { "false" }),
            Seen::Number(range) | Seen::Text(range) | Seen::Other(range) => see(self.chars(range)),
        })
    }

    /// Puts what stands at a place: `raw`, its JSON without white space around it.
    fn put(&mut self, at: &TrieNode, raw: &str) -> Result<(), serde_json::Error> {
        let start = self.text.len();
        let seen = match raw.as_bytes().first() {
            Some(b'n') => Seen::Null,
            Some(first @ (b't' | b'f')) => Seen::Bool(*first == b't'),
            Some(b'"') => {
                self.push_string(raw)?;
                Seen::Text(start..self.text.len())
            }
            Some(first) => {
                self.text.push_str(raw);
                let range = start..self.text.len();
                if matches!(first, b'{' | b'[') { Seen::Other(range) } else { Seen::Number(range) }
            }
            // Not reached: there is no empty JSON.
            None => return Ok(()),
        };
        for number in &at.paths {
            if let Some(slot) = self.values.get_mut(*number) {
                *slot = Some(seen.clone());
            }
        }
        Ok(())
    }

    /// The characters of a string, from its JSON.
    fn push_string(&mut self, raw: &str) -> Result<(), serde_json::Error> {
        let inside = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
        match inside.filter(|inside| memchr::memchr(b'\\', inside.as_bytes()).is_none()) {
            Some(plain) => self.text.push_str(plain),
            None => self.text.push_str(&serde_json::from_str::<String>(raw)?),
        }
        Ok(())
    }

    /// Forgets what stands below a place: its key has come again, and the last one counts.
    fn forget(&mut self, trie: &Trie, at: &TrieNode) {
        for number in &at.paths {
            if let Some(slot) = self.values.get_mut(*number) {
                *slot = None;
            }
        }
        for (_, child) in &at.children {
            if let Some(child) = trie.0.get(*child) {
                self.forget(trie, child);
            }
        }
    }
}

/// The parser at a place of the trie; `None`: nothing here is asked for.
struct Walk<'a> {
    trie: &'a Trie,
    at: Option<&'a TrieNode>,
    /// Places above this one.
    depth: usize,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let Some(at) = self.at else { return json.deserialize_ignored_any(IgnoredAny).map(|_| ()) };
        if at.paths.is_empty() {
            return json.deserialize_any(self);
        }
        let raw = <&RawValue>::deserialize(json)?.get();
        self.found.put(at, raw).map_err(D::Error::custom)?;
        // What stands below it takes a pass of its own, in which the parser counts its depth anew.
        match at.children.is_empty() {
            true => Ok(()),
            false if self.depth >= DEPTH_MAX => Err(D::Error::custom("nested too deep")),
            false => serde_json::Deserializer::from_str(raw).deserialize_any(self).map_err(D::Error::custom),
        }
    }
}

impl Walk<'_> {
    fn child(&self, wanted: impl Fn(&Key) -> bool) -> Option<usize> {
        let children = self.at.map_or(&[][..], |at| at.children.as_slice());
        children.iter().find(|(key, _)| wanted(key)).map(|(_, child)| *child)
    }

    fn below(&mut self, child: Option<usize>) -> Walk<'_> {
        let at = child.and_then(|child| self.trie.0.get(child));
        Walk { trie: self.trie, at, depth: self.depth + 1, found: self.found }
    }
}

/// What stands above places that are asked for. Where there is no such place, nothing is found.
impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
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
