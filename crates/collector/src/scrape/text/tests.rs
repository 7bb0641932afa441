use proptest::prelude::*;

use super::*;

fn one(text: &str) -> Sample {
    let said = read(text, false);
    assert_eq!((said.samples.len(), said.bad_lines, said.over_limit), (1, 0, 0), "{said:?}");
    said.samples.into_iter().next().unwrap()
}

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_text_of_exporters_is_read() {
    let text = r#"
# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.47
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0.5"} NaN
go_gc_duration_seconds_sum 0.01
go_gc_duration_seconds_count 7
# TYPE hikaricp_connections_acquire_seconds summary
hikaricp_connections_acquire_seconds_count{application="order",pool="orders",} 5.0
hikaricp_connections_acquire_seconds_sum{application="order",pool="orders",} 0.25
# TYPE kafka_consumergroup_lag_sum gauge
kafka_consumergroup_lag_sum{consumergroup="mail",topic="orders"} 41
# TYPE pg_stat_activity_count gauge
pg_stat_activity_count{datname="shop",state="active"} 4 1700000000123
"#;
    let said = read(text, false);
    let found: Vec<_> = said.samples.iter().map(|s| (s.name.as_str(), s.kind, s.value, s.at_ns)).collect();
    assert_eq!(
        found,
        [
            ("process_cpu_seconds_total", Kind::Counter, 12.47, None),
            ("hikaricp_connections_acquire_seconds", Kind::Count, 5.0, None),
            ("hikaricp_connections_acquire_seconds", Kind::Sum, 0.25, None),
            ("kafka_consumergroup_lag_sum", Kind::Gauge, 41.0, None),
            ("pg_stat_activity_count", Kind::Gauge, 4.0, Some(1_700_000_000_123_000_000)),
        ]
    );
    assert_eq!(said.bad_lines, 0);
    assert_eq!(said.samples[1].labels, labels(&[("application", "order"), ("pool", "orders")]));
}

#[test]
fn open_metrics_are_read() {
    let text = "# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n\
                process_cpu_seconds_total 3.5 1700000000.5 # {trace_id=\"a # b\"} 0.5\n# EOF\n";
    let said = read(text, true);
    assert_eq!((said.samples.len(), said.bad_lines), (1, 0), "{said:?}");
    assert_eq!(
        (said.samples[0].kind, said.samples[0].at_ns),
        (Kind::Counter, Some(1_700_000_000_500_000_000))
    );
}

#[test]
fn names_and_labels_may_be_quoted_and_escaped() {
    let found = one(r#"{"db.client.connection.count","pool.name"="a\"b\\c\nd", state="used"} 3"#);
    assert_eq!(found.name, "db.client.connection.count");
    assert_eq!(found.labels, labels(&[("pool.name", "a\"b\\c\nd"), ("state", "used")]));
}

#[test]
fn without_a_type_the_name_decides() {
    assert_eq!(one("redis_keyspace_hits_total 3").kind, Kind::Counter);
    assert_eq!(one("rabbitmq_queue_messages{queue=\"q\"} 3").kind, Kind::Gauge);
    let found = one("hikaricp_connections_usage_seconds_sum 1.5");
    assert_eq!((found.name.as_str(), found.kind), ("hikaricp_connections_usage_seconds", Kind::Sum));
}

#[test]
fn what_is_no_sample_is_counted_and_spoils_its_line_alone() {
    for bad in [
        "process_cpu_seconds_total",
        "process_cpu_seconds_total x",
        "process_cpu_seconds_total{a=\"b} 1",
        "process_cpu_seconds_total{a=b} 1",
        "process_cpu_seconds_total{=\"b\"} 1",
        "{a=\"b\"} 1",
        "process_cpu_seconds_total 1 2 3",
        "process_cpu_seconds_total{a=\"\\x\"} 1",
    ] {
        let said = read(&format!("{bad}\nprocess_cpu_seconds_total 1\n"), false);
        assert_eq!((said.bad_lines, said.samples.len()), (1, 1), "{bad}");
    }
    assert_eq!(read("some_other_metric 1\nprocess_cpu_seconds_total +Inf\n", false), Said::default());
}

#[test]
fn no_more_is_kept_than_the_limit() {
    let text: String =
        (0..SAMPLES_MAX + 3).map(|i| format!("pg_stat_activity_count{{n=\"{i}\"}} 1\n")).collect();
    let said = read(&text, false);
    assert_eq!((said.samples.len(), said.over_limit), (SAMPLES_MAX, 3));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(process_cpu_seconds_total|\\{|\\}|\"|\\\\|=|,|#|TYPE|[ \\n]|[a-z0-9.]|ä){0,80}") {
        for open_metrics in [false, true] {
            let said = read(&text, open_metrics);
            prop_assert!(said.samples.len() <= text.lines().count());
        }
    }
}
