//! The JSON form of rules, and what is checked when it is read.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::{
    INTERNAL_HOSTS_MAX, RULES_MAX_BYTES, RULES_VERSION, Rules, RulesError, STUB_LATENCY_MAX_NS, STUBS_MAX,
    SqlMode, SqlRules, Stub, TABLES_MAX,
};
use crate::http::Pattern;
use crate::mode::Policy;
use crate::names::{Dialect, TableName};

const SIGMA_MAX: f64 = 5.0;
const SLOTS_MAX: u32 = 65_536;
const OTHERS: &str = "*";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u32,
    #[serde(default)]
    stores: Vec<Store>,
    #[serde(default)]
    stubs: Vec<StubWire>,
    #[serde(default)]
    internal_hosts: Vec<String>,
    /// Of the same block, and read by drill control alone.
    #[serde(default, rename = "on_leak_stop")]
    _on_leak_stop: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    kind: String,
    service: String,
    mode: Mode,
    tables: BTreeMap<String, Policy>,
    /// Of the same block, and read by preflight alone.
    #[serde(default, rename = "dsn")]
    _dsn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Mode {
    ShadowTable {
        #[serde(default)]
        prefix: String,
        #[serde(default)]
        suffix: String,
    },
    ShadowSchema {
        schema: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StubWire {
    host: String,
    status: u16,
    latency_median_ns: u64,
    latency_sigma: f64,
    body: String,
    #[serde(default)]
    slots: Option<u32>,
}

fn invalid(text: impl Into<String>) -> RulesError {
    RulesError::Invalid(text.into())
}

pub(super) fn read(text: &str, service: &str) -> Result<Rules, RulesError> {
    if text.len() > RULES_MAX_BYTES {
        return Err(RulesError::TooLong);
    }
    let file: File = serde_json::from_str(text).map_err(|error| RulesError::Json(error.to_string()))?;
    if file.v != RULES_VERSION {
        return Err(RulesError::Version(file.v));
    }
    if file.stubs.len() > STUBS_MAX || file.internal_hosts.len() > INTERNAL_HOSTS_MAX {
        return Err(invalid(format!("more than {STUBS_MAX} stubs or {INTERNAL_HOSTS_MAX} internal hosts")));
    }
    let mut rules = Rules::empty();
    for store in file.stores {
        let (of, read) = (store.service.clone(), store.read()?);
        if of != service {
            continue;
        }
        let place = match read.dialect {
            Dialect::Sqlite => &mut rules.sqlite,
            Dialect::Postgres => &mut rules.postgres,
        };
        if place.mode.is_some() {
            return Err(invalid(format!("{service} has two stores of the kind {}", read.dialect.text())));
        }
        *place = read;
    }
    for stub in file.stubs {
        let host = host_pattern(&stub.host)?;
        if rules.stub_hosts.contains(&host) {
            return Err(invalid(format!("two stubs stand for the host {host}")));
        }
        rules.stubs.push(stub.read(host.to_string())?);
        rules.stub_hosts.push(host);
    }
    rules.internal_hosts =
        file.internal_hosts.iter().map(|host| host_pattern(host)).collect::<Result<_, _>>()?;
    Ok(rules)
}

impl Store {
    fn read(self) -> Result<SqlRules, RulesError> {
        let dialect = match self.kind.as_str() {
            "sqlite" => Dialect::Sqlite,
            "postgres" => Dialect::Postgres,
            other => return Err(RulesError::NotBuilt(format!("stores of the kind {other}"))),
        };
        if self.tables.len() > TABLES_MAX {
            return Err(invalid(format!("more than {TABLES_MAX} tables in one store")));
        }
        let mode = self.mode.read(dialect)?;
        let mut rules =
            SqlRules { dialect, mode: Some(mode), tables: FxHashMap::default(), others: Policy::Deny };
        for (table, policy) in self.tables {
            if matches!(policy, Policy::Overlay | Policy::Mock) {
                return Err(RulesError::NotBuilt(format!("the policy of the table {table}, for SQL")));
            }
            if table == OTHERS {
                rules.others = policy;
                continue;
            }
            let name = rule_name(dialect, &table)?;
            if rules.tables.insert(name.key(dialect), policy).is_some() {
                return Err(invalid(format!("the table {table} is declared twice")));
            }
        }
        rules.check()?;
        Ok(rules)
    }
}

pub(super) fn rule_name(dialect: Dialect, text: &str) -> Result<TableName, RulesError> {
    let folded = dialect.fold_rule(text);
    let wrong = || invalid(format!("{text}: a table is written as name or schema.name"));
    let fits = |part: &str| !part.is_empty() && dialect.name_fits(part);
    match folded.split('.').collect::<Vec<_>>()[..] {
        [table] if fits(table) => Ok(TableName { schema: None, table: table.to_owned() }),
        [schema, table] if fits(schema) && fits(table) => {
            Ok(TableName { schema: Some(schema.to_owned()), table: table.to_owned() })
        }
        _ => Err(wrong()),
    }
}

impl SqlRules {
    /// Whether live and shadow names can be told apart, for what is declared.
    fn check(&self) -> Result<(), RulesError> {
        for (key, policy) in &self.tables {
            let name = rule_name(self.dialect, key)?;
            if self.is_shadow(&name) {
                return Err(invalid(format!("the table {key} has the name of the shadow of another table")));
            }
            if *policy == Policy::Shadow {
                self.shadow_of(&name).map_err(|refused| invalid(refused.to_string()))?;
            }
        }
        Ok(())
    }
}

impl Mode {
    fn read(self, dialect: Dialect) -> Result<SqlMode, RulesError> {
        let plain =
            |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        match self {
            Self::ShadowTable { prefix, suffix } if prefix.is_empty() && suffix.is_empty() => {
                Err(invalid("shadow_table needs a prefix or a suffix"))
            }
            Self::ShadowTable { prefix, suffix } if plain(&prefix) && plain(&suffix) => {
                Ok(SqlMode::ShadowTable { prefix, suffix })
            }
            Self::ShadowSchema { schema } if schema == dialect.default_schema() || schema.is_empty() => {
                Err(invalid("shadow_schema needs a schema that is not the live one"))
            }
            Self::ShadowSchema { schema } if plain(&schema) => Ok(SqlMode::ShadowSchema { schema }),
            _ => Err(invalid("prefix, suffix and schema are written with a-z, 0-9 and _ only")),
        }
    }
}

impl StubWire {
    fn read(self, host: String) -> Result<Stub, RulesError> {
        if !(100..=599).contains(&self.status) {
            return Err(invalid(format!("stub {host}: {} is no HTTP status", self.status)));
        }
        if !(0.0..=SIGMA_MAX).contains(&self.latency_sigma) || self.latency_median_ns > STUB_LATENCY_MAX_NS {
            let most = STUB_LATENCY_MAX_NS / 1_000_000_000;
            return Err(invalid(format!("stub {host}: latency up to {most} s, sigma from 0 to {SIGMA_MAX}")));
        }
        if !self.slots.is_none_or(|slots| (1..=SLOTS_MAX).contains(&slots)) {
            return Err(invalid(format!("stub {host}: from 1 to {SLOTS_MAX} slots")));
        }
        let Self { status, latency_median_ns, latency_sigma, body, slots, .. } = self;
        Ok(Stub { host, status, latency_median_ns, latency_sigma, body, slots })
    }
}

fn host_pattern(text: &str) -> Result<Pattern, RulesError> {
    let wrong = || invalid(format!("{text}: a host is written as host, host:port or *.host"));
    Pattern::parse(text).ok_or_else(wrong)
}
