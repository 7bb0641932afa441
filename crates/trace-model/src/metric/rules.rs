//! The names. Of several that tell the same, the first is the closest to the resource: a container's own limit binds
//! before what its process sees.

use super::Measure::{
    CacheHits, CacheMisses, CpuCount, CpuPeriods, CpuTime, CpuUsage, CpuUtilisation, HostBusy, HostIdle,
    InFlight, MemoryLimit, MemoryUsed, PoolMax, PoolPending, PoolTimeouts, PoolUseTime, PoolUsed,
    PoolWaitTime, QueueDepth, SpansDropped, SpansProcessed, SpansStarted, ThrottledPeriods,
};
use super::{Measure, When};

/// A name, and what it says.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) measure: Measure,
    /// Labels that name the pool or queue.
    pub(super) of: &'static [&'static str],
    pub(super) when: When,
    /// Series of one source are summed.
    pub(super) source: &'static str,
}

const fn rule(name: &'static str, measure: Measure) -> Rule {
    Rule { name, measure, of: &[], when: When::Any, source: name }
}

impl Rule {
    const fn of(self, of: &'static [&'static str]) -> Self {
        Self { of, ..self }
    }

    const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }

    const fn source(self, source: &'static str) -> Self {
        Self { source, ..self }
    }
}

/// The name of a client's pool.
const POOL: &[&str] =
    &["db.client.connection.pool.name", "db.client.connections.pool.name", "pool.name", "pool", "name"];
const STATE: &[&str] = &["db.client.connection.state", "db.client.connections.state", "state"];
const USED: When = When::One(STATE, &["used", "active"]);
const HTTP_STATE: &[&str] = &["http.connection.state", "state"];
const HTTP_SERVER: &[&str] = &["server.address", "http.server"];
const MODE: &[&str] = &["cpu.mode", "state", "mode"];
/// Time in which a processor could have done more. Stolen time is none.
const RESTS: &[&str] = &["idle", "iowait", "wait"];
/// cAdvisor counts a pod's cgroup beside those of its containers.
const CONTAINER: When = When::Has("container");
const TOPIC: &[&str] = &["group", "consumergroup", "topic"];
const QUEUE: &[&str] = &["queue", "rabbitmq.queue.name"];
const READY: When = When::One(&["state"], &["ready"]);
const HEAP: When = When::One(&["jvm.memory.type", "type", "area"], &["heap"]);
const QUEUE_FULL: When = When::One(&["error.type"], &["queue_full"]);
const DROPPED: When = When::One(&["dropped"], &["true"]);

pub(super) const RULES: &[Rule] = &[
    // Processors: time.
    rule("container_cpu_usage_seconds_total", CpuTime).when(CONTAINER),
    rule("container.cpu.time", CpuTime),
    rule("container.cpu.usage.total", CpuTime),
    rule("k8s.pod.cpu.time", CpuTime),
    rule("process.cpu.time", CpuTime),
    rule("process_cpu_seconds_total", CpuTime),
    rule("jvm.cpu.time", CpuTime),
    rule("go.cpu.time", CpuTime),
    rule("dotnet.process.cpu.time", CpuTime),
    rule("process.runtime.cpython.cpu_time", CpuTime),
    rule("redis.cpu.time", CpuTime).when(When::One(&["state"], &["sys", "user"])).source(SINGLE_THREADED),
    rule("redis_cpu_sys_seconds_total", CpuTime).source(SINGLE_THREADED),
    rule("redis_cpu_user_seconds_total", CpuTime).source(SINGLE_THREADED),
    // Processors: in use.
    rule("k8s.pod.cpu_limit_utilization", CpuUtilisation),
    rule("k8s.container.cpu_limit_utilization", CpuUtilisation),
    rule("container.cpu.usage", CpuUsage),
    rule("k8s.pod.cpu.usage", CpuUsage),
    rule("k8s.container.cpu.usage", CpuUsage),
    rule("process.cpu.utilization", CpuUtilisation),
    rule("process.runtime.cpu.utilization", CpuUtilisation),
    rule("jvm.cpu.recent_utilization", CpuUtilisation),
    rule("process.runtime.jvm.cpu.utilization", CpuUtilisation),
    rule("process_cpu_usage", CpuUtilisation),
    // Processors: how many.
    rule("k8s.container.cpu.limit", CpuCount),
    rule("k8s.container.cpu_limit", CpuCount),
    rule("kube_pod_container_resource_limits", CpuCount).when(When::One(&["resource"], &["cpu"])),
    rule("jvm.cpu.count", CpuCount),
    rule("dotnet.process.cpu.count", CpuCount),
    rule("go.processor.limit", CpuCount),
    rule("go_sched_gomaxprocs_threads", CpuCount),
    rule("system_cpu_count", CpuCount),
    rule("container.cpu.logical.count", CpuCount),
    rule("system.cpu.logical.count", CpuCount),
    // Processors of a machine.
    rule("system.cpu.time", HostIdle).when(When::One(MODE, RESTS)),
    rule("system.cpu.time", HostBusy).when(When::Not(MODE, RESTS)),
    rule("node_cpu_seconds_total", HostIdle).when(When::One(MODE, RESTS)),
    rule("node_cpu_seconds_total", HostBusy).when(When::Not(MODE, RESTS)),
    rule("system.cpu.utilization", HostIdle).when(When::One(MODE, RESTS)),
    rule("system.cpu.utilization", HostBusy).when(When::Not(MODE, RESTS)),
    // Processors: the quota.
    rule("container.cpu.throttling_data.throttled_periods", ThrottledPeriods),
    rule("container.cpu.throttling_data.periods", CpuPeriods),
    rule("container_cpu_cfs_throttled_periods_total", ThrottledPeriods).when(CONTAINER),
    rule("container_cpu_cfs_periods_total", CpuPeriods).when(CONTAINER),
    // Memory.
    rule("k8s.pod.memory.working_set", MemoryUsed),
    rule("container_memory_working_set_bytes", MemoryUsed).when(CONTAINER),
    rule("container.memory.working_set", MemoryUsed),
    rule("container.memory.usage.total", MemoryUsed),
    rule("container.memory.usage", MemoryUsed),
    rule("k8s.pod.memory.usage", MemoryUsed),
    rule("jvm.memory.used", MemoryUsed).when(HEAP),
    rule("process.runtime.jvm.memory.usage", MemoryUsed).when(HEAP),
    rule("jvm_memory_used_bytes", MemoryUsed).when(HEAP),
    rule("redis_memory_used_bytes", MemoryUsed),
    rule("redis.memory.used", MemoryUsed),
    rule("process.memory.usage", MemoryUsed),
    rule("process_resident_memory_bytes", MemoryUsed),
    rule("go.memory.used", MemoryUsed),
    rule("k8s.container.memory.limit", MemoryLimit),
    rule("k8s.container.memory_limit", MemoryLimit),
    rule("kube_pod_container_resource_limits", MemoryLimit).when(When::One(&["resource"], &["memory"])),
    rule("container_spec_memory_limit_bytes", MemoryLimit).when(CONTAINER),
    rule("container.memory.usage.limit", MemoryLimit),
    rule("jvm.memory.limit", MemoryLimit).when(HEAP),
    rule("process.runtime.jvm.memory.limit", MemoryLimit).when(HEAP),
    rule("jvm_memory_max_bytes", MemoryLimit).when(HEAP),
    rule("redis_memory_max_bytes", MemoryLimit),
    rule("redis.maxmemory", MemoryLimit),
    rule("go.memory.limit", MemoryLimit),
    // Pools of connections.
    rule("db.client.connection.count", PoolUsed).of(POOL).when(USED),
    rule("db.client.connections.usage", PoolUsed).of(POOL).when(USED),
    rule("db.client.connection.max", PoolMax).of(POOL),
    rule("db.client.connections.max", PoolMax).of(POOL),
    rule("db.client.connection.pending_requests", PoolPending).of(POOL),
    rule("db.client.connections.pending_requests", PoolPending).of(POOL),
    rule("db.client.connection.wait_time", PoolWaitTime).of(POOL),
    rule("db.client.connections.wait_time", PoolWaitTime).of(POOL),
    rule("db.client.connection.use_time", PoolUseTime).of(POOL),
    rule("db.client.connections.use_time", PoolUseTime).of(POOL),
    rule("db.client.connection.timeouts", PoolTimeouts).of(POOL),
    rule("db.client.connections.timeouts", PoolTimeouts).of(POOL),
    rule("hikaricp_connections_active", PoolUsed).of(POOL),
    rule("hikaricp_connections_max", PoolMax).of(POOL),
    rule("hikaricp_connections_pending", PoolPending).of(POOL),
    rule("hikaricp_connections_acquire_seconds", PoolWaitTime).of(POOL),
    rule("hikaricp_connections_usage_seconds", PoolUseTime).of(POOL),
    rule("hikaricp_connections_timeout_total", PoolTimeouts).of(POOL),
    rule("http.client.open_connections", PoolUsed).of(HTTP_SERVER).when(When::One(HTTP_STATE, &["active"])),
    // Connections that a server lets in.
    rule("postgresql.backends", PoolUsed),
    rule("postgresql.connection.max", PoolMax),
    rule("pg_stat_activity_count", PoolUsed),
    rule("pg_settings_max_connections", PoolMax),
    rule("redis_connected_clients", PoolUsed),
    rule("redis_config_maxclients", PoolMax),
    rule("redis.clients.connected", PoolUsed),
    rule("redis.clients.max", PoolMax),
    rule("mysql_global_status_threads_connected", PoolUsed),
    rule("mysql_global_variables_max_connections", PoolMax),
    // Requests and messages.
    rule("http.server.active_requests", InFlight),
    rule("kafka.consumer_group.lag", QueueDepth).of(TOPIC),
    rule("kafka.consumer_group.lag_sum", QueueDepth).of(TOPIC),
    rule("kafka_consumergroup_lag", QueueDepth).of(TOPIC),
    rule("kafka_consumergroup_lag_sum", QueueDepth).of(TOPIC),
    rule("kafka.consumer.records_lag", QueueDepth).of(TOPIC),
    rule("rabbitmq_queue_messages", QueueDepth).of(QUEUE),
    rule("rabbitmq_queue_messages_ready", QueueDepth).of(QUEUE),
    rule("rabbitmq.message.current", QueueDepth).of(QUEUE).when(READY),
    // Caches.
    rule("redis.keyspace.hits", CacheHits),
    rule("redis.keyspace.misses", CacheMisses),
    rule("redis_keyspace_hits_total", CacheHits),
    rule("redis_keyspace_misses_total", CacheMisses),
    // The telemetry itself.
    rule("otel.sdk.span.started", SpansStarted),
    rule("otel.sdk.processor.span.processed", SpansDropped).when(QUEUE_FULL),
    rule("otel.sdk.processor.span.processed", SpansProcessed),
    rule("processedSpans", SpansDropped).when(DROPPED),
    rule("processedSpans", SpansProcessed),
];

/// The source of processor time of which one processor is all that can be used.
pub(super) const SINGLE_THREADED: &str = "redis.cpu.time";
