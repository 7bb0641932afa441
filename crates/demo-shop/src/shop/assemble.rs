//! Puts the services together.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::serve::ListenerExt as _;
use peakdrill_shadow_router::{HttpClient, Mode, Position, RegistryPoller, Router};
use peakdrill_shadow_tag::{KEYS_FILE_MAX_BYTES, RunTable, Verifier, VerifyingKeys};
use peakdrill_timebase::{MonoNs, OsClock};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::DRAIN_MAX;
use super::prepare::Listeners;
use crate::Error;
use crate::caller::{Caller, Client, Peer, plain_client};
use crate::capacity::Capacity;
use crate::config::{Config, Node, OrderDatabase, Registry, Service};
use crate::db::schema::{FULFILMENT, ORDERS, PAYMENT, STOCK, Schema};
use crate::db::{Database, Place, Pool};
use crate::files::read_text;
use crate::hop::Hop;
use crate::live_users::Users;
use crate::queue::{Queue, Queued};
use crate::rules::{self, Hosts, sqlite_path};
use crate::services::bank::{Bank, Counts};
use crate::services::fulfilment::Fulfilment;
use crate::services::gateway::Gateway;
use crate::services::order::Order;
use crate::services::payment::Payment;
use crate::services::stock::Stock;
use crate::slots::Slots;
use crate::telemetry::Telemetry;

/// A shop that is open.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) users: JoinSet<Result<(), Error>>,
    pub(super) servers: JoinSet<Result<(), Error>>,
    pub(super) consumer: JoinSet<Result<(), Error>>,
    pub(super) stop_users: watch::Sender<bool>,
    pub(super) stop_servers: watch::Sender<bool>,
    pub(super) drain_queue: watch::Sender<bool>,
    pub(super) databases: Vec<Arc<Database>>,
    pub(super) telemetry: Vec<Telemetry>,
    pub(super) bank: Arc<Bank>,
    pub(super) bank_file: PathBuf,
    clock: OsClock,
    gateway: std::net::SocketAddr,
}

/// What is shared while services are put together.
struct Builder<'a> {
    config: &'a Config,
    hosts: Hosts,
    verifier: Arc<Verifier>,
    clock: OsClock,
    databases: Vec<Arc<Database>>,
    telemetry: Vec<Telemetry>,
}

impl Shop {
    /// Builds all services and opens them.
    pub(super) async fn assemble(
        config: &Config,
        listeners: Listeners,
        verifier: Arc<Verifier>,
        clock: OsClock,
    ) -> Result<Self, Error> {
        let hosts = listeners.hosts;
        let mut builder =
            Builder { config, hosts, verifier, clock, databases: Vec::new(), telemetry: Vec::new() };
        let peer = |name, address| Peer { name, address };
        let (order, stock) = (peer("order", hosts.order), peer("stock", hosts.stock));
        let (payment, bank) = (peer("payment", hosts.payment), peer("bank", hosts.bank));
        let (queue, messages) = Queue::new(Arc::new(builder.slots(Node::Queue)));
        let (stop_users, _) = watch::channel(false);
        let (stop_servers, stopped) = watch::channel(false);
        let (drain_queue, draining) = watch::channel(false);
        let mut servers = JoinSet::new();
        let mut open = |listener, routes| servers.spawn(serve(listener, routes, stopped.clone()));

        let gateway = Gateway {
            hop: builder.hop(Service::Gateway)?,
            slots: builder.slots(Node::Gateway),
            order,
            stock,
        };
        open(listeners.gateway, Arc::new(gateway).routes());
        let (hop, db) = builder.with_database(Service::Order, &ORDERS).await?;
        let service = Order { hop, slots: builder.slots(Node::Order), db, stock, payment, queue };
        open(listeners.order, Arc::new(service).routes());
        let (hop, db) = builder.with_database(Service::Stock, &STOCK).await?;
        open(listeners.stock, Arc::new(Stock { hop, slots: builder.slots(Node::Stock), db }).routes());
        let (hop, db) = builder.with_database(Service::Payment, &PAYMENT).await?;
        let service = Payment { hop, slots: builder.slots(Node::Payment), db, bank };
        open(listeners.payment, Arc::new(service).routes());
        let bank = Arc::new(builder.bank());
        open(listeners.bank, Arc::clone(&bank).routes());
        let (hop, db) = builder.with_database(Service::Fulfilment, &FULFILMENT).await?;
        let consumer = consumer(builder.fulfilment(hop, db), messages, draining);

        let bank_file = config.dir.join("bank.json");
        let (counting, path) = (Arc::clone(&bank), bank_file.clone());
        servers.spawn(async move { counting.counts.keep_written(path, stopped).await });
        let Builder { databases, telemetry, .. } = builder;
        Ok(Self {
            users: JoinSet::new(),
            servers,
            consumer,
            stop_users,
            stop_servers,
            drain_queue,
            databases,
            telemetry,
            bank,
            bank_file,
            clock,
            gateway: listeners.gateway_address,
        })
    }

    /// Lets the live users in. Their counts can be read from then on.
    pub(super) fn start_users(&mut self, config: &Config, from: MonoNs) -> Result<(), Error> {
        let client = client(Service::Gateway)?;
        let users = Arc::new(Users::new(client, self.gateway, self.clock, config.live, &config.dir));
        users.write()?;
        self.users.spawn(users.act(from, self.stop_users.subscribe(), DRAIN_MAX * 3 / 4));
        Ok(())
    }
}

impl Builder<'_> {
    /// Another seed for the service times of each node.
    fn seed(&self, node: Node) -> u64 {
        self.config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(node as u64)
    }

    fn slots(&self, node: Node) -> Slots {
        Slots::new(Capacity::of(node, self.config.bottleneck), self.seed(node), self.clock)
    }

    fn bank(&self) -> Bank {
        let (slots, verifier) = (self.slots(Node::Bank), Arc::clone(&self.verifier));
        Bank { slots, verifier, counts: Counts::default() }
    }

    fn fulfilment(&self, hop: Hop, db: Arc<Database>) -> Fulfilment {
        let quarantine = self.config.dir.join("quarantine.jsonl");
        Fulfilment { hop, db, clock: self.clock, quarantine, set_aside: AtomicU64::new(0) }
    }

    fn hop(&mut self, service: Service) -> Result<Hop, Error> {
        let failed = |error: peakdrill_shadow_router::Error| Error::router(service, &error);
        let telemetry = Telemetry::start(service, self.config)?;
        let tracer = telemetry.tracer();
        let router = self.router(service)?;
        let client = match &router {
            Some(router) => {
                router.register_metrics(&telemetry.meter());
                let client = HttpClient::new(router, plain_client()).map_err(failed)?;
                Client::Routed(client.stub_seed(self.seed(Node::Bank)))
            }
            None => Client::Raw(client(service)?),
        };
        self.telemetry.push(telemetry);
        Ok(Hop { router, caller: Caller::new(client, tracer.clone()), tracer })
    }

    fn router(&self, service: Service) -> Result<Option<Router>, Error> {
        // Rules are written for every service, also for one that does not mind them.
        let rules = rules::load(service, self.config, &self.hosts)?;
        if self.config.mistakes.without_middleware == Some(service) {
            return Ok(None);
        }
        let position = if service == Service::Gateway { Position::Edge } else { Position::Inner };
        let router = Router::builder(service.as_str())
            .position(position)
            .mode(Mode::Enforce)
            .verifier(Arc::clone(&self.verifier))
            .rules(rules)
            .build();
        router.map(Some).map_err(|error| Error::router(service, &error))
    }

    async fn with_database(
        &mut self,
        service: Service,
        schema: &Schema,
    ) -> Result<(Hop, Arc<Database>), Error> {
        let hop = self.hop(service)?;
        let slots = (service == Service::Order).then(|| self.slots(Node::OrderDb));
        let path = sqlite_path(&self.config.dir, schema);
        let place = match &self.config.orders {
            OrderDatabase::Postgres(dsn) if service == Service::Order => Place::Postgres(dsn),
            _ => Place::Sqlite(&path),
        };
        let pool = Pool::connect(hop.router.as_ref(), place)
            .await
            .map_err(|error| Error::router(service, &format!("{}: {error:?}", schema.database)))?;
        let database = Arc::new(Database::new(schema.database, pool, hop.tracer.clone(), slots));
        self.databases.push(Arc::clone(&database));
        Ok((hop, database))
    }
}

/// Who verifies claims: one for all services, since they live in one process here.
pub(super) fn verifier(config: &Config) -> Result<Arc<Verifier>, Error> {
    let path = &config.keys;
    let text = read_text(path, KEYS_FILE_MAX_BYTES as u64)?;
    let keys = VerifyingKeys::from_json(&text).map_err(|error| Error::content(path, error))?;
    Ok(Arc::new(Verifier::new(config.env, keys, RunTable::default())))
}

/// Brings the verifier news of the runs. Returns once the registry was asked for the first time, whatever it said:
/// it may well come up after the shop.
pub(super) async fn follow_registry(
    config: &Config,
    verifier: &Arc<Verifier>,
) -> Result<RegistryPoller, Error> {
    let failed = |error: peakdrill_shadow_router::Error| Error::Registry(error.to_string());
    let router = Router::builder("demo-shop").verifier(Arc::clone(verifier)).build().map_err(failed)?;
    let mut poller = match &config.registry {
        Registry::Url(url) => RegistryPoller::http(&router, url).map_err(failed)?,
        Registry::File(path) => RegistryPoller::file(&router, path),
    };
    poller.next().await;
    Ok(poller)
}

fn consumer(
    fulfilment: Fulfilment,
    messages: mpsc::Receiver<Queued>,
    draining: watch::Receiver<bool>,
) -> JoinSet<Result<(), Error>> {
    let mut consumer = JoinSet::new();
    consumer.spawn(async move {
        Arc::new(fulfilment).consume(messages, draining).await;
        Ok(())
    });
    consumer
}

fn client(service: Service) -> Result<reqwest::Client, Error> {
    plain_client().build().map_err(|error| Error::router(service, &error))
}

async fn serve(
    listener: TcpListener,
    routes: axum::Router,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Error> {
    // Small answers are sent at once; a socket that cannot be told so still works.
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    let served = axum::serve(listener, routes).with_graceful_shutdown(async move {
        // Without the sender the shop is gone, and serving ends too.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    });
    served.await.map_err(|source| Error::Network { what: "server", source })
}
