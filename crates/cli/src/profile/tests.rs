use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// Environment variables of the specification's pages "Environment Variable Specification", "OTLP Exporter" and
/// "Metrics SDK".
const SPECIFIED: [&str; 13] = [
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_PROPAGATORS",
    "OTEL_TRACES_SAMPLER",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
];

fn all() -> Vec<Setting> {
    settings("drill-host:4317", "grpc", Some("order"))
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_names_are_those_of_the_specification_and_each_says_why() {
    let all = all();
    let names: Vec<&str> = all.iter().map(|setting| setting.name).collect();
    assert_eq!(names, SPECIFIED);
    assert!(all.iter().all(|setting| !setting.why.is_empty()));
    let number = |name: &str| -> u64 {
        all.iter().find(|setting| setting.name == name).unwrap().value.parse().unwrap()
    };
    assert!(
        number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") <= number("OTEL_BSP_MAX_QUEUE_SIZE"),
        "SDKs ignore or refuse it"
    );
    assert!(number("OTEL_METRIC_EXPORT_TIMEOUT") <= number("OTEL_METRIC_EXPORT_INTERVAL"));
}

#[test]
fn the_variables_are_read_by_a_shell() {
    let text = environment(&all());
    let script =
        format!("set -e\n{text}\nprintf '%s|' \"$OTEL_EXPORTER_OTLP_ENDPOINT\" \"$OTEL_PROPAGATORS\"");
    let ran = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), "http://drill-host:4317|tracecontext,baggage|");
    assert!(environment(&settings("x:1", "grpc", None)).contains("needs a name of its own"));
}

#[test]
fn the_patch_names_the_container_and_its_values_are_texts() {
    let patch = yaml(&kubernetes(&all(), &Workload { deployment: "order", container: "app" }));
    assert_eq!((&patch["apiVersion"], &patch["kind"]), (&Value::from("apps/v1"), &Value::from("Deployment")));
    assert_eq!(patch["metadata"]["name"], "order");
    let container = &patch["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["name"], "app");
    let env = container["env"].as_array().unwrap();
    let names: Vec<&str> = env.iter().filter_map(|entry| entry["name"].as_str()).collect();
    assert_eq!(names, SPECIFIED);
    assert!(env.iter().all(|entry| entry["value"].is_string()), "Kubernetes takes no numbers: {env:?}");
}

/// Everything that a pipeline names is there.
fn holds_together(config: &Value, given: &[&str]) {
    let keys = |part: &str| -> BTreeSet<String> {
        config[part].as_object().map(|part| part.keys().cloned().collect()).unwrap_or_default()
    };
    let pipelines = config["service"]["pipelines"].as_object().unwrap();
    for (name, pipeline) in pipelines {
        for part in ["receivers", "processors", "exporters"] {
            let wanted = pipeline[part].as_array().unwrap();
            assert!(!wanted.is_empty(), "{name}");
            for one in wanted.iter().filter_map(Value::as_str) {
                assert!(keys(part).contains(one) || given.contains(&one), "{name} wants {one}: {config:#}");
            }
        }
    }
}

#[test]
fn the_collector_gives_the_drill_a_copy_beside_the_backend() {
    let tee = Tee {
        backend: "jaeger:4317",
        listen_grpc: "0.0.0.0:14317".parse().unwrap(),
        listen_http: "0.0.0.0:14318".parse().unwrap(),
    };
    let config = yaml(&collector("drill-host:4317", Some(&tee)));
    holds_together(&config, &[]);
    assert_eq!(config["receivers"]["otlp"]["protocols"]["http"]["endpoint"], "0.0.0.0:14318");
    assert_eq!(config["exporters"]["otlp/peakdrill"]["endpoint"], "drill-host:4317");
    assert_eq!(config["exporters"]["otlp/backend"]["endpoint"], "jaeger:4317");
    let pipelines = &config["service"]["pipelines"];
    assert_eq!(pipelines["traces/peakdrill"]["exporters"], serde_json::json!(["otlp/peakdrill"]));
    assert_eq!(pipelines["traces"]["exporters"], serde_json::json!(["otlp/backend"]));
}

#[test]
fn an_addition_touches_nothing_that_is_there() {
    let config = yaml(&collector("drill-host:4317", None));
    holds_together(&config, &["otlp"]);
    assert!(config["receivers"].is_null());
    for part in ["processors", "exporters"] {
        assert!(
            config[part].as_object().unwrap().keys().all(|key| key.ends_with("/peakdrill")),
            "{config:#}"
        );
    }
    assert!(
        config["service"]["pipelines"].as_object().unwrap().keys().all(|key| key.ends_with("/peakdrill"))
    );
}
