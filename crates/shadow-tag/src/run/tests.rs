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
