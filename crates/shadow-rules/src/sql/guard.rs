//! The second look: the rewritten text is read anew, and every table in it must be a shadow or be declared
//! `read_live`. It judges the text that will run by names alone, and knows nothing of how it came about. It is a second
//! reading with the same parser: it finds what the rewriting did wrong, and not what the parser reads wrong.

use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, Query, Statement, TableFactor};

use super::walk::{self, Flow, Look};
use super::{inspect, parse};
use crate::mode::Policy;
use crate::names::TableName;
use crate::refused::{Refused, code};
use crate::rules::SqlRules;

fn refused(resource: String, text: &'static str) -> Refused {
    Refused::new(code::GUARD, resource, text)
}

/// Checks the text against the rules, and that it says what the tree says.
pub(super) fn check(rules: &SqlRules, meant: &Statement, sql: &str) -> Result<(), Refused> {
    let again = parse::one(rules.dialect, sql)?;
    if again != *meant {
        return Err(refused(
            "sql".to_owned(),
            "the rewritten statement cannot be written down without a change",
        ));
    }
    let mut names = Names::default();
    walk::look(&again, &mut names)?;
    let ctes: Vec<String> = names.ctes.iter().map(|ident| rules.dialect.fold(ident)).collect();
    for name in &names.relations {
        let name = TableName::read(rules.dialect, name)?;
        let cte = name.schema.is_none() && ctes.contains(&name.table) && !rules.is_declared(&name.table);
        if !(rules.is_shadow(&name) || rules.policy(&name) == Policy::ReadLive || cte) {
            return Err(refused(name.to_string(), "the rewritten statement would touch it"));
        }
    }
    for statement in &names.statements {
        let Some(name) = inspect::target(statement)? else { continue };
        let name = TableName::read(rules.dialect, name)?;
        if !rules.is_shadow(&name) {
            return Err(refused(name.to_string(), "the rewritten statement would write it"));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Names {
    relations: Vec<ObjectName>,
    ctes: Vec<sqlparser::ast::Ident>,
    statements: Vec<Statement>,
    function: bool,
}

impl Look for Names {
    fn statement(&mut self, statement: &Statement) -> Flow {
        self.statements.push(statement.clone());
        ControlFlow::Continue(())
    }

    fn query(&mut self, query: &Query) -> Flow {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(ctes.map(|cte| cte.alias.name.clone()));
        ControlFlow::Continue(())
    }

    fn table_factor(&mut self, factor: &TableFactor) -> Flow {
        // Its name is met next, and is that of a function.
        self.function = matches!(factor, TableFactor::Table { args: Some(_), .. });
        ControlFlow::Continue(())
    }

    fn relation(&mut self, name: &ObjectName) -> Flow {
        if !std::mem::take(&mut self.function) {
            self.relations.push(name.clone());
        }
        ControlFlow::Continue(())
    }
}
