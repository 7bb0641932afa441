//! The walks through the syntax tree. The tree has hundreds of types, and the parser's library compiles a walk for each
//! type of visitor: so there is one type that looks and one that changes, and who looks is told at run time.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use crate::refused::Refused;

/// Whether the walk goes on.
pub(super) type Flow = ControlFlow<Box<Refused>>;

/// Goes on, or ends with the refusal.
pub(super) fn flow(result: Result<(), Refused>) -> Flow {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(refused) => ControlFlow::Break(Box::new(refused)),
    }
}

/// Looks at what a walk meets.
pub(super) trait Look {
    fn statement(&mut self, _: &Statement) -> Flow {
        ControlFlow::Continue(())
    }

    fn query(&mut self, _: &Query) -> Flow {
        ControlFlow::Continue(())
    }

    fn end_of_query(&mut self, _: &Query) {}

    fn select(&mut self, _: &Select) -> Flow {
        ControlFlow::Continue(())
    }

    fn table_factor(&mut self, _: &TableFactor) -> Flow {
        ControlFlow::Continue(())
    }

    fn relation(&mut self, name: &ObjectName) -> Flow;

    fn expr(&mut self, _: &Expr) -> Flow {
        ControlFlow::Continue(())
    }
}

/// Changes what a walk meets.
pub(super) trait Change {
    fn statement(&mut self, _: &mut Statement) -> Flow {
        ControlFlow::Continue(())
    }

    fn relation(&mut self, _: &mut ObjectName) -> Flow {
        ControlFlow::Continue(())
    }

    fn end_of_table_factor(&mut self, _: &mut TableFactor) {}

    fn expr(&mut self, _: &mut Expr) {}
}

/// Walks through the statement. Only a refusal ends it early.
pub(super) fn look(statement: &Statement, look: &mut dyn Look) -> Result<(), Refused> {
    done(statement.visit(&mut Looking(look)))
}

/// Walks through a statement, or a part of one, and changes it.
pub(super) fn change(part: &mut impl VisitMut, change: &mut dyn Change) -> Result<(), Refused> {
    done(part.visit(&mut Changing(change)))
}

fn done(flow: Flow) -> Result<(), Refused> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(*refused),
    }
}

struct Looking<'l>(&'l mut dyn Look);

impl Visitor for Looking<'_> {
    type Break = Box<Refused>;

    fn pre_visit_statement(&mut self, statement: &Statement) -> Flow {
        self.0.statement(statement)
    }

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        self.0.query(query)
    }

    fn post_visit_query(&mut self, query: &Query) -> Flow {
        self.0.end_of_query(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        self.0.select(select)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        self.0.table_factor(factor)
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> Flow {
        self.0.relation(name)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.0.expr(expr)
    }
}

struct Changing<'c>(&'c mut dyn Change);

impl VisitorMut for Changing<'_> {
    type Break = Box<Refused>;

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> Flow {
        self.0.statement(statement)
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> Flow {
        self.0.relation(name)
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        self.0.end_of_table_factor(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        self.0.expr(expr);
        ControlFlow::Continue(())
    }
}
