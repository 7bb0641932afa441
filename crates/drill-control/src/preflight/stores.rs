//! Declared shadow tables exist and have the structure of the live ones.

use std::collections::BTreeMap;

use peakdrill_drill_model::plan::{SqlMode, SqlStore};
use sqlx::Row;

/// A column, as far as two tables must agree on it: type, whether it may be null, place in the key.
type Column = (String, String, bool, i64);

/// What was found of one store.
#[derive(Debug, Default)]
pub struct Checked {
    /// What refuses the drill, in words.
    pub problems: Vec<String>,
    /// Why the store was not looked at.
    pub unobserved: Option<String>,
}

/// Looks at one store with the given data source name.
pub async fn check(store: &SqlStore, dsn: Option<&str>) -> Checked {
    let name = format!("{} of service `{}`", store.kind, store.service);
    let Some(dsn) = dsn else {
        return Checked { unobserved: Some(format!("{name}: no `dsn` is given")), ..Checked::default() };
    };
    match structures(store, dsn).await {
        Ok(tables) => Checked { problems: compare(store, &tables), unobserved: None },
        // The text of a connection error may hold the data source name, and that a password.
        Err(error) => Checked {
            problems: vec![format!("{name}: cannot be read: {}", without(dsn, &error.to_string()))],
            unobserved: None,
        },
    }
}

fn without(secret: &str, text: &str) -> String {
    text.replace(secret, "(dsn)")
}

type Tables = BTreeMap<String, Vec<Column>>;

async fn structures(store: &SqlStore, dsn: &str) -> Result<Tables, sqlx::Error> {
    match store.kind.as_str() {
        "postgres" => postgres(dsn).await,
        _ => sqlite(dsn).await,
    }
}

async fn sqlite(dsn: &str) -> Result<Tables, sqlx::Error> {
    use sqlx::ConnectOptions as _;
    let options = dsn.parse::<sqlx::sqlite::SqliteConnectOptions>()?.read_only(true).create_if_missing(false);
    let mut connection = options.connect().await?;
    let sql = "select m.name as t, i.name as c, i.type as y, i.\"notnull\" as n, i.pk as k \
               from sqlite_master m join pragma_table_info(m.name) i where m.type = 'table' order by m.name, i.cid";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
    let mut tables = Tables::new();
    for row in rows {
        let column = (
            row.try_get("c")?,
            row.try_get("y")?,
            row.try_get::<i64, _>("n")? != 0,
            row.try_get::<i64, _>("k")?,
        );
        tables.entry(row.try_get("t")?).or_default().push(column);
    }
    Ok(tables)
}

async fn postgres(dsn: &str) -> Result<Tables, sqlx::Error> {
    use sqlx::ConnectOptions as _;
    let mut connection = dsn.parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
    let sql = "select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname end::text as t, \
               a.attname::text as c, format_type(a.atttypid, a.atttypmod) as y, a.attnotnull as n, \
               coalesce(array_position(i.indkey::int2[], a.attnum), -1)::int8 as k \
               from pg_class c join pg_namespace n on n.oid = c.relnamespace \
               join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
               left join pg_index i on i.indrelid = c.oid and i.indisprimary \
               where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') \
               order by 1, a.attnum";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await?;
    let mut tables = Tables::new();
    for row in rows {
        let column = (row.try_get("c")?, row.try_get("y")?, row.try_get("n")?, row.try_get("k")?);
        tables.entry(row.try_get("t")?).or_default().push(column);
    }
    Ok(tables)
}

/// The shadow table's name for a live one.
fn shadow_name(mode: &SqlMode, live: &str) -> String {
    match mode {
        SqlMode::ShadowTable { prefix, suffix } => format!("{prefix}{live}{suffix}"),
        SqlMode::ShadowSchema { schema } => format!("{schema}.{live}"),
    }
}

fn is_shadow(mode: &SqlMode, table: &str) -> bool {
    match mode {
        SqlMode::ShadowTable { prefix, suffix } => {
            (!prefix.is_empty() && table.starts_with(prefix.as_str()))
                || (!suffix.is_empty() && table.ends_with(suffix.as_str()))
        }
        SqlMode::ShadowSchema { schema } => table.split_once('.').is_some_and(|(found, _)| found == schema),
    }
}

fn compare(store: &SqlStore, tables: &Tables) -> Vec<String> {
    let mut problems = Vec::new();
    let mut wanted: Vec<&str> = store
        .tables
        .iter()
        .filter(|(name, policy)| *policy == "shadow" && *name != "*")
        .map(|(name, _)| name.as_str())
        .collect();
    if store.tables.get("*").is_some_and(|policy| policy == "shadow") {
        let others = tables.keys().filter(|name| {
            !is_shadow(&store.mode, name)
                && !name.starts_with("sqlite_")
                && !store.tables.contains_key(name.as_str())
        });
        wanted.extend(others.map(String::as_str));
    }
    for live in wanted {
        let shadow = shadow_name(&store.mode, live);
        let place = format!("{} of service `{}`", store.kind, store.service);
        match (tables.get(live), tables.get(&shadow)) {
            (None, _) => problems.push(format!("{place}: the live table `{live}` is declared but not there")),
            (_, None) => problems
                .push(format!("{place}: the shadow table `{shadow}` is not there: create it like `{live}`")),
            (Some(a), Some(b)) if a != b => {
                problems.push(format!(
                    "{place}: `{shadow}` has not the structure of `{live}`: {}",
                    difference(a, b)
                ));
            }
            _ => {}
        }
    }
    problems
}

fn difference(live: &[Column], shadow: &[Column]) -> String {
    let missing = live.iter().find(|column| !shadow.contains(column));
    let extra = shadow.iter().find(|column| !live.contains(column));
    match (missing, extra) {
        (Some((name, kind, ..)), _) => format!("column `{name} {kind}` differs or is missing"),
        (None, Some((name, kind, ..))) => format!("column `{name} {kind}` is only in the shadow"),
        (None, None) => "the columns stand in another order".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(tables: &[(&str, &str)]) -> SqlStore {
        SqlStore {
            kind: "sqlite".into(),
            service: "order".into(),
            mode: SqlMode::ShadowTable { prefix: "shadow_".into(), suffix: String::new() },
            tables: tables.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            dsn: None,
        }
    }

    fn column(name: &str) -> Column {
        (name.into(), "TEXT".into(), false, 0)
    }

    #[test]
    fn a_missing_or_different_shadow_is_a_problem() {
        let both = store(&[("orders", "shadow"), ("items", "shadow"), ("products", "read_live")]);
        let tables = Tables::from([
            ("orders".into(), vec![column("id"), column("sku")]),
            ("shadow_orders".into(), vec![column("id")]),
            ("items".into(), vec![column("id")]),
        ]);
        let problems = compare(&both, &tables);
        assert_eq!(problems.len(), 2);
        assert!(problems.iter().any(|text| text.contains("`sku TEXT` differs or is missing")));
        assert!(problems.iter().any(|text| text.contains("`shadow_items` is not there")));
    }

    #[test]
    fn a_star_covers_every_other_live_table() {
        let all = store(&[("*", "shadow")]);
        let tables = Tables::from([
            ("orders".into(), vec![column("id")]),
            ("shadow_orders".into(), vec![column("id")]),
            ("carts".into(), vec![column("id")]),
        ]);
        assert_eq!(compare(&all, &tables).len(), 1);
    }
}
