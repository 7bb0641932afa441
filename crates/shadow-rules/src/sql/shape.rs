//! Which parts of the grammar are known to be safe. Everything else is refused.

use sqlparser::ast::{
    BinaryOperator, ContextModifier, Delete, Expr, FromTable, Insert, ObjectName, ObjectNamePart, Query,
    Select, Set, SetExpr, Statement, TableFactor, TableObject, Update,
};

use super::functions;
use crate::names::Dialect;
use crate::refused::{Refused, code};

/// Settings that touch no data, and may be set by shadow work.
const SAFE_SETTINGS: [&str; 5] = [
    "application_name",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",
];

pub(super) fn unsafe_part(what: &'static str) -> Refused {
    Refused::new(code::UNSAFE_STATEMENT, "sql", what)
}

fn allow(safe: bool, what: &'static str) -> Result<(), Refused> {
    if safe { Ok(()) } else { Err(unsafe_part(what)) }
}

/// Whether a statement only steers the transaction or the session; and if so, whether it steers no more than the
/// transaction that it stands in.
pub(super) fn control(statement: &Statement) -> Option<bool> {
    match statement {
        Statement::StartTransaction { statements, exception, has_end_keyword, .. } => {
            (statements.is_empty() && exception.is_none() && !has_end_keyword).then_some(false)
        }
        Statement::Commit { .. } => Some(false),
        Statement::Rollback { savepoint, .. } => Some(savepoint.is_some()),
        Statement::Savepoint { .. } | Statement::ReleaseSavepoint { .. } => Some(true),
        Statement::Set(Set::SetTransaction { snapshot: None, session: false, .. }) => Some(true),
        Statement::Set(Set::SingleAssignment { scope, variable, values, hivevar: false }) => {
            let safe =
                is_safe_setting(variable) && values.iter().all(|value| matches!(value, Expr::Value(_)));
            safe.then_some(*scope == Some(ContextModifier::Local))
        }
        _ => None,
    }
}

fn is_safe_setting(variable: &ObjectName) -> bool {
    match &variable.0[..] {
        [ObjectNamePart::Identifier(name)] => {
            SAFE_SETTINGS.iter().any(|safe| name.value.eq_ignore_ascii_case(safe))
        }
        _ => false,
    }
}

/// The kinds of statement that shadow work may run, and their clauses. The tables are looked at elsewhere.
pub(super) fn statement(statement: &Statement) -> Result<(), Refused> {
    match statement {
        Statement::Query(_) => Ok(()),
        Statement::Insert(insert) => self::insert(insert),
        Statement::Update(update) => self::update(update),
        Statement::Delete(delete) => self::delete(delete),
        _ => Err(unsafe_part("shadow work may run SELECT, INSERT, UPDATE and DELETE only")),
    }
}

fn insert(insert: &Insert) -> Result<(), Refused> {
    let plain = insert.optimizer_hints.is_empty()
        && !insert.overwrite
        && insert.assignments.is_empty()
        && insert.partitioned.is_none()
        && insert.after_columns.is_empty()
        && !insert.has_table_keyword
        && insert.output.is_none()
        && insert.insert_alias.is_none()
        && insert.settings.is_none()
        && insert.format_clause.is_none()
        && insert.multi_table_insert_type.is_none()
        && insert.multi_table_into_clauses.is_empty()
        && insert.multi_table_when_clauses.is_empty()
        && insert.multi_table_else_clause.is_none();
    allow(plain, "a clause of this INSERT is not known to be safe")?;
    allow(matches!(insert.table, TableObject::TableName(_)), "an INSERT must name its table")
}

fn update(update: &Update) -> Result<(), Refused> {
    let plain = update.optimizer_hints.is_empty() && update.output.is_none() && update.table.joins.is_empty();
    allow(plain, "a clause of this UPDATE is not known to be safe")
}

fn delete(delete: &Delete) -> Result<(), Refused> {
    let one = matches!(&delete.from, FromTable::WithFromKeyword(tables)
        if matches!(&tables[..], [table] if table.joins.is_empty()));
    let plain = delete.optimizer_hints.is_empty() && delete.tables.is_empty() && delete.output.is_none();
    allow(one && plain, "a clause of this DELETE is not known to be safe")
}

pub(super) fn query(query: &Query) -> Result<(), Refused> {
    let plain = query.for_clause.is_none()
        && query.settings.is_none()
        && query.format_clause.is_none()
        && query.pipe_operators.is_empty();
    allow(plain, "a clause of this query is not known to be safe")?;
    set_expr(&query.body)
}

fn set_expr(body: &SetExpr) -> Result<(), Refused> {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            set_expr(left)?;
            set_expr(right)
        }
        // Queries, selects and statements within are met on their own.
        SetExpr::Select(_)
        | SetExpr::Query(_)
        | SetExpr::Values(_)
        | SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_) => Ok(()),
        SetExpr::Merge(_) => Err(unsafe_part("MERGE is not known to be safe")),
        SetExpr::Table(_) => Err(unsafe_part("TABLE is not known to be safe: write SELECT * FROM")),
    }
}

pub(super) fn select(select: &Select) -> Result<(), Refused> {
    allow(select.into.is_none(), "SELECT … INTO makes a table")?;
    let plain = select.optimizer_hints.is_empty()
        && select.select_modifiers.is_none()
        && select.top.is_none()
        && select.exclude.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none();
    allow(plain, "a clause of this SELECT is not known to be safe")
}

/// Whether a table factor is known to be safe; `true` when it is a function, whose name is no table.
pub(super) fn table_factor(dialect: Dialect, factor: &TableFactor) -> Result<bool, Refused> {
    match factor {
        TableFactor::Table {
            name,
            args,
            with_hints,
            version,
            partitions,
            json_path,
            sample,
            index_hints,
            ..
        } => {
            let plain = with_hints.is_empty()
                && version.is_none()
                && partitions.is_empty()
                && json_path.is_none()
                && sample.is_none()
                && index_hints.is_empty();
            allow(plain, "a hint or modifier of a table is not known to be safe")?;
            match args {
                None => Ok(false),
                Some(args) => {
                    allow(args.settings.is_none(), "the settings of a function are not known to be safe")?;
                    functions::check_table(dialect, name)?;
                    Ok(true)
                }
            }
        }
        TableFactor::Derived { sample: None, .. }
        | TableFactor::NestedJoin { .. }
        | TableFactor::UNNEST { .. } => Ok(false),
        TableFactor::Function { name, .. } => {
            functions::check_table(dialect, name)?;
            Ok(false)
        }
        _ => Err(unsafe_part("this kind of table expression is not known to be safe")),
    }
}

pub(super) fn expr(dialect: Dialect, expr: &Expr) -> Result<(), Refused> {
    match expr {
        Expr::Function(function) => {
            allow(!function.uses_odbc_syntax, "the ODBC form of a function is not known to be safe")?;
            functions::check(dialect, &function.name)
        }
        Expr::BinaryOp {
            op: BinaryOperator::PGCustomBinaryOperator(_) | BinaryOperator::Custom(_), ..
        } => Err(unsafe_part("an operator that is not built in may do anything")),
        Expr::CompoundIdentifier(parts) if parts.len() > 2 => Err(Refused::new(
            code::AMBIGUOUS_NAME,
            "sql",
            "a column is written as column or table.column: with the schema it would name the live table",
        )),
        _ => Ok(()),
    }
}
