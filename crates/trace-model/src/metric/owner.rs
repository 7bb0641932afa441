//! Whose a metric is.

use super::{Labels, find};
use crate::semconv::{NODE_BYTES_MAX, UNKNOWN_SERVICE, cut};

/// Whose a metric is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The service, as its spans name it; a machine is `host NAME`.
    pub service: String,
    /// Which of its instances; empty when nothing tells.
    pub instance: String,
}

/// The attribute by which a drill says whose an endpoint is: before anything that its series say of themselves.
pub const GIVEN_SERVICE: &str = "peakdrill.service";

const SERVICES: [&str; 9] = [
    GIVEN_SERVICE,
    "service.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.container.name",
    "container.name",
    "container",
    "deployment",
];
const INSTANCES: [&str; 5] = ["service.instance.id", "k8s.pod.name", "pod", "container.id", "instance"];
const HOSTS: [&str; 3] = ["host.name", "k8s.node.name", "host.id"];

/// Reads the attributes of a resource, or the labels of a scraped series.
#[must_use]
pub fn owner(labels: &Labels<'_>) -> Owner {
    let first = |names: &[&str]| names.iter().find_map(|name| find(labels, name));
    let host = first(&HOSTS);
    let service = first(&SERVICES).map(str::to_owned);
    let service = service.or_else(|| host.map(|host| format!("host {host}")));
    let process = find(labels, "process.pid").map(|pid| format!("/{pid}")).unwrap_or_default();
    let instance = first(&INSTANCES).map(str::to_owned);
    let instance = instance.unwrap_or_else(|| format!("{}{process}", host.unwrap_or_default()));
    Owner {
        service: cut(service.unwrap_or_else(|| UNKNOWN_SERVICE.to_owned()), NODE_BYTES_MAX),
        instance: cut(instance, NODE_BYTES_MAX),
    }
}
