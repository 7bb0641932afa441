use super::{CLOSED_RETENTION_S, RUNS_MAX, RunEntry, RunState, RunTable, RunTableError, retention_over};
use crate::{EnvId, MarkKey, RunId};

fn entry(run: &str, env: &str, state: RunState, key: u16) -> RunEntry {
    let mut mark_key = [0; 16];
    mark_key[..2].copy_from_slice(&key.to_be_bytes());
    RunEntry {
        run: run.parse().unwrap(),
        env: env.parse().unwrap(),
        state,
        mark_key: MarkKey::from_bytes(mark_key),
    }
}

fn table() -> RunTable {
    let mut table = RunTable::new(1000);
    table.insert(entry("r1", "e", RunState::Running, 1)).unwrap();
    table.insert(entry("r2", "e", RunState::Closed, 2)).unwrap();
    table
}

#[test]
fn json_form_is_exact() {
    let text = "{\"v\":1,\"at\":1000,\"runs\":[\
        {\"run\":\"r1\",\"env\":\"e\",\"state\":\"running\",\"mark_key\":\"AAEAAAAAAAAAAAAAAAAAAA\"},\
        {\"run\":\"r2\",\"env\":\"e\",\"state\":\"closed\",\"mark_key\":\"AAIAAAAAAAAAAAAAAAAAAA\"}]}";
    assert_eq!(table().to_json(), text);
    assert_eq!(RunTable::from_json(text), Ok(table()));
    let bad = |from: &str, to: &str| RunTable::from_json(&text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(bad("\"v\":1", "\"v\":2"), RunTableError::Version(2));
    assert!(matches!(bad("running", "Running"), RunTableError::Json(_)));
    assert!(matches!(bad("\"at\":1000", "\"at\":-1"), RunTableError::Json(_)));
    assert!(matches!(bad("\"at\":1000,", ""), RunTableError::Json(_)));
    assert!(matches!(bad("\"at\"", "\"extra\":1,\"at\""), RunTableError::Json(_)));
    assert!(matches!(bad("\"r1\"", "\"r.1\""), RunTableError::Json(_)));
    assert!(matches!(bad("AAEAA", "AA"), RunTableError::MarkKey(_)));
    assert!(matches!(bad("\"r2\"", "\"r1\""), RunTableError::Duplicate(_)));
    assert!(matches!(bad("AAIAA", "AAEAA"), RunTableError::Duplicate(_)));
    assert_eq!(RunTable::from_json(&" ".repeat(300_000)), Err(RunTableError::TooLong));
}

#[test]
fn a_full_table_can_be_read_back_and_takes_no_more() {
    let mut table = RunTable::new(1);
    for key in 0..u16::try_from(RUNS_MAX).unwrap() {
        let run = format!("a-run-with-a-long-nam{key:03x}");
        table.insert(entry(&run[..24], "an-environment-name-long", RunState::Draining, key)).unwrap();
    }
    assert_eq!(table.insert(entry("x", "e", RunState::Running, 9999)), Err(RunTableError::TooMany));
    assert_eq!(RunTable::from_json(&table.to_json()), Ok(table));
}

#[test]
fn states_go_forward_only() {
    let (mut table, e, r1): (_, EnvId, RunId) = (table(), "e".parse().unwrap(), "r1".parse().unwrap());
    table.set_state(e, r1, RunState::Draining).unwrap();
    assert_eq!(table.set_state(e, r1, RunState::Running), Err(RunTableError::Backward(r1)));
    table.set_state(e, r1, RunState::Closed).unwrap();
    assert_eq!(table.get(e, r1).unwrap().state, RunState::Closed);
    assert_eq!(table.set_state("f".parse().unwrap(), r1, RunState::Closed), Err(RunTableError::Unknown(r1)));
    assert!(table.remove(e, r1).is_some());
    assert!(table.remove(e, r1).is_none());
    assert_eq!(table.len(), 1);
}

#[test]
fn a_stale_table_says_draining() {
    let table = table();
    let at = |now| table.iter().map(|entry| table.state_at(entry, now)).collect::<Vec<_>>();
    for fresh in [1000, 1060, 940] {
        assert_eq!(at(fresh), [RunState::Running, RunState::Closed]);
    }
    for stale in [1061, 939, 0, u64::MAX] {
        assert_eq!(at(stale), [RunState::Draining, RunState::Closed]);
    }
}

#[test]
fn closed_runs_are_kept_for_their_retention() {
    assert!(!retention_over(1000, 1000 + CLOSED_RETENTION_S));
    assert!(retention_over(1000, 1001 + CLOSED_RETENTION_S));
    assert!(!retention_over(1000, 0), "a clock gone back forgets nothing");
}

const DAY_S: u64 = 24 * 60 * 60;

fn names(table: &RunTable) -> Vec<String> {
    table.iter().map(|entry| entry.run.to_string()).collect()
}

#[test]
fn the_date_of_closing_is_kept_and_is_that_of_the_first_table_after_it() {
    let (mut table, e): (_, EnvId) = (table(), "e".parse().unwrap());
    let (r1, r2) = ("r1".parse().unwrap(), "r2".parse().unwrap());
    table.date_closed();
    assert_eq!((table.closed_at_unix_s(e, r1), table.closed_at_unix_s(e, r2)), (None, Some(1000)));
    table.set_state(e, r1, RunState::Closed).unwrap();
    table.set_at(2000);
    table.date_closed();
    assert_eq!((table.closed_at_unix_s(e, r1), table.closed_at_unix_s(e, r2)), (Some(2000), Some(1000)));
    let text = table.to_json();
    assert!(text.contains("\"closed_at\":2000"), "{text}");
    assert_eq!(RunTable::from_json(&text), Ok(table.clone()));
    // It says nothing of a run that is not closed.
    let running = RunTable::from_json(&text.replace("closed\",", "running\",")).unwrap();
    assert_eq!(running.closed_at_unix_s(e, r1), None);
    assert!(!running.to_json().contains("closed_at"));
    // Dates stay with their runs.
    table.remove(e, r1);
    assert_eq!(table.closed_at_unix_s(e, r2), Some(1000));
}

#[test]
fn what_is_over_is_forgotten_and_nothing_else() {
    let mut table = table();
    table.insert(entry("r3", "e", RunState::Closed, 3)).unwrap();
    table.date_closed();
    table.insert(entry("undated", "e", RunState::Closed, 4)).unwrap();
    assert_eq!(table.forget_closed(1000 + CLOSED_RETENTION_S), 0);
    assert_eq!(table.forget_closed(1001 + CLOSED_RETENTION_S), 2);
    assert_eq!(names(&table), ["r1", "undated"]);
    let (e, undated) = ("e".parse().unwrap(), "undated".parse().unwrap());
    assert_eq!(table.closed_at_unix_s(e, undated), None);
}

#[test]
fn a_run_that_is_missing_is_closed_until_its_retention_is_over() {
    let (mut known, e): (_, EnvId) = (table(), "e".parse().unwrap());
    // `r1` has no date of its own: its retention begins when it is missed.
    for day in 0..30 {
        known = known.merged_into(RunTable::new(2000 + day * DAY_S));
        let closed = known.get(e, "r1".parse().unwrap()).map(|entry| entry.state);
        assert_eq!(closed, (day <= 14).then_some(RunState::Closed), "day {day}");
    }
    assert!(known.is_empty());
}

#[test]
fn merging_goes_forward_whichever_table_is_the_older() {
    let (e, r1): (EnvId, RunId) = ("e".parse().unwrap(), "r1".parse().unwrap());
    let mut older = table();
    older.set_state(e, r1, RunState::Closed).unwrap();
    older.set_at(900);
    older.date_closed();
    older.insert(entry("r9", "e", RunState::Running, 9)).unwrap();
    let merged = table().merged_into(older);
    assert_eq!(merged.at_unix_s(), 1000);
    assert_eq!(merged.get(e, r1).unwrap().state, RunState::Closed);
    assert_eq!(merged.closed_at_unix_s(e, r1), Some(900));
    // What only the older one has is not news.
    assert_eq!(names(&merged), ["r1", "r2"]);

    let mut newer = table();
    newer.set_at(1500);
    let merged = merged.merged_into(newer);
    assert_eq!((merged.at_unix_s(), merged.get(e, r1).unwrap().state), (1500, RunState::Closed));
}
