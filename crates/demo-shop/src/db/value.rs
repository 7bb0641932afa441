//! Statements, and the values that go in and come out.

use sqlx::{ColumnIndex, Decode, Type};

/// A value of a statement or a row. The shop's tables hold texts and integers only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// A statement with `$1`-style places, which SQLite and PostgreSQL both read, and the values for them.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value>,
}

impl Statement {
    pub(crate) fn new<const N: usize>(sql: &'static str, values: [Value; N]) -> Self {
        Self { sql, values: values.into() }
    }
}

/// A row that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row(Vec<Value>);

impl Row {
    /// Takes every column as text or as integer.
    pub(crate) fn decode<'r, R>(row: &'r R) -> Result<Self, sqlx::Error>
    where
        R: sqlx::Row,
        usize: ColumnIndex<R>,
        String: Decode<'r, R::Database> + Type<R::Database>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
    {
        let value = |column: usize| match row.try_get::<i64, _>(column) {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => row.try_get::<String, _>(column).map(Value::Text),
        };
        (0..row.len()).map(value).collect::<Result<_, _>>().map(Self)
    }

    /// The text in a column; empty when there is none.
    pub(crate) fn text(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The integer in a column; 0 when there is none.
    pub(crate) fn int(&self, column: usize) -> i64 {
        match self.0.get(column) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }
}
