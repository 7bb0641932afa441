//! Every table replaced by what was decided for it. Aliases stay; where there is none, the table's old name becomes
//! its alias, so that the columns still find it.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Statement, TableAlias, TableFactor, TableObject, VisitMut,
    VisitorMut,
};

use super::inspect::{Found, Relation};
use crate::names::TableName;
use crate::refused::{Refused, code};
use crate::rules::SqlRules;

/// Rewrites in place, from what [`super::inspect`] found in the very same statement.
pub(super) fn rewrite(rules: &SqlRules, statement: &mut Statement, found: &Found) -> Result<(), Refused> {
    let mut rewriter = Rewriter { rules, relations: found.relations.iter(), last: None };
    let strayed = statement.visit(&mut rewriter).is_break() || rewriter.relations.next().is_some();
    if strayed {
        let text = "the statement was not met again as it was inspected";
        return Err(Refused::new(code::GUARD, "sql", text));
    }
    Ok(())
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

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
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
            _ => ControlFlow::Break(()),
        }
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias, .. } = factor
            && let Some(old) = self.last.take()
            && alias.is_none()
        {
            *alias = Some(TableAlias { explicit: true, name: old, columns: Vec::new(), at: None });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        // Not every dialect has an alias for INSERT, so there the columns are renamed instead.
        if let Statement::Insert(insert) = statement
            && insert.table_alias.is_none()
            && let TableObject::TableName(name) = &insert.table
            && let Ok(live) = TableName::read(self.rules.dialect, name)
            && let Ok(shadow) = self.rules.shadow_of(&live)
        {
            let mut renamer = Renamer { rules: self.rules, from: live.table, to: shadow.table };
            insert.on.visit(&mut renamer)?;
            insert.returning.visit(&mut renamer)?;
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

impl VisitorMut for Renamer<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [table, _] = &mut parts[..]
            && self.rules.dialect.fold(table) == self.from
        {
            *table = crate::names::quoted(&self.to);
        }
        ControlFlow::Continue(())
    }
}
