//! Every table that a statement touches, what its rule says, and whether all of it may be done.

use std::sync::Arc;

use peakdrill_drill_model::ledger::Outcome;
use sqlparser::ast::{
    Delete, Expr, FromTable, Insert, ObjectName, Query, Select, Statement, TableFactor, TableObject,
    TableWithJoins, Update,
};

use super::walk::{self, Flow, Look, flow};
use super::{Touched, shape};
use crate::mode::Policy;
use crate::names::{Dialect, TableName};
use crate::refused::{Refused, code};
use crate::rules::SqlRules;

/// What a relation of the statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// A table that is replaced by its shadow.
    Shadow { live: TableName, shadow: TableName },
    /// A table that is read as it is.
    ReadLive(TableName),
    /// A common table expression, or a function: no table.
    NoTable,
}

/// What was found in a statement.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The relations, in the order in which the visitor meets them.
    pub(super) relations: Vec<Relation>,
    /// The tables that are written.
    pub(super) targets: Vec<TableName>,
    locks: bool,
}

impl Found {
    pub(super) fn touched(&self, dialect: Dialect) -> Vec<Touched> {
        let mut all: Vec<Touched> = Vec::new();
        let mut add = |name: &TableName, outcome| {
            let resource = name.key(dialect);
            if !all.iter().any(|known| *known.resource == *resource && known.outcome == outcome) {
                all.push(Touched { resource: Arc::from(resource), outcome });
            }
        };
        for target in &self.targets {
            add(target, Outcome::ShadowWrite);
        }
        // A target's relation is one of the list too, and is not read for that alone.
        let mut unread = self.targets.clone();
        for relation in &self.relations {
            match relation {
                Relation::Shadow { live, .. } => match unread.iter().position(|target| target == live) {
                    Some(index) => drop(unread.swap_remove(index)),
                    None => add(live, Outcome::ShadowRead),
                },
                Relation::ReadLive(name) => add(name, Outcome::ReadLive),
                Relation::NoTable => {}
            }
        }
        all
    }

    /// What can be told only once all is seen.
    fn check(&self, rules: &SqlRules, ctes: &[String]) -> Result<(), Refused> {
        for target in &self.targets {
            if target.schema.is_none() && ctes.contains(&target.table) {
                return Err(hidden(&target.table));
            }
            match rules.policy(target) {
                Policy::Shadow => {}
                Policy::ReadLive => {
                    return Err(live_write(
                        target,
                        rules.dialect,
                        "it is declared read_live, so shadow work may not write it",
                    ));
                }
                Policy::Overlay | Policy::Mock | Policy::Deny => return Err(rules.undeclared_table(target)),
            }
        }
        let live = self.relations.iter().find_map(|relation| match relation {
            Relation::ReadLive(name) => Some(name),
            _ => None,
        });
        match live {
            Some(name) if self.locks => Err(live_write(
                name,
                rules.dialect,
                "it is declared read_live, so shadow work may not lock its rows",
            )),
            _ => Ok(()),
        }
    }
}

fn live_write(name: &TableName, dialect: Dialect, text: &'static str) -> Refused {
    let key = name.key(dialect);
    Refused::new(code::READ_LIVE_WRITE, key.clone(), text)
        .with_rule(format!("isolation.stores[{}].tables: {{ {key}: shadow }}", dialect.text()))
}

fn hidden(name: &str) -> Refused {
    let text = "a common table expression has the name of a table: give it another name";
    Refused::new(code::AMBIGUOUS_NAME, name.to_owned(), text)
}

/// Looks through the statement.
pub(super) fn inspect(rules: &SqlRules, statement: &Statement) -> Result<Found, Refused> {
    let mut inspector =
        Inspector { rules, found: Found::default(), scopes: Vec::new(), ctes: Vec::new(), function: false };
    walk::look(statement, &mut inspector)?;
    let Inspector { found, ctes, .. } = inspector;
    found.check(rules, &ctes)?;
    Ok(found)
}

/// The common table expressions of one query. Bodies are told apart by their place in the tree, which is only
/// compared.
struct Scope {
    names: Vec<String>,
    bodies: Vec<*const Query>,
    recursive: bool,
    inside: Option<usize>,
}

struct Inspector<'r> {
    rules: &'r SqlRules,
    found: Found,
    scopes: Vec<Scope>,
    ctes: Vec<String>,
    /// The next relation is the name of a function.
    function: bool,
}

impl Inspector<'_> {
    fn enter(&mut self, query: &Query) -> Result<(), Refused> {
        shape::query(query)?;
        if let Some(scope) = self.scopes.last_mut() {
            scope.inside = scope.bodies.iter().position(|body| std::ptr::eq(*body, query)).or(scope.inside);
        }
        self.found.locks |= !query.locks.is_empty();
        let mut scope = Scope { names: Vec::new(), bodies: Vec::new(), recursive: false, inside: None };
        if let Some(with) = &query.with {
            scope.recursive = with.recursive;
            for cte in &with.cte_tables {
                let name = self.rules.dialect.fold(&cte.alias.name);
                // The guard knows expressions by their names alone, so a declared table's name is not for them.
                if self.rules.is_declared(&name) || cte.from.is_some() {
                    return Err(hidden(&name));
                }
                self.ctes.push(name.clone());
                scope.names.push(name);
                scope.bodies.push(std::ptr::from_ref(&*cte.query));
            }
        }
        self.scopes.push(scope);
        Ok(())
    }

    fn leave(&mut self, query: &Query) {
        self.scopes.pop();
        if let Some(scope) = self.scopes.last_mut()
            && scope.bodies.iter().any(|body| std::ptr::eq(*body, query))
        {
            scope.inside = None;
        }
    }

    /// Whether the name is that of an expression in scope.
    fn is_cte(&self, name: &TableName) -> Result<bool, Refused> {
        if name.schema.is_some() {
            return Ok(false);
        }
        for scope in self.scopes.iter().rev() {
            let Some(index) = scope.names.iter().position(|known| *known == name.table) else { continue };
            // In its own body, and in those before it, the name means a table to some servers.
            return match scope.inside {
                Some(inside) if index >= inside && !scope.recursive => Err(hidden(&name.table)),
                _ => Ok(true),
            };
        }
        Ok(false)
    }

    fn judge(&mut self, name: &ObjectName) -> Result<(), Refused> {
        if std::mem::take(&mut self.function) {
            self.found.relations.push(Relation::NoTable);
            return Ok(());
        }
        let name = TableName::read(self.rules.dialect, name)?;
        let relation = if self.is_cte(&name)? {
            Relation::NoTable
        } else {
            match self.rules.policy(&name) {
                Policy::Shadow => {
                    let shadow = self.rules.shadow_of(&name)?;
                    Relation::Shadow { live: name, shadow }
                }
                Policy::ReadLive => Relation::ReadLive(name),
                Policy::Overlay | Policy::Mock | Policy::Deny => {
                    return Err(self.rules.undeclared_table(&name));
                }
            }
        };
        self.found.relations.push(relation);
        Ok(())
    }

    fn targets(&mut self, statement: &Statement) -> Result<(), Refused> {
        if let Some(name) = target(statement)? {
            let name = TableName::read(self.rules.dialect, name)?;
            self.found.targets.push(name);
        }
        Ok(())
    }
}

/// The table that a statement writes.
pub(super) fn target(statement: &Statement) -> Result<Option<&ObjectName>, Refused> {
    let unnamed = || shape::unsafe_part("the table that is written must be named");
    let only = |table: &TableWithJoins| match &table.relation {
        TableFactor::Table { .. } if !table.joins.is_empty() => Err(unnamed()),
        TableFactor::Table { .. } => Ok(()),
        _ => Err(unnamed()),
    };
    let table = match statement {
        Statement::Insert(Insert { table: TableObject::TableName(name), .. }) => return Ok(Some(name)),
        Statement::Update(Update { table, .. }) => table,
        Statement::Delete(Delete { from: FromTable::WithFromKeyword(tables), .. }) => {
            tables.first().ok_or_else(unnamed)?
        }
        Statement::Query(_) => return Ok(None),
        _ => return Err(unnamed()),
    };
    only(table)?;
    match &table.relation {
        TableFactor::Table { name, args: None, .. } => Ok(Some(name)),
        _ => Err(unnamed()),
    }
}

impl Look for Inspector<'_> {
    fn statement(&mut self, statement: &Statement) -> Flow {
        flow(shape::statement(statement).and_then(|()| self.targets(statement)))
    }

    fn query(&mut self, query: &Query) -> Flow {
        flow(self.enter(query))
    }

    fn end_of_query(&mut self, query: &Query) {
        self.leave(query);
    }

    fn select(&mut self, select: &Select) -> Flow {
        flow(shape::select(select))
    }

    fn table_factor(&mut self, factor: &TableFactor) -> Flow {
        flow(shape::table_factor(self.rules.dialect, factor).map(|function| self.function = function))
    }

    fn relation(&mut self, name: &ObjectName) -> Flow {
        flow(self.judge(name))
    }

    fn expr(&mut self, expr: &Expr) -> Flow {
        flow(shape::expr(self.rules.dialect, expr))
    }
}
