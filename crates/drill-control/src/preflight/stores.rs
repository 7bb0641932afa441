//! Declared shadow tables exist, have the structure of the live ones, and stand for themselves: nothing that the
//! server does by itself when they are written reaches live data.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use peakdrill_drill_model::plan::SqlStore;
use peakdrill_shadow_rules::{Dialect, Policy, RULES_VERSION, Rules, RulesError, SqlRules};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row};

/// Longest wait for a store to let preflight in, and for the answer to all its questions after that: a network that
/// swallows packets is an error, not a preflight without end.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Longest work of PostgreSQL for whether one table holds rows, in milliseconds: a lock may be on it, or many rows that were
/// deleted before the first one.
const ROWS_LIMIT_MS: u32 = 500;

/// A column, as far as two tables must agree on it: type, whether it may be null, place in the key.
type Column = (String, String, bool, i64);

type Tables = BTreeMap<String, Vec<Column>>;

/// What was found of one store.
#[derive(Debug, Default)]
pub struct Checked {
    /// What refuses the drill, in words.
    pub problems: Vec<String>,
    /// Why the store was not looked at.
    pub unobserved: Option<String>,
    /// Live tables that hold rows, and whose shadows hold none.
    pub empty: Vec<String>,
}

/// What the server does by itself when a table is written: no rewriting sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    /// The default of a column draws from a sequence, which belongs to a column of the table `owner`.
    Sequence { table: String, column: String, sequence: Option<String>, owner: Option<String> },
    /// A trigger, or a rule of rewriting.
    Trigger { table: String, kind: &'static str, name: String },
    /// A foreign key.
    Reference { table: String, column: String, to: String },
}

/// What a store holds.
#[derive(Debug, Default)]
struct Seen {
    tables: Tables,
    effects: BTreeSet<Effect>,
}

/// The services that would not take their rules, and why: a service reads all of its stores, or none.
#[must_use]
pub fn refused(stores: &[SqlStore]) -> BTreeMap<&str, String> {
    let services: BTreeSet<&str> = stores.iter().map(|store| store.service.as_str()).collect();
    let why = |service: &str| Some(read(stores, service).err()?.to_string());
    let told =
        |service| Some((service, format!("service `{service}` would not take its rules: {}", why(service)?)));
    services.into_iter().filter_map(told).collect()
}

/// The rules of a service's stores, as it reads them.
fn read(stores: &[SqlStore], service: &str) -> Result<Rules, RulesError> {
    Rules::from_json(&json!({ "v": RULES_VERSION, "stores": stores }).to_string(), service)
}

/// Looks at one store with the given data source name. `beside`: further stores in the same database, whose shadow
/// tables may refer to those of this one.
pub async fn check(store: &SqlStore, dsn: Option<&str>, beside: &[&SqlStore]) -> Checked {
    let rules = match rules(store) {
        Ok(rules) => rules,
        Err(error) => {
            let problem = format!("{}: no service would take these rules: {error}", place(store));
            return Checked { problems: vec![problem], ..Checked::default() };
        }
    };
    let Some(dsn) = dsn else {
        let unobserved = Some(format!("{}: no `dsn` is given", place(store)));
        return Checked { unobserved, ..Checked::default() };
    };
    match look(store, &rules, dsn, TIME_LIMIT).await {
        Ok((seen, empty)) => {
            Checked { problems: problems(store, &rules, beside, &seen), unobserved: None, empty }
        }
        // The text of a connection error may hold the data source name, and that a password.
        Err(error) => Checked {
            problems: vec![format!("{}: cannot be read: {}", place(store), without(dsn, &error))],
            ..Checked::default()
        },
    }
}

/// Live tables with rows whose shadows have none: what is asked of these says nothing of how long it takes in the live
/// ones. `has_rows` of a table as statements name it. Nothing is said of what it does not know, nor of any where that takes
/// longer than the limit: this refuses no drill.
async fn empty_shadows(
    rules: &SqlRules,
    tables: &Tables,
    limit: Duration,
    mut has_rows: impl AsyncFnMut(String) -> Option<bool>,
) -> Vec<String> {
    let all = async {
        let mut empty = Vec::new();
        for (live, shadow) in pairs(rules, tables) {
            let Ok(shadow) = shadow else { continue };
            let [shadow, of_live] = [&shadow, &live].map(|key| quoted(rules.dialect(), key));
            if has_rows(shadow).await == Some(false) && has_rows(of_live).await == Some(true) {
                empty.push(live);
            }
        }
        empty
    };
    tokio::time::timeout(limit, all).await.unwrap_or_default()
}

/// A table as statements name it, by its key in rules.
fn quoted(dialect: Dialect, key: &str) -> String {
    let (schema, table) = key.split_once('.').unwrap_or((dialect.default_schema(), key));
    [schema, table].map(|part| format!("\"{}\"", part.replace('"', "\"\""))).join(".")
}

fn place(store: &SqlStore) -> String {
    format!("{} of service `{}`", store.kind, store.service)
}

fn without(secret: &str, text: &str) -> String {
    text.replace(secret, "(dsn)")
}

/// What a store holds, and its live tables with rows whose shadows have none.
async fn look(
    store: &SqlStore,
    rules: &SqlRules,
    dsn: &str,
    limit: Duration,
) -> Result<(Seen, Vec<String>), String> {
    match store.kind.as_str() {
        "postgres" => {
            let options =
                dsn.parse::<sqlx::postgres::PgConnectOptions>().map_err(|error| error.to_string())?;
            let mut connection = within(limit, "it did not let preflight in", options.connect()).await?;
            let seen = within(limit, "it did not answer", postgres(&mut connection)).await?;
            let has_rows = async |table: String| postgres_has_rows(&mut connection, &table).await.ok();
            let empty = empty_shadows(rules, &seen.tables, limit, has_rows).await;
            Ok((seen, empty))
        }
        _ => {
            let options =
                dsn.parse::<sqlx::sqlite::SqliteConnectOptions>().map_err(|error| error.to_string())?;
            let options = options.read_only(true).create_if_missing(false);
            let mut connection = within(limit, "it could not be opened", options.connect()).await?;
            let seen = within(limit, "it did not answer", sqlite(&mut connection)).await?;
            let has_rows =
                async |table: String| sqlx::query_scalar(asked(&table)).fetch_one(&mut connection).await.ok();
            let empty = empty_shadows(rules, &seen.tables, limit, has_rows).await;
            Ok((seen, empty))
        }
    }
}

/// Whether a table holds rows. `table`: quoted.
fn asked(table: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("select exists(select 1 from {table})"))
}

/// In a transaction of its own: the settings go with it, whoever gets the connection of a pooler next. An error where the role
/// may not see every row.
async fn postgres_has_rows(connection: &mut sqlx::PgConnection, table: &str) -> Result<bool, sqlx::Error> {
    let mut one = connection.begin().await?;
    let settings =
        "select set_config('statement_timeout', $1, true), set_config('row_security', 'off', true)";
    sqlx::query(settings).bind(ROWS_LIMIT_MS.to_string()).execute(&mut *one).await?;
    let answer = sqlx::query_scalar(asked(table)).fetch_one(&mut *one).await;
    one.rollback().await?;
    answer
}

async fn within<T>(
    limit: Duration,
    late: &str,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("{late} within {} ms", limit.as_millis())),
    }
}

async fn sqlite(connection: &mut sqlx::SqliteConnection) -> Result<Seen, sqlx::Error> {
    let columns = "select m.name as t, i.name as c, i.type as y, i.\"notnull\" as n, i.pk as k \
        from sqlite_master m join pragma_table_info(m.name) i where m.type = 'table' order by m.name, i.cid";
    let mut seen = Seen::default();
    for row in sqlx::query(columns).fetch_all(&mut *connection).await? {
        let notnull = row.try_get::<i64, _>("n")? != 0;
        let column = (row.try_get("c")?, row.try_get("y")?, notnull, row.try_get("k")?);
        seen.tables.entry(row.try_get("t")?).or_default().push(column);
    }
    let triggers = "select tbl_name as t, name as g from sqlite_master where type = 'trigger'";
    for row in sqlx::query(triggers).fetch_all(&mut *connection).await? {
        let (table, name) = (row.try_get("t")?, row.try_get("g")?);
        seen.effects.insert(Effect::Trigger { table, kind: "trigger", name });
    }
    let references = "select m.name as t, f.\"from\" as c, f.\"table\" as o \
        from sqlite_master m join pragma_foreign_key_list(m.name) f where m.type = 'table'";
    for row in sqlx::query(references).fetch_all(connection).await? {
        let (table, column, to) = (row.try_get("t")?, row.try_get("c")?, row.try_get("o")?);
        seen.effects.insert(Effect::Reference { table, column, to });
    }
    Ok(seen)
}

/// A relation's name in PostgreSQL as a drill writes it, from its oid. A partition goes by the name of its table.
macro_rules! named {
    ($oid:literal) => {
        concat!(
            "(select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname end::text \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where c.oid = coalesce(pg_partition_root(",
            $oid,
            ")::oid, ",
            $oid,
            "))"
        )
    };
}

const PG_COLUMNS: &str = "select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname \
    end::text as t, a.attname::text as c, format_type(a.atttypid, a.atttypmod) as y, a.attnotnull as n, \
    coalesce(array_position(i.indkey::int2[], a.attnum), -1)::int8 as k \
    from pg_class c join pg_namespace n on n.oid = c.relnamespace \
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
    left join pg_index i on i.indrelid = c.oid and i.indisprimary \
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') \
    order by 1, a.attnum";

/// Defaults that depend on a sequence, and those that call `nextval` on a name that is looked up only then. Who owns
/// the sequence stands in the catalog (`serial`: a, identity: i), whatever it is called.
const PG_SEQUENCES: &str = concat!(
    "select ",
    named!("d.adrelid"),
    " as t, a.attname::text as c, ",
    named!("s.oid"),
    " as s, (select ",
    named!("o.refobjid"),
    " from pg_depend o where o.classid = 'pg_class'::regclass and o.objid = s.oid \
      and o.refclassid = 'pg_class'::regclass and o.refobjsubid > 0 and o.deptype in ('a', 'i') limit 1) as o \
     from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum \
     left join (pg_depend e join pg_class s on e.refclassid = 'pg_class'::regclass and s.oid = e.refobjid \
     and s.relkind = 'S') on e.classid = 'pg_attrdef'::regclass and e.objid = d.oid \
     where s.oid is not null or pg_get_expr(d.adbin, d.adrelid) ilike '%nextval(%'"
);

const PG_TRIGGERS: &str = concat!(
    "select ",
    named!("g.tgrelid"),
    " as t, 'trigger' as k, g.tgname::text as g from pg_trigger g where not g.tgisinternal \
     and g.tgenabled <> 'D' union all select ",
    named!("w.ev_class"),
    ", 'rule', w.rulename::text from pg_rewrite w join pg_class v on v.oid = w.ev_class \
     where v.relkind in ('r', 'p') and w.ev_enabled <> 'D'"
);

const PG_REFERENCES: &str = concat!(
    "select ",
    named!("f.conrelid"),
    " as t, (select string_agg(a.attname::text, ', ') from pg_attribute a \
      where a.attrelid = f.conrelid and a.attnum = any(f.conkey)) as c, ",
    named!("f.confrelid"),
    " as o from pg_constraint f where f.contype = 'f'"
);

async fn postgres(connection: &mut sqlx::PgConnection) -> Result<Seen, sqlx::Error> {
    let mut seen = Seen::default();
    for row in sqlx::query(PG_COLUMNS).fetch_all(&mut *connection).await? {
        let column = (row.try_get("c")?, row.try_get("y")?, row.try_get("n")?, row.try_get("k")?);
        seen.tables.entry(row.try_get("t")?).or_default().push(column);
    }
    for row in sqlx::query(PG_SEQUENCES).fetch_all(&mut *connection).await? {
        let (table, column) = (row.try_get("t")?, row.try_get("c")?);
        let (sequence, owner) = (row.try_get("s")?, row.try_get("o")?);
        seen.effects.insert(Effect::Sequence { table, column, sequence, owner });
    }
    for row in sqlx::query(PG_TRIGGERS).fetch_all(&mut *connection).await? {
        let kind = if row.try_get::<&str, _>("k")? == "rule" { "rule" } else { "trigger" };
        let (table, name) = (row.try_get("t")?, row.try_get("g")?);
        seen.effects.insert(Effect::Trigger { table, kind, name });
    }
    for row in sqlx::query(PG_REFERENCES).fetch_all(connection).await? {
        let (table, column, to) = (row.try_get("t")?, row.try_get("c")?, row.try_get("o")?);
        seen.effects.insert(Effect::Reference { table, column, to });
    }
    Ok(seen)
}

/// The rules of a store, read as the service reads them: what is the shadow of what is decided by them alone.
fn rules(store: &SqlStore) -> Result<SqlRules, String> {
    let dialect = if store.kind == "postgres" { Dialect::Postgres } else { Dialect::Sqlite };
    let read = read(std::slice::from_ref(store), &store.service);
    read.map(|rules| rules.sql(dialect).clone()).map_err(|error| error.to_string())
}

/// The live tables that have a shadow, declared or covered by `*`, each with its shadow. Names are keys of the rules.
fn pairs(rules: &SqlRules, tables: &Tables) -> Vec<(String, Result<String, String>)> {
    let declared = rules.tables().filter(|(_, policy)| *policy == Policy::Shadow);
    let there = tables.keys().filter_map(|name| rules.key_of(name));
    let names: BTreeSet<String> = declared.map(|(name, _)| name.to_owned()).chain(there).collect();
    let pair = |live: String| {
        let shadow = rules.shadow_key_of(&live).map_err(|refused| refused.to_string()).transpose()?;
        Some((live, shadow))
    };
    names.into_iter().filter_map(pair).collect()
}

fn problems(store: &SqlStore, rules: &SqlRules, beside: &[&SqlStore], seen: &Seen) -> Vec<String> {
    let place = place(store);
    let own = pairs(rules, &seen.tables);
    let mut problems = compare(&place, rules, &seen.tables, &own);
    // Those of a store whose rules cannot be read are told with that one.
    let others = beside.iter().filter_map(|other| self::rules(other).ok());
    let others = others.flat_map(|rules| pairs(&rules, &seen.tables));
    let names = own.into_iter().chain(others).filter_map(|(_, shadow)| shadow.ok()).collect();
    let shadows = Shadows { rules, names };
    problems.extend(
        seen.effects.iter().filter_map(|effect| shadows.leak(effect)).map(|text| format!("{place}: {text}")),
    );
    problems
}

/// The shadow tables of a database.
struct Shadows<'r> {
    rules: &'r SqlRules,
    names: BTreeSet<String>,
}

impl Shadows<'_> {
    fn has(&self, table: &str) -> bool {
        self.rules.key_of(table).is_some_and(|key| self.names.contains(&key))
    }

    /// In words, how the effect takes a write from shadow to live data or back; `None` when it does not.
    fn leak(&self, effect: &Effect) -> Option<String> {
        match effect {
            Effect::Sequence { table, column, sequence, owner } if self.has(table) => {
                let own = owner.as_deref().is_some_and(|owner| self.has(owner));
                (!own).then(|| foreign_sequence(table, column, sequence.as_deref()))
            }
            Effect::Trigger { table, kind, name } if self.has(table) => {
                // In SQLite a trigger's name is enough.
                let is_enough = self.rules.dialect() == Dialect::Sqlite;
                let on = if is_enough { String::new() } else { format!(" ON {table}") };
                Some(format!(
                    "the {kind} `{name}` on `{table}` acts where no rewriting sees it: DROP {} {name}{on}",
                    kind.to_ascii_uppercase()
                ))
            }
            Effect::Reference { table, column, to } if self.has(table) && !self.has(to) => Some(format!(
                "the foreign key of `{table}.{column}` refers to the live table `{to}`, whose rows it locks: let it \
                 refer to the shadow of `{to}`, or drop it"
            )),
            // With ON DELETE CASCADE a delete in the shadow would be one in live data.
            Effect::Reference { table, column, to } if self.has(to) && !self.has(table) => Some(format!(
                "the foreign key of the live column `{table}.{column}` refers to the shadow table `{to}`: let it \
                 refer to the live table"
            )),
            _ => None,
        }
    }
}

fn foreign_sequence(table: &str, column: &str, sequence: Option<&str>) -> String {
    let source = match sequence {
        Some(sequence) => {
            format!("draws its numbers from the sequence `{sequence}`, which belongs to no shadow table")
        }
        None => "draws its numbers from a sequence that is looked up by name with every row".to_owned(),
    };
    let own = format!("{table}_{column}_own_seq");
    format!(
        "the default of `{table}.{column}` {source}: replace it with a sequence of its own: \
         CREATE SEQUENCE {own} OWNED BY {table}.{column}; \
         ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval('{own}')"
    )
}

/// What is wrong with the tables of some pairs.
fn compare(
    place: &str,
    rules: &SqlRules,
    tables: &Tables,
    pairs: &[(String, Result<String, String>)],
) -> Vec<String> {
    let columns: BTreeMap<String, &Vec<Column>> =
        tables.iter().filter_map(|(name, columns)| Some((rules.key_of(name)?, columns))).collect();
    let problem = |(live, shadow): &(String, Result<String, String>)| {
        let shadow = match shadow {
            Ok(shadow) => shadow,
            Err(why) => return Some(format!("{place}: {why}")),
        };
        match (columns.get(live), columns.get(shadow)) {
            (None, _) => Some(format!("{place}: the live table `{live}` is declared but not there")),
            (_, None) => {
                Some(format!("{place}: the shadow table `{shadow}` is not there: create it like `{live}`"))
            }
            (Some(a), Some(b)) if a != b => {
                Some(format!("{place}: `{shadow}` has not the structure of `{live}`: {}", difference(a, b)))
            }
            _ => None,
        }
    };
    pairs.iter().filter_map(problem).collect()
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
mod tests;
