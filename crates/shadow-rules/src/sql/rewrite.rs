//! Every table replaced by what was decided for it. Aliases stay; where there is none, the table's old name becomes
//! its alias, so that the columns still find it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Statement, TableAlias, TableFactor, TableObject,
};

use super::inspect::{Found, Relation};
use super::walk::{self, Change, Flow, flow};
use crate::names::TableName;
use crate::refused::{Refused, code};
use crate::rules::SqlRules;

/// Rewrites in place, from what [`super::inspect`] found in the very same statement.
pub(super) fn rewrite(rules: &SqlRules, statement: &mut Statement, found: &Found) -> Result<(), Refused> {
    let mut rewriter = Rewriter { rules, relations: found.relations.iter(), last: None };
    walk::change(statement, &mut rewriter)?;
    if rewriter.relations.next().is_some() { Err(strayed()) } else { Ok(()) }
}

fn strayed() -> Refused {
    Refused::new(code::GUARD, "sql", "the statement was not met again as it was inspected")
}

struct Rewriter<'r> {
    rules: &'r SqlRules,
    relations: std::slice::Iter<'r, Relation>,
    /// The old last part of the relation that was met last, when it was replaced.
    last: Option<Ident>,
}

impl Rewriter<'_> {
    fn is(&self, name: &ObjectName, expected: &TableName) -> bool {
        TableName::read(self.rules.dialect, name).is_ok_and(|name| name == *expected)
    }
}

impl Change for Rewriter<'_> {
    fn relation(&mut self, name: &mut ObjectName) -> Flow {
        self.last = None;
        match self.relations.next() {
            Some(Relation::Shadow { live, shadow }) if self.is(name, live) => {
                if let Some(ObjectNamePart::Identifier(old)) = name.0.last() {
                    self.last = Some(old.clone());
                }
                *name = shadow.to_object_name();
                ControlFlow::Continue(())
            }
            Some(Relation::ReadLive(live)) if self.is(name, live) => ControlFlow::Continue(()),
            Some(Relation::NoTable) => ControlFlow::Continue(()),
            _ => flow(Err(strayed())),
        }
    }

    fn end_of_table_factor(&mut self, factor: &mut TableFactor) {
        if let TableFactor::Table { alias, .. } = factor
            && let Some(old) = self.last.take()
            && alias.is_none()
        {
            *alias = Some(TableAlias { explicit: true, name: old, columns: Vec::new(), at: None });
        }
    }

    fn statement(&mut self, statement: &mut Statement) -> Flow {
        // Not every dialect has an alias for INSERT, so there the columns are renamed instead.
        if let Statement::Insert(insert) = statement
            && insert.table_alias.is_none()
            && let TableObject::TableName(name) = &insert.table
            && let Ok(live) = TableName::read(self.rules.dialect, name)
            && let Ok(shadow) = self.rules.shadow_of(&live)
        {
            let mut renamer = Renamer { rules: self.rules, from: live.table, to: shadow.table };
            let renamed = walk::change(&mut insert.on, &mut renamer);
            return flow(renamed.and_then(|()| walk::change(&mut insert.returning, &mut renamer)));
        }
        ControlFlow::Continue(())
    }
}

/// Renames the table in `table.column`.
struct Renamer<'r> {
    rules: &'r SqlRules,
    from: String,
    to: String,
}

impl Change for Renamer<'_> {
    fn expr(&mut self, expr: &mut Expr) {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table, _] = &mut parts[..]
            && self.rules.dialect.fold(table) == self.from
        {
            *table = crate::names::quoted(&self.to);
        }
    }
}
