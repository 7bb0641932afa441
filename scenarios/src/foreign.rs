//! What other tools call things that stand here under another name.

/// A foreign key, whose it is, and what to write instead.
pub(crate) struct Foreign {
    pub(crate) key: &'static str,
    pub(crate) tool: &'static str,
    pub(crate) here: &'static str,
}

const fn f(key: &'static str, tool: &'static str, here: &'static str) -> Foreign {
    Foreign { key, tool, here }
}

const TABLE: &[Foreign] = &[
    f("arrivalRate", "Artillery", "`rate: 500/s` in a `hold` shape"),
    f("arrivalCount", "Artillery", "`shape: { hold: { rate: …, for: … } }`"),
    f("rampTo", "Artillery", "`shape: { ramp: { from: …, to: …, over: … } }`"),
    f("maxVusers", "Artillery", "`load.max_in_flight`"),
    f("flow", "Artillery", "`steps`"),
    f("scenarios", "Artillery and k6", "`journeys`"),
    f("capture", "Artillery", "`extract: { name: $.path }`"),
    f("expect", "Artillery", "`check: [\"status == 200\"]`"),
    f("ensure", "Artillery", "`gates`"),
    f("beforeRequest", "Artillery", "built in nowhere: a scenario has no scripts"),
    f("processor", "Artillery", "built in nowhere: a scenario has no scripts"),
    f("payload", "Artillery", "`feeders`"),
    f("variables", "Artillery", "`vars`"),
    f("config", "Artillery", "top-level keys: `targets`, `load`"),
    f("url", "Artillery and k6", "`path` in a step, `base_url` in a target"),
    f("duration", "k6 and Artillery", "`for: 30s` in a `hold` shape (`over: 30s` in a `ramp`)"),
    f("target", "k6", "`to: 500/s` in a `ramp` shape"),
    f("stages", "k6", "`phases`, each with a `ramp` or `hold` shape"),
    f("vus", "k6", "`shape: { users: { count: …, for: … } }`"),
    f("preAllocatedVUs", "k6", "nothing to set; `load.max_in_flight` is a cap with a counter"),
    f("maxVUs", "k6", "`load.max_in_flight`"),
    f("startVUs", "k6", "`shape: { users: { count: …, for: … } }`"),
    f("iterations", "k6", "not a key: a rate and a time give the number of journeys"),
    f("thresholds", "k6", "`gates` for the verdict, `guards.stop` to end the run"),
    f("abortOnFail", "k6", "a condition under `guards.stop`"),
    f("delayAbortEval", "k6", "`measure: false` on the warm-up phase, `for 10s` in the condition"),
    f("executor", "k6", "the name of the shape: `hold`, `ramp`, `spike`, `steps`, `users`"),
    f("timeUnit", "k6", "part of the rate: `500/s`, `6000/min`"),
    f("startTime", "k6", "the order of `phases`"),
    f("gracefulStop", "k6", "`guards.on_stop: { drain: 5s }`"),
    f("startRate", "k6", "`from: 10/s` in a `ramp` shape"),
    f("options", "k6", "top-level keys: `load`, `gates`"),
    f("checks", "k6", "`check`"),
    f("params", "k6", "`headers` and `timeout` of the step"),
    f("tags", "k6", "`name` of the step, `labels` of the drill"),
    f("SharedArray", "k6", "`feeders: { order: sequential, scope: global }`"),
    f("noConnectionReuse", "k6", "`connections: { per: user }` of a target: one for each journey"),
    f("noVUConnectionReuse", "k6", "`connections: { per: user }` of a target"),
    f("insecureSkipTLSVerify", "k6", "`tls: { insecure: true }` of a target"),
    f("tlsAuth", "k6", "`tls: { cert: …, key: … }` of a target"),
    f("localIPs", "k6", "`connections: { from: […] }` of a target"),
    f("dns", "k6", "`resolve: { refresh: … }` of a target"),
    f("localAddresses", "Gatling", "`connections: { from: […] }` of a target"),
    f("shareConnections", "Gatling", "`connections: { per: pool }` of a target, which is the default"),
    f("sharedConnections", "Hyperfoil", "`connections: { max: … }` of a target"),
    f("constantUsersPerSec", "Gatling", "`shape: { hold: { rate: …, for: … } }`"),
    f("rampUsersPerSec", "Gatling", "`shape: { ramp: { from: …, to: …, over: … } }`"),
    f("rampUsers", "Gatling", "`shape: { hold: { rate: …, for: … } }`"),
    f("atOnceUsers", "Gatling", "`shape: { users: { count: …, for: … } }`"),
    f("constantConcurrentUsers", "Gatling", "`shape: { users: { count: …, for: … } }`"),
    f("stressPeakUsers", "Gatling", "`shape: { spike: … }`"),
    f("incrementUsersPerSec", "Gatling", "`shape: { steps: … }`"),
    f("injectOpen", "Gatling", "`load.phases`"),
    f("setUp", "Gatling", "`load.phases`"),
    f("assertions", "Gatling", "`gates`"),
    f("assertion", "Gatling and JMeter", "`gates`"),
    f("pace", "Gatling", "`think: 300ms`"),
    f("pause", "Gatling", "`think: 300ms..1500ms`"),
    f("baseUrl", "Gatling", "`base_url`"),
    f("feeder", "Gatling", "`feeders`"),
    f("feed", "Gatling", "`feeders`; columns are used as `${users.uid}`"),
    f("exec", "Gatling and k6", "`steps`"),
    f("saveAs", "Gatling", "`extract: { name: $.path }`"),
    f("maxDuration", "Gatling", "`guards.limits.duration`"),
    f("wait_time", "Locust", "`think: 300ms..1500ms`"),
    f("spawn_rate", "Locust", "`shape: { ramp: … }`"),
    f("spawn-rate", "Locust", "`shape: { ramp: … }`"),
    f("host", "Locust", "`base_url` of a target"),
    f("tasks", "Locust", "`steps` of a journey, `mix` for the weights"),
    f("run_time", "Locust", "`for: 30s` in a `hold` shape"),
    f("run-time", "Locust", "`for: 30s` in a `hold` shape"),
    f("users", "Locust", "`shape: { users: { count: …, for: … } }`"),
    f("hold-for", "Taurus", "`for: 30s` in a `hold` shape"),
    f("ramp-up", "Taurus", "`shape: { ramp: { from: 0/s, to: …, over: … } }`"),
    f("concurrency", "Taurus", "`shape: { users: { count: …, for: … } }`"),
    f("throughput", "Taurus and JMeter", "`rate: 500/s` in a `hold` shape"),
    f("execution", "Taurus", "`load`"),
    f("criteria", "Taurus", "`gates`, or `guards.stop`"),
    f("pass-fail", "Taurus", "`gates`, or `guards.stop`"),
    f("requests", "Taurus", "`steps`"),
    f("think-time", "Taurus", "`think: 300ms`"),
    f("data-sources", "Taurus", "`feeders`"),
    f("default-address", "Taurus", "`base_url` of a target"),
    f("extract-jsonpath", "Taurus", "`extract: { name: $.path }`"),
    f("assert", "Taurus", "`check` in a step, `gates` for the run"),
    f("threads", "JMeter", "`shape: { users: { count: …, for: … } }`"),
    f("rampUp", "JMeter", "`shape: { ramp: … }`"),
    f("loops", "JMeter", "not a key: a rate and a time give the number of journeys"),
    f("staircase", "Hyperfoil", "`shape: { steps: … }`"),
    f("constantRate", "Hyperfoil", "`shape: { hold: { rate: …, for: … } }`"),
    f("rampRate", "Hyperfoil", "`shape: { ramp: … }`"),
    f("usersPerSec", "Hyperfoil", "`rate: 500/s` in a `hold` shape"),
    f("isWarmup", "Hyperfoil", "`measure: false`"),
    f("forks", "Hyperfoil", "`mix`"),
    f("sla", "Hyperfoil", "`gates`"),
    f("schedule", "Yandex Tank", "`phases` with `ramp`, `hold` and `steps` shapes"),
    f("load_profile", "Yandex Tank", "`load.phases`"),
    f("autostop", "Yandex Tank", "`guards.stop`"),
];

/// A key of another tool; letter case, `-` and `_` do not matter.
pub(crate) fn look_up(key: &str) -> Option<&'static Foreign> {
    let fold = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let wanted = fold(key);
    TABLE
        .iter()
        .find(|entry| entry.key == key)
        .or_else(|| TABLE.iter().find(|entry| fold(entry.key) == wanted))
}

/// A statistic of another tool, and how it is written here.
pub(crate) fn statistic(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "http_req_duration" => ("k6", "`p95 < 500ms`"),
        "http_req_failed" => ("k6", "`error_rate < 1%`"),
        "http_reqs" | "iterations" => ("k6", "`rate`"),
        "dropped_iterations" => ("k6", "`schedule_miss < 0.1%`"),
        "checks" => ("k6", "`error_rate < 1%`: a failed check is an error"),
        "avg" | "mean" | "med" | "median" | "avg-rt" => ("k6 and Taurus", "a quantile: `p50`, `p99`"),
        "fail" | "failures" | "maxErrorRate" | "errorRate" | "error_ratio" => {
            ("Taurus and Artillery", "`error_rate < 1%`")
        }
        "rt" | "response_time" | "responseTime" | "latency" => ("Taurus and Gatling", "`p99 < 300ms`"),
        "rps" | "tps" | "throughput" | "qps" => ("other tools", "`rate`"),
        "successfulRequests" | "failedRequests" => ("Gatling", "`error_rate < 1%`"),
        _ => return None,
    })
}
