//! The spanned tree that a scenario is lowered from.

/// A place in the text: a half-open range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub(crate) struct Span {
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
}

/// A YAML node with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where its text stands; for an alias, where the anchored text stands. Of collections only the start is known.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Entries in the order of the file, duplicates included.
    Map(Vec<(Node, Node)>),
    /// Items.
    Seq(Vec<Node>),
    /// Text, with the type that YAML 1.2 gives it.
    Scalar(Scalar),
}

/// A scalar.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    /// Its text, as written; of quoted scalars without quotes and escapes.
    pub(crate) text: String,
    /// Its type.
    pub(crate) kind: Kind,
}

/// The type of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text,
}

impl Node {
    /// Moves all places below by the offset of the file.
    pub(crate) fn shift(&mut self, base: usize) {
        self.span.start += base;
        self.span.end += base;
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.shift(base);
                value.shift(base);
            }),
            Value::Seq(items) => items.iter_mut().for_each(|item| item.shift(base)),
            Value::Scalar(_) => {}
        }
    }

    /// The scalar, if it is one.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Whether nothing was written.
    pub(crate) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.kind == Kind::Null)
    }

    /// The word for what it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match &self.value {
            Value::Map(_) => "a mapping",
            Value::Seq(_) => "a list",
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => "nothing",
                Kind::Bool(_) => "a boolean",
                Kind::Int(_) | Kind::Float(_) => "a number",
                Kind::Text => "text",
            },
        }
    }
}
