//! The names that are known, each with a slot of its own.

macro_rules! keys {
    ($($key:ident = $name:literal),+ $(,)?) => {
        /// An attribute whose meaning is known.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is named as its attribute")]
        pub enum Key {
            $($key),+
        }

        /// All, with their names.
        const NAMES: &[(Key, &str)] = &[$((Key::$key, $name)),+];
    };
}

keys! {
    // Resource.
    ServiceName = "service.name",
    ServiceInstanceId = "service.instance.id",
    PodName = "k8s.pod.name",
    ContainerId = "container.id",
    HostName = "host.name",
    HostId = "host.id",
    ProcessPid = "process.pid",
    // Peer.
    PeerName = "service.peer.name",
    PeerServiceOld = "peer.service",
    ServerAddress = "server.address",
    ServerPort = "server.port",
    NetworkPeerAddress = "network.peer.address",
    NetworkPeerPort = "network.peer.port",
    NetPeerNameOld = "net.peer.name",
    NetPeerPortOld = "net.peer.port",
    NetPeerIpOld = "net.peer.ip",
    NetSockPeerNameOld = "net.sock.peer.name",
    NetSockPeerAddrOld = "net.sock.peer.addr",
    NetSockPeerPortOld = "net.sock.peer.port",
    // Database.
    DbSystemName = "db.system.name",
    DbSystem = "db.system",
    DbNamespace = "db.namespace",
    DbNameOld = "db.name",
    DbMssqlInstanceOld = "db.mssql.instance_name",
    DbRedisIndexOld = "db.redis.database_index",
    DbQuerySummary = "db.query.summary",
    DbOperationName = "db.operation.name",
    DbOperationOld = "db.operation",
    DbCollectionName = "db.collection.name",
    DbStoredProcedure = "db.stored_procedure.name",
    DbSqlTableOld = "db.sql.table",
    DbCassandraTableOld = "db.cassandra.table",
    DbMongodbCollectionOld = "db.mongodb.collection",
    DbQueryText = "db.query.text",
    DbStatementOld = "db.statement",
    // Of any name: see [`DB_PARAMETER`].
    DbQueryParameter = "db.query.parameter",
    // RPC.
    RpcSystemName = "rpc.system.name",
    RpcSystem = "rpc.system",
    RpcService = "rpc.service",
    RpcMethod = "rpc.method",
    RpcResponseStatus = "rpc.response.status_code",
    RpcGrpcStatusOld = "rpc.grpc.status_code",
    RpcConnectErrorOld = "rpc.connect_rpc.error_code",
    RpcJsonrpcErrorOld = "rpc.jsonrpc.error_code",
    GrpcPreviousAttempts = "grpc.previous-rpc-attempts",
    // Messaging.
    MessagingSystem = "messaging.system",
    MessagingDestinationTemplate = "messaging.destination.template",
    MessagingDestinationName = "messaging.destination.name",
    MessagingDestinationOld = "messaging.destination",
    MessagingTemporary = "messaging.destination.temporary",
    MessagingAnonymous = "messaging.destination.anonymous",
    MessagingOperationType = "messaging.operation.type",
    MessagingOperationOld = "messaging.operation",
    MessagingPartition = "messaging.destination.partition.id",
    MessagingKafkaPartitionOld = "messaging.kafka.destination.partition",
    MessagingKafkaPartitionOlder = "messaging.kafka.partition",
    MessagingMessageId = "messaging.message.id",
    MessagingMessageIdOld = "messaging.message_id",
    MessagingKafkaOffset = "messaging.kafka.offset",
    MessagingKafkaOffsetOld = "messaging.kafka.message.offset",
    MessagingGroup = "messaging.consumer.group.name",
    MessagingKafkaGroupOld = "messaging.kafka.consumer.group",
    MessagingKafkaGroupOlder = "messaging.kafka.consumer_group",
    MessagingEventhubsGroupOld = "messaging.eventhubs.consumer.group",
    MessagingSubscription = "messaging.destination.subscription.name",
    MessagingKafkaKey = "messaging.kafka.message.key",
    MessagingKafkaKeyOld = "messaging.kafka.message_key",
    // HTTP.
    HttpMethod = "http.request.method",
    HttpMethodOld = "http.method",
    HttpRoute = "http.route",
    UrlTemplate = "url.template",
    UrlPath = "url.path",
    HttpTargetOld = "http.target",
    UrlFull = "url.full",
    HttpUrlOld = "http.url",
    HttpHostOld = "http.host",
    HttpResponseStatus = "http.response.status_code",
    HttpStatusOld = "http.status_code",
    HttpResend = "http.request.resend_count",
    HttpResendOld = "http.resend_count",
    HttpRetryOld = "http.retry_count",
    // All.
    ErrorType = "error.type",
    SyntheticType = "user_agent.synthetic.type",
    Mocked = "peakdrill.mocked",
    WorkKey = "peakdrill.key",
}

/// What the names of a query's parameters begin with; the first of them is [`Key::DbQueryParameter`].
const DB_PARAMETER: &[u8] = b"db.query.parameter.";

/// How many there are.
pub(super) const KEYS: usize = NAMES.len();
/// Slots of the table by hash: a power of two, few of them taken.
const SLOTS: usize = 512;

/// Where each name's hash leads. Made at compile time; a slot that is taken leads on to the next.
static TABLE: [Option<Key>; SLOTS] = table();

const fn table() -> [Option<Key>; SLOTS] {
    let mut slots = [None; SLOTS];
    let mut at = 0;
    while at < KEYS {
        let (key, name) = NAMES[at];
        let mut slot = slot_of(name.as_bytes());
        while slots[slot].is_some() {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = Some(key);
        at += 1;
    }
    slots
}

/// By the length and the last bytes: names differ most at their ends.
const fn slot_of(name: &[u8]) -> usize {
    let mut hash = name.len() as u32;
    let mut back = 1;
    while back <= 6 && back <= name.len() {
        hash = (hash ^ name[name.len() - back] as u32).wrapping_mul(0x0100_0193);
        back += 1;
    }
    ((hash >> 15) ^ hash) as usize % SLOTS
}

impl Key {
    /// The attribute of this name, where its meaning is known.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let mut slot = slot_of(name);
        while let Some(key) = TABLE[slot] {
            if NAMES[key as usize].1.as_bytes() == name {
                return Some(key);
            }
            slot = (slot + 1) % SLOTS;
        }
        // Names of nothing else are as long and begin with `db.`, so that most are told by a byte or two.
        name.starts_with(DB_PARAMETER).then_some(Self::DbQueryParameter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for (key, name) in NAMES {
            assert_eq!(Key::from_name(name.as_bytes()), Some(*key), "{name}");
            assert_eq!(Key::from_name(&name.as_bytes()[1..]), None);
            let longer = Some(Key::DbQueryParameter).filter(|parameter| parameter == key);
            assert_eq!(Key::from_name(format!("{name}.x").as_bytes()), longer);
        }
        assert_eq!(Key::from_name(b""), None);
    }

    #[test]
    fn the_table_is_sparse_enough() {
        let runs = TABLE.split(Option::is_none).map(<[_]>::len).max();
        assert!(runs < Some(6), "{runs:?}");
    }
}
