//! The settings of services and Collectors that a drill needs, as text with its reasons.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

/// A setting of an SDK.
pub(crate) struct Setting {
    /// Its environment variable, by the specification of OpenTelemetry.
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Why a drill needs it, in lines.
    pub(crate) why: &'static [&'static str],
}

/// A Deployment and a container in it.
pub(crate) struct Workload<'a> {
    pub(crate) deployment: &'a str,
    pub(crate) container: &'a str,
}

/// What a Collector does besides giving a copy to the drill.
pub(crate) struct Tee<'a> {
    pub(crate) backend: &'a str,
    pub(crate) listen_grpc: SocketAddr,
    pub(crate) listen_http: SocketAddr,
}

/// The settings of a service that sends to an address over a protocol.
pub(crate) fn settings(endpoint: &str, protocol: &str, service: Option<&str>) -> Vec<Setting> {
    let set = |name, value: &str, why| Setting { name, value: value.to_owned(), why };
    let mut all = Vec::new();
    all.extend(service.map(|name| {
        set(
            "OTEL_SERVICE_NAME",
            name,
            &["The name that findings call the service by; without one it is unknown_service."],
        )
    }));
    all.extend([
        set("OTEL_TRACES_EXPORTER", "otlp", &["Spans say where the time goes."]),
        set("OTEL_METRICS_EXPORTER", "otlp", &["Metrics carry the ledger of isolation, pools and processor time."]),
        set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{endpoint}"), &["Where the drill listens."]),
        set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, &["Said here, since SDKs differ in their default."]),
        set("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", &["Spans of one kind are much alike: a tenth of the bytes."]),
        set(
            "OTEL_PROPAGATORS",
            "tracecontext,baggage",
            &["A drill's requests are known by their trace id: it must be handed on with every call."],
        ),
        set(
            "OTEL_TRACES_SAMPLER",
            "parentbased_always_on",
            &[
                "A request's first service does not decide again what the drill has decided. Users' requests count too:",
                "they load the same nodes. Where these are too many, parentbased_traceidratio takes a part of them.",
            ],
        ),
        set(
            "OTEL_BSP_SCHEDULE_DELAY",
            "200",
            &["Milliseconds that spans wait for company; by default 5000, so that the live view would be that late."],
        ),
        set(
            "OTEL_BSP_MAX_QUEUE_SIZE",
            "32768",
            &["Spans that may wait; by default 2048. A full queue drops spans when the load is highest, unseen."],
        ),
        set(
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            "2048",
            &["Spans in one request; by default 512. Larger ones may exceed the 4 MiB that a receiver takes."],
        ),
        set(
            "OTEL_METRIC_EXPORT_INTERVAL",
            "1000",
            &["Milliseconds between two reports; by default 60000, longer than many a peak. Guards look at the ledger."],
        ),
        set(
            "OTEL_METRIC_EXPORT_TIMEOUT",
            "1000",
            &["By default 30000; some SDKs refuse one that is longer than the interval."],
        ),
    ]);
    all
}

/// As environment variables, to be read by a shell or an `env_file`.
pub(crate) fn environment(all: &[Setting]) -> String {
    let mut text = String::from(
        "# Settings of OpenTelemetry SDKs for a drill: set -a; . ./drill.env; set +a; ./your-service\n",
    );
    if !all.iter().any(|setting| setting.name == "OTEL_SERVICE_NAME") {
        text.push_str(
            "# Each service also needs a name of its own: OTEL_SERVICE_NAME=…, or --service here.\n",
        );
    }
    for setting in all {
        text.push('\n');
        setting.why.iter().for_each(|line| text.push_str(&format!("# {line}\n")));
        text.push_str(&format!("{}={}\n", setting.name, setting.value));
    }
    text
}

/// As a strategic-merge patch: variables of the same name are replaced, others stay.
pub(crate) fn kubernetes(all: &[Setting], workload: &Workload<'_>) -> String {
    let Workload { deployment, container } = workload;
    let mut text = format!(
        "# kubectl patch deployment {deployment} --patch-file FILE\n\
         # Undo it after the drill: kubectl rollout undo deployment {deployment}\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: \"{deployment}\"\nspec:\n  template:\n    spec:\n      \
         containers:\n        - name: \"{container}\"\n          env:\n"
    );
    for setting in all {
        let indent = " ".repeat(12);
        setting.why.iter().for_each(|line| text.push_str(&format!("{indent}# {line}\n")));
        text.push_str(&format!("{indent}- name: {}\n{indent}  value: \"{}\"\n", setting.name, setting.value));
    }
    text
}

/// What a Collector needs to give the drill a copy of all traces and metrics. Without `rest`, to be added to a
/// configuration that has a receiver `otlp`.
pub(crate) fn collector(drill: &str, rest: Option<&Tee<'_>>) -> String {
    let mut text = match rest {
        Some(tee) => whole_head(tee),
        None => "# To be added to your configuration, which has a receiver `otlp`:\n\
                 #   otelcol --config yours.yaml --config peakdrill.yaml\n"
            .to_owned(),
    };
    text.push_str(&format!(
        "processors:\n  \
           # A batch of its own: when the drill cannot take more, your backend still gets all. No tail sampling before the\n  \
           # drill: it would choose by latency, which is what is measured.\n  \
           batch/peakdrill:\n    \
             # The live view is that late at most.\n    \
             timeout: 200ms\n    \
             send_batch_size: 1024\n    \
             # Larger batches may exceed the 4 MiB that the drill takes at once.\n    \
             send_batch_max_size: 2048\n\
         {}\
         exporters:\n  \
           otlp/peakdrill:\n    \
             # Where the drill takes OTLP over gRPC.\n    \
             endpoint: {drill}\n    \
             compression: gzip\n    \
             tls:\n      \
               # The drill's listener speaks no TLS: keep it on a network of its own.\n      \
               insecure: true\n    \
             sending_queue:\n      \
               # Batches that may wait: some ten seconds of a large peak.\n      \
               queue_size: 5000\n    \
             retry_on_failure:\n      \
               # The drill says \"try again\" when it has too much: spans that come a minute late count as late.\n      \
               initial_interval: 200ms\n      \
               max_interval: 2s\n      \
               max_elapsed_time: 60s\n\
         {}\
         service:\n  pipelines:\n",
        if rest.is_some() { "  batch: {}\n" } else { "" },
        rest.map_or_else(String::new, backend),
    ));
    for signal in ["traces", "metrics"] {
        text.push_str(&pipeline(&format!("{signal}/peakdrill"), "batch/peakdrill", "otlp/peakdrill"));
        if rest.is_some() {
            text.push_str(&pipeline(signal, "batch", "otlp/backend"));
        }
    }
    if rest.is_some() {
        text.push_str(&pipeline("logs", "batch", "otlp/backend"));
    }
    text
}

fn whole_head(tee: &Tee<'_>) -> String {
    format!(
        "# otelcol --config FILE\nreceivers:\n  otlp:\n    protocols:\n      grpc:\n        endpoint: {}\n      \
         http:\n        endpoint: {}\n",
        tee.listen_grpc, tee.listen_http
    )
}

fn backend(tee: &Tee<'_>) -> String {
    format!(
        "  otlp/backend:\n    # Where everything goes besides. Without TLS: say what yours needs.\n    \
         endpoint: {}\n    tls:\n      insecure: true\n",
        tee.backend
    )
}

fn pipeline(name: &str, processor: &str, exporter: &str) -> String {
    format!(
        "    {name}:\n      receivers: [otlp]\n      processors: [{processor}]\n      exporters: [{exporter}]\n"
    )
}
