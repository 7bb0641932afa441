//! Names of tables as the servers read them.

use std::fmt;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};
use sqlparser::tokenizer::Span;

use crate::refused::{Refused, code};

/// Longest name that PostgreSQL keeps, in bytes; it cuts longer ones off without an error, and a name with a suffix
/// would be the live one again.
pub(crate) const POSTGRES_NAME_MAX_BYTES: usize = 63;

/// The SQL dialect of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// The word for it in rules.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    pub(crate) fn parser(self) -> &'static dyn sqlparser::dialect::Dialect {
        match self {
            Self::Sqlite => &sqlparser::dialect::SQLiteDialect {},
            Self::Postgres => &sqlparser::dialect::PostgreSqlDialect {},
        }
    }

    /// The schema of a table that is named without one.
    #[must_use]
    pub fn default_schema(self) -> &'static str {
        match self {
            Self::Sqlite => "main",
            Self::Postgres => "public",
        }
    }

    /// The one spelling of an identifier that the server compares.
    pub(crate) fn fold(self, ident: &Ident) -> String {
        match (self, ident.quote_style) {
            (Self::Postgres, Some(_)) => ident.value.clone(),
            _ => ident.value.to_ascii_lowercase(),
        }
    }

    /// The one spelling of a name in rules: there, PostgreSQL names stand as the catalog has them.
    pub(crate) fn fold_rule(self, name: &str) -> String {
        match self {
            Self::Sqlite => name.to_ascii_lowercase(),
            Self::Postgres => name.to_owned(),
        }
    }

    pub(crate) fn name_fits(self, name: &str) -> bool {
        self == Self::Sqlite || name.len() <= POSTGRES_NAME_MAX_BYTES
    }

    /// Tables of the server itself, which `*` never means.
    pub(crate) fn is_system(self, table: &str) -> bool {
        match self {
            Self::Sqlite => ["sqlite_", "pragma_", "dbstat"].iter().any(|start| table.starts_with(start)),
            Self::Postgres => table.starts_with("pg_"),
        }
    }
}

/// A table's name, folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TableName {
    /// The schema as written, folded.
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
}

impl TableName {
    pub(crate) fn read(dialect: Dialect, name: &ObjectName) -> Result<Self, Refused> {
        let mut parts = Vec::with_capacity(2);
        for part in &name.0 {
            let ObjectNamePart::Identifier(ident) = part else {
                return Err(ambiguous(name, "the name is computed by a function"));
            };
            let folded = dialect.fold(ident);
            // `FROM ONLY orders` reads to the parser like a table `only` with an alias.
            if dialect == Dialect::Postgres && ident.quote_style.is_none() && folded == "only" {
                return Err(ambiguous(name, "ONLY cannot be told from a table's name"));
            }
            if !dialect.name_fits(&folded) || folded.is_empty() || folded.contains('\0') {
                return Err(ambiguous(name, "the server would cut the name off"));
            }
            parts.push(folded);
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(table), None, None) => Ok(Self { schema: None, table }),
            (Some(schema), Some(table), None) => Ok(Self { schema: Some(schema), table }),
            _ => Err(ambiguous(name, "a table's name has one or two parts")),
        }
    }

    /// The key in rules: without the schema when it is the default one.
    pub(crate) fn key(&self, dialect: Dialect) -> String {
        match &self.schema {
            Some(schema) if schema != dialect.default_schema() => format!("{schema}.{}", self.table),
            _ => self.table.clone(),
        }
    }

    pub(crate) fn in_default_schema(&self, dialect: Dialect) -> bool {
        self.schema.as_deref().is_none_or(|schema| schema == dialect.default_schema())
    }

    /// The name as it is written into a statement, always quoted.
    pub(crate) fn to_object_name(&self) -> ObjectName {
        let part = |value: &String| ObjectNamePart::Identifier(quoted(value));
        ObjectName(self.schema.iter().chain([&self.table]).map(part).collect())
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.table),
            None => f.write_str(&self.table),
        }
    }
}

pub(crate) fn quoted(value: &str) -> Ident {
    Ident { value: value.to_owned(), quote_style: Some('"'), span: Span::empty() }
}

fn ambiguous(name: &ObjectName, why: &'static str) -> Refused {
    Refused::new(code::AMBIGUOUS_NAME, name.to_string(), why)
}
