//! The names that are known, each with a slot of its own.

macro_rules! keys {
    ($($key:ident = $name:literal),+ $(,)?) => {
        /// A known attribute.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Key {
            $($key),+
        }

        /// How many there are.
        pub(super) const KEYS: usize = [$(Key::$key),+].len();

        impl Key {
            pub(super) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$key),)+
                    _ => None,
                }
            }
        }
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
    // HTTP.
    HttpMethod = "http.request.method",
    HttpMethodOld = "http.method",
    HttpRoute = "http.route",
    UrlTemplate = "url.template",
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
}
