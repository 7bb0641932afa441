//! Functions that touch nothing but their arguments, the clock and chance. All others are refused for shadow work: a
//! function may burn a live sequence, take a lock, read a file or run any statement.

use sqlparser::ast::{ObjectName, ObjectNamePart};

use crate::names::Dialect;
use crate::refused::{Refused, code};

/// In both dialects. Sorted.
const COMMON: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "concat",
    "concat_ws",
    "cos",
    "cosh",
    "count",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "degrees",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "format",
    "group_concat",
    "json_array_length",
    "json_object",
    "lag",
    "last_value",
    "lead",
    "length",
    "ln",
    "log",
    "log10",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "pi",
    "pow",
    "power",
    "radians",
    "random",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "tan",
    "tanh",
    "trim",
    "trunc",
    "upper",
];

/// In SQLite only. Sorted.
const SQLITE: &[&str] = &[
    "changes",
    "char",
    "date",
    "datetime",
    "glob",
    "hex",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_patch",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "julianday",
    "last_insert_rowid",
    "like",
    "likelihood",
    "likely",
    "printf",
    "quote",
    "randomblob",
    "sqlite_version",
    "strftime",
    "time",
    "timediff",
    "total",
    "total_changes",
    "typeof",
    "unhex",
    "unicode",
    "unixepoch",
    "unlikely",
    "zeroblob",
];

/// In PostgreSQL only. Sorted.
const POSTGRES: &[&str] = &[
    "age",
    "array_agg",
    "array_append",
    "array_cat",
    "array_length",
    "array_position",
    "array_prepend",
    "array_remove",
    "array_replace",
    "array_to_string",
    "ascii",
    "bit_and",
    "bit_length",
    "bit_or",
    "bool_and",
    "bool_or",
    "btrim",
    "cardinality",
    "cbrt",
    "character_length",
    "chr",
    "clock_timestamp",
    "date_bin",
    "date_part",
    "date_trunc",
    "decode",
    "div",
    "encode",
    "every",
    "extract",
    "gen_random_uuid",
    "greatest",
    "initcap",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "json_extract_path",
    "json_extract_path_text",
    "json_object_agg",
    "json_strip_nulls",
    "json_typeof",
    "jsonb_agg",
    "jsonb_array_length",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_extract_path",
    "jsonb_extract_path_text",
    "jsonb_insert",
    "jsonb_object_agg",
    "jsonb_path_exists",
    "jsonb_path_query_array",
    "jsonb_path_query_first",
    "jsonb_pretty",
    "jsonb_set",
    "jsonb_strip_nulls",
    "jsonb_typeof",
    "least",
    "left",
    "localtime",
    "localtimestamp",
    "lpad",
    "make_date",
    "make_interval",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "md5",
    "mode",
    "now",
    "overlay",
    "percentile_cont",
    "percentile_disc",
    "position",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "regexp_count",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "regexp_substr",
    "repeat",
    "reverse",
    "right",
    "rpad",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "split_part",
    "starts_with",
    "statement_timestamp",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_to_array",
    "strpos",
    "timeofday",
    "to_char",
    "to_date",
    "to_hex",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "transaction_timestamp",
    "translate",
    "unnest",
    "uuidv4",
    "uuidv7",
    "var_pop",
    "var_samp",
    "variance",
    "width_bucket",
];

/// Functions that stand where a table may. Sorted.
const TABLE_COMMON: &[&str] = &["generate_series", "json_each"];
const TABLE_SQLITE: &[&str] = &["json_tree"];
const TABLE_POSTGRES: &[&str] = &[
    "json_array_elements",
    "json_array_elements_text",
    "json_each_text",
    "json_object_keys",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
    "unnest",
];

fn check_in(dialect: Dialect, name: &ObjectName, lists: [&[&str]; 2]) -> Result<(), Refused> {
    let folded = match &name.0[..] {
        [ObjectNamePart::Identifier(ident)] => Some(dialect.fold(ident)),
        [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(ident)]
            if dialect == Dialect::Postgres && dialect.fold(schema) == "pg_catalog" =>
        {
            Some(dialect.fold(ident))
        }
        _ => None,
    };
    let known = |folded: &str| lists.iter().any(|list| list.binary_search(&folded).is_ok());
    if folded.as_deref().is_some_and(known) {
        return Ok(());
    }
    Err(Refused::new(
        code::UNSAFE_FUNCTION,
        name.to_string(),
        "the function is not among those known to touch nothing but their arguments",
    ))
}

/// A function in an expression.
pub(super) fn check(dialect: Dialect, name: &ObjectName) -> Result<(), Refused> {
    match dialect {
        Dialect::Sqlite => check_in(dialect, name, [COMMON, SQLITE]),
        Dialect::Postgres => check_in(dialect, name, [COMMON, POSTGRES]),
    }
}

/// A function in the place of a table.
pub(super) fn check_table(dialect: Dialect, name: &ObjectName) -> Result<(), Refused> {
    match dialect {
        Dialect::Sqlite => check_in(dialect, name, [TABLE_COMMON, TABLE_SQLITE]),
        Dialect::Postgres => check_in(dialect, name, [TABLE_COMMON, TABLE_POSTGRES]),
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMON, POSTGRES, SQLITE, TABLE_COMMON, TABLE_POSTGRES, TABLE_SQLITE};

    #[test]
    fn lists_are_sorted_for_the_search() {
        for list in [COMMON, SQLITE, POSTGRES, TABLE_COMMON, TABLE_SQLITE, TABLE_POSTGRES] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{list:?}");
        }
    }
}
