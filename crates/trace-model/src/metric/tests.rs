use super::*;

fn said(name: &str, labels: &Labels<'_>) -> Option<(Measure, String)> {
    meaning(name, labels).map(|meaning| (meaning.measure, meaning.of))
}

#[test]
fn old_and_new_names_say_the_same() {
    for (name, label, pool) in [
        ("db.client.connection.count", "db.client.connection.state", "db.client.connection.pool.name"),
        ("db.client.connections.usage", "state", "pool.name"),
        ("db_client_connection_count", "db_client_connection_state", "db_client_connection_pool_name"),
    ] {
        let labels = [(label, "used"), (pool, "orders")];
        assert_eq!(said(name, &labels), Some((Measure::PoolUsed, "orders".to_owned())), "{name}");
        assert_eq!(said(name, &[(label, "idle")]), None, "{name}");
        assert_eq!(said(name, &[(pool, "orders")]), None, "without a state {name} counts nothing");
    }
}

#[test]
fn what_exporters_rewrite_is_known() {
    for name in ["process.cpu.time", "process_cpu_time_seconds_total", "process_cpu_seconds_total"] {
        assert_eq!(said(name, &[]).map(|(measure, _)| measure), Some(Measure::CpuTime), "{name}");
        assert!(is_known(name));
    }
    let idle = [("cpu", "0"), ("mode", "idle")];
    assert_eq!(said("node_cpu_seconds_total", &idle).map(|(m, _)| m), Some(Measure::HostIdle));
    assert_eq!(said("node_cpu_seconds_total", &[("mode", "user")]).map(|(m, _)| m), Some(Measure::HostBusy));
    assert_eq!(said("process_open_fds", &[]), None);
    assert!(!is_known("process_open_fds"));
}

#[test]
fn a_pod_is_not_counted_beside_its_containers() {
    assert_eq!(said("container_cpu_usage_seconds_total", &[("pod", "order-1"), ("container", "")]), None);
    assert!(said("container_cpu_usage_seconds_total", &[("container", "order")]).is_some());
}

#[test]
fn a_lag_is_named_by_group_and_topic() {
    let labels = [("topic", "orders"), ("partition", "3"), ("consumergroup", "mail")];
    assert_eq!(
        said("kafka_consumergroup_lag", &labels),
        Some((Measure::QueueDepth, "mail/orders".to_owned()))
    );
}

#[test]
fn units_become_seconds() {
    assert_eq!(factor(Measure::PoolWaitTime, "db.client.connections.wait_time", "ms"), 1e-3);
    assert_eq!(factor(Measure::PoolWaitTime, "db.client.connection.wait_time", "s"), 1.0);
    assert_eq!(factor(Measure::CpuTime, "container.cpu.usage.total", "ns"), 1e-9);
    assert_eq!(factor(Measure::PoolWaitTime, "db_client_connections_wait_time_milliseconds_sum", ""), 1e-3);
    assert_eq!(factor(Measure::CpuUtilisation, "x", "%"), 1e-2);
}

#[test]
fn the_closer_source_comes_first() {
    assert!(rank("container.cpu.time") < rank("process.cpu.time"));
    assert_eq!(rank("nothing"), RULES.len());
}

#[test]
fn the_order_of_labels_does_not_matter() {
    assert_eq!(fingerprint(&[("a", "1"), ("b", "2")]), fingerprint(&[("b", "2"), ("a", "1")]));
    assert_ne!(fingerprint(&[("a", "1")]), fingerprint(&[("a", "2")]));
    assert_ne!(fingerprint(&[("a", "bc")]), fingerprint(&[("ab", "c")]));
}

#[test]
fn an_owner_is_the_service_else_what_runs_it_else_its_machine() {
    let of = |labels: &Labels<'_>| {
        let owner = owner(labels);
        (owner.service, owner.instance)
    };
    let service = [("k8s.pod.name", "order-1"), ("service.name", "order"), ("host.name", "h")];
    assert_eq!(of(&service), ("order".to_owned(), "order-1".to_owned()));
    assert_eq!(of(&[("container", "order"), ("pod", "o-1")]), ("order".to_owned(), "o-1".to_owned()));
    assert_eq!(of(&[("host.name", "h")]), ("host h".to_owned(), "h".to_owned()));
    assert_eq!(of(&[]), ("unknown_service".to_owned(), String::new()));
}
