//! Families that are held out: nobody who changes the analysis looks at how it does with them. What is drawn of them was
//! decided by what is known of real systems.

use peakdrill_drill_model::verdict::NodeKind;

use super::applications::{beside, own_database, query};
use crate::model::{Attempts, Call, Step};
use crate::topology::Draft;

/// A store whose data are divided unevenly among nodes that run the same program: the largest tenants are on the first.
struct Shards {
    name: &'static str,
    /// Of the statements, by shard; they add up to 1.
    parts: Vec<f64>,
    nodes: Vec<Option<usize>>,
}

impl Shards {
    fn new(draft: &mut Draft, name: &'static str) -> Self {
        let count = draft.whole(3, 4) as usize;
        let first = draft.between(0.38, 0.55);
        let left = (1.0 - first) / (count - 1) as f64;
        let parts = (0..count).map(|at| if at == 0 { first } else { left }).collect();
        Self { name, parts, nodes: vec![None; count] }
    }

    /// So many statements of one kind, one after the other, at the one shard that has what they are about: the same work at
    /// each of them.
    fn ask(&mut self, draft: &mut Draft, caller: usize, times: u32, weight: f64) {
        let mut calls = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let to = query(draft, &mut self.nodes[at], &format!("{}-{at}", self.name));
            draft.weigh(to, weight);
            calls.push(Call { chance: *part, times, ..Call::plain(to) });
        }
        draft.net.ops[caller].steps.push(Step::OneOf(calls));
    }

    /// All that is asked of it is drawn.
    fn done(self, draft: &mut Draft) {
        draft.twins.push(self.nodes.into_iter().flatten().collect());
    }
}

/// An operation of each of these kinds of journeys at the node of the first, which the others are weighed by.
fn routes<const N: usize>(draft: &mut Draft, first: usize, names: [&str; N]) -> Vec<usize> {
    let mut all = vec![first];
    all.extend(names.map(|name| beside(draft, first, name)));
    for op in &all {
        let weight = draft.around(0.5, 2.0);
        draft.weigh(*op, weight);
    }
    all
}

/// Read through a cache: looked up there, and for this part of the times at who keeps it.
fn through(draft: &mut Draft, caller: usize, cache: usize, missed: usize, (few, many): (f64, f64)) {
    let chance = draft.between(few, many);
    draft.then(caller, Call::plain(cache));
    draft.then(caller, Call { chance, ..Call::plain(missed) });
}

/// Two tiers behind a web server, as companies built their applications for twenty years and still run them. Web and application
/// tier keep a thread for each request, and what a page shows is asked of the latter in one to three calls. The modules of the application
/// share one pool of connections to one database: a request keeps one from its first query to its end. Orders ask the host
/// of the company, tens to hundreds of milliseconds away, while their transaction is open, and are billed later by a worker
/// that asks the same database over connections of its own. One request in eight or so is a report, whose query is several
/// times the work of others. Who signs in is looked up in the directory.
pub(super) fn tiers(draft: &mut Draft) {
    let modules = ["orders", "billing", "reports"];
    let server = draft.service("httpd");
    draft.light(server);
    let pages = routes(draft, server, ["POST /orders", "GET /billing", "GET /reports"]);
    let parts = [0.36, 0.32, 0.2, 0.12];
    draft.mix(&pages.iter().copied().zip(parts).collect::<Vec<_>>());
    let web = draft.service("web");
    let views = routes(draft, web, modules);
    let app = draft.service("app");
    let beans = routes(draft, app, modules);
    for tier in [web, app] {
        // A number until the nodes are sized.
        draft.node_of(tier).workers = Some(1);
        let accept = draft.is(0.5);
        draft.node_of(tier).accept = accept;
    }
    let directory = draft.add(NodeKind::External, "directory");
    let signs_in = draft.between(0.2, 0.5);
    for ((page, view), bean) in pages.into_iter().zip(views).zip(&beans) {
        draft.then(page, Call::plain(view));
        draft.then(view, Call { chance: signs_in, ..Call::plain(directory) });
        // An order is placed once; what is shown is asked for in pieces.
        let times = if *bean == beans[1] { 1 } else { draft.whole(1, 3) };
        draft.then(view, Call { times, ..Call::plain(*bean) });
    }
    let kept = draft.cache("object-cache");
    draft.then(beans[0], Call::plain(kept));
    transactions(draft, &beans);
}

/// What catalogue, orders, billing and reports do within a connection of the pool that they share.
fn transactions(draft: &mut Draft, beans: &[usize]) {
    let invoices = draft.add(NodeKind::Queue, "invoices");
    draft.node_of(invoices).accept = true;
    let host = draft.add(NodeKind::External, "host");
    let far = draft.net.ops[host].node;
    draft.remote.push(far);
    draft.net.held.push(1);
    let mut db = None;
    let mut ask = |draft: &mut Draft, op: usize, (few, many): (u32, u32)| {
        let statement = query(draft, &mut db, "core-db");
        let times = draft.whole(few, many);
        draft.then(op, Call { times, ..Call::plain(statement) });
        statement
    };
    for (bean, queries) in beans.iter().zip([(1, 4), (2, 4), (1, 3), (1, 1)]) {
        draft.net.ops[*bean].steps.push(Step::Hold(0));
        let statement = ask(draft, *bean, queries);
        if *bean == beans[3] {
            let weight = draft.between(3.0, 8.0);
            draft.weigh(statement, weight);
        }
    }
    draft.then(beans[1], Call::plain(host));
    ask(draft, beans[1], (1, 2));
    draft.net.ops[beans[1]].steps.push(Step::Publish(invoices));
    ask(draft, invoices, (2, 4));
}

/// A gateway before the interfaces that a company offers to others. Every request is let in by a sidecar, which looks its token
/// up in a cache and asks who gave it out for one in seven or so, and by a limiter, which counts it in a cache by key, tenant
/// and route; and every one is told of to a log by a queue. Half of the services have a sidecar too that decides whether this
/// user may. Behind them is one store in shards, by a router, of which one has several times the tenants of each of the
/// others; items are read through a cache before it, and offers come from a partner as well.
pub(super) fn gateway(draft: &mut Draft) {
    let gateway = draft.service("gateway");
    let entries = routes(draft, gateway, ["GET /offers", "POST /orders", "GET /account"]);
    let parts = [0.37, 0.33, 0.18, 0.12];
    draft.mix(&entries.iter().copied().zip(parts).collect::<Vec<_>>());
    let (tokens, limits) = (draft.service("authz"), draft.service("limits"));
    [tokens, limits].into_iter().for_each(|sidecar| draft.light(sidecar));
    let services = ["items", "offers", "orders", "account"].map(|name| draft.service(name));
    let log = draft.add(NodeKind::Queue, "access-log");
    draft.node_of(log).accept = true;
    for (entry, service) in entries.into_iter().zip(services) {
        [tokens, limits, service].into_iter().for_each(|next| draft.then(entry, Call::plain(next)));
        draft.net.ops[entry].steps.push(Step::Publish(log));
    }
    let lines = draft.add(NodeKind::Database, "log-store");
    draft.then(log, Call::plain(lines));
    let (counters, counts) = (draft.cache("counters"), draft.whole(1, 3));
    draft.then(limits, Call { times: counts, ..Call::plain(counters) });
    whose_token(draft, tokens);
    for service in services {
        if draft.is(0.5) {
            let name = format!("{}-policy", draft.node_of(service).name);
            let policy = draft.service(name);
            draft.light(policy);
            draft.then(service, Call::plain(policy));
        }
    }
    store(draft, services);
}

/// Tokens are known for a while; who gave them out is asked for the others: a service of the company's own, or one of another
/// company's, which fails in some of a thousand calls and is asked once more.
fn whose_token(draft: &mut Draft, authz: usize) {
    let known = draft.cache("tokens");
    if draft.is(0.6) {
        let identity = draft.service("identity");
        through(draft, authz, known, identity, (0.08, 0.35));
        own_database(draft, "identity-db", &[identity]);
        return;
    }
    let provider = draft.outside("identity-provider");
    draft.net.ops[provider].fails = draft.between(0.002, 0.01);
    let (chance, backoff_ms) = (draft.between(0.08, 0.35), draft.between(10.0, 50.0));
    draft.then(authz, Call::plain(known));
    let style = Attempts::Bare;
    draft.then(authz, Call { chance, attempts: 2, backoff_ms, style, ..Call::plain(provider) });
}

/// What items, offers, orders and account ask, by a router that knows the shards.
fn store(draft: &mut Draft, [items, offers, orders, account]: [usize; 4]) {
    let looked_up = draft.cache("items-cache");
    let partner = draft.outside("partner");
    let router = draft.service("store-router");
    draft.light(router);
    let statements = routes(draft, router, ["list", "write", "read"]);
    through(draft, items, looked_up, statements[0], (0.25, 0.7));
    let asked = draft.between(0.3, 1.0);
    draft.together(offers, vec![Call::plain(statements[1]), Call { chance: asked, ..Call::plain(partner) }]);
    for (service, statement, (few, many)) in [(orders, 2, (2, 4)), (account, 3, (1, 3))] {
        let times = draft.whole(few, many);
        draft.then(service, Call { times, ..Call::plain(statements[statement]) });
    }
    let mut shards = Shards::new(draft, "store");
    for statement in statements {
        let weight = draft.around(0.4, 2.5);
        shards.ask(draft, statement, 1, weight);
    }
    shards.done(draft);
}

/// A search whose index is divided: a root asks all partitions at once, or by two nodes between that ask half of them each, and
/// waits for the last. Partitions are as large as each other, and run the same program; older documents are in an archive on
/// slower machines, which four to nine of ten searches ask too. Words are rewritten before, hits are ordered by a model
/// after, and then documents are loaded. Searches that others have made are answered from a cache. One journey in five asks for what
/// is like a document, which no cache knows, and one in four only completes a word.
pub(super) fn search(draft: &mut Draft) {
    let front = draft.service("search-web");
    let entries = routes(draft, front, ["GET /similar", "GET /suggest"]);
    draft.mix(&[(entries[0], 0.55), (entries[1], 0.2), (entries[2], 0.25)]);
    let (root, suggest) = (draft.service("root"), draft.service("suggest"));
    let known = draft.cache("results");
    through(draft, entries[0], known, root, (0.5, 0.85));
    let similar = beside(draft, root, "similar");
    draft.then(entries[1], Call::plain(similar));
    draft.then(entries[2], Call::plain(suggest));
    let prefixes = draft.cache("prefixes");
    draft.then(suggest, Call::plain(prefixes));
    let rewrite = draft.service("rewrite");
    draft.then(root, Call::plain(rewrite));
    if draft.is(0.5) {
        let dictionary = draft.cache("dictionary");
        draft.then(rewrite, Call::plain(dictionary));
    }
    let (scattered, ads) = (scattered(draft), draft.service("ads"));
    let mut with_ads = scattered.clone();
    with_ads.push(Call::plain(ads));
    draft.together(root, with_ads);
    draft.together(similar, scattered);
    let (ranker, documents) = (draft.service("ranker"), draft.service("documents"));
    for op in [root, similar] {
        draft.then(op, Call::plain(ranker));
        draft.then(op, Call::plain(documents));
    }
    own_database(draft, "ads-db", &[ads]);
    let (features, batches) = (draft.cache("features"), draft.whole(1, 3));
    draft.then(ranker, Call { times: batches, ..Call::plain(features) });
    let (loaded, stored) = (draft.cache("documents-cache"), draft.add(NodeKind::Database, "documents-db"));
    through(draft, documents, loaded, stored, (0.3, 0.8));
}

/// The calls that reach every partition, and the archive.
fn scattered(draft: &mut Draft) -> Vec<Call> {
    let between: Vec<usize> = match draft.is(0.5) {
        true => ["mixer-a", "mixer-b"].map(|name| draft.service(name)).into(),
        false => Vec::new(),
    };
    between.iter().for_each(|mixer| draft.light(*mixer));
    let count = draft.whole(4, 8);
    let partitions: Vec<usize> = (0..count).map(|at| draft.service(format!("part-{at}"))).collect();
    let twins = partitions.iter().map(|op| draft.net.ops[*op].node).collect();
    draft.twins.push(twins);
    let calls = |ops: &[usize]| ops.iter().map(|op| Call::plain(*op)).collect::<Vec<_>>();
    let mut all = if between.is_empty() { calls(&partitions) } else { calls(&between) };
    let halves = partitions.split_at(partitions.len() / 2);
    for (mixer, half) in between.into_iter().zip([halves.0, halves.1]) {
        draft.together(mixer, calls(half));
    }
    let archive = draft.service("archive");
    let node = draft.net.ops[archive].node;
    draft.outside.push(node);
    let chance = draft.between(0.4, 0.9);
    all.push(Call { chance, ..Call::plain(archive) });
    all
}

/// What devices send, beside the people who look at it. Requests with what is measured are checked and put into a queue of some
/// partitions as one to three messages; a job takes them, looks the device up, and hands them on to the one that adds them up
/// by windows: each message changes the window's state, and one in two to seven closes one, which is written to the shard of
/// its tenant at once, several times the work of a query. People's dashboards ask the same shards, some panels each, and pages
/// of a device ask the same state and the same database as the jobs do.
pub(super) fn stream(draft: &mut Draft) {
    let edge = draft.service("edge");
    draft.light(edge);
    let entries = routes(draft, edge, ["GET /dashboard", "GET /device"]);
    draft.mix(&[(entries[0], 0.45), (entries[1], 0.33), (entries[2], 0.22)]);
    let [collect, dashboards, devices] = ["collect", "dashboards", "devices"].map(|name| draft.service(name));
    for (entry, service) in entries.into_iter().zip([collect, dashboards, devices]) {
        draft.then(entry, Call::plain(service));
    }
    let [measured, windows] = ["measured", "windows"].map(|name| partitioned(draft, name));
    let schemas = draft.cache("schemas");
    draft.then(collect, Call::plain(schemas));
    for _ in 0..draft.whole(1, 3) {
        draft.net.ops[collect].steps.push(Step::Publish(measured));
    }
    let writer = draft.service("window-writer");
    let (known, state) = (draft.cache("device-cache"), draft.cache("window-state"));
    let mut db = None;
    for asks in [measured, devices] {
        let missed = query(draft, &mut db, "device-db");
        through(draft, asks, known, missed, (0.15, 0.5));
    }
    draft.net.ops[measured].steps.push(Step::Publish(windows));
    let latest = beside(draft, state, "get latest");
    draft.then(devices, Call::plain(latest));
    draft.then(windows, Call::plain(state));
    let closes = draft.between(0.15, 0.5);
    draft.then(windows, Call { chance: closes, ..Call::plain(writer) });
    if draft.is(0.5) {
        let (notify, alarms) = (draft.outside("notifier"), draft.between(0.02, 0.1));
        draft.then(windows, Call { chance: alarms, ..Call::plain(notify) });
    }
    let layouts = query(draft, &mut db, "device-db");
    draft.then(dashboards, Call::plain(layouts));
    let mut shards = Shards::new(draft, "series");
    let (panels, window) = (draft.whole(2, 4), draft.between(2.0, 5.0));
    shards.ask(draft, dashboards, panels, 1.0);
    shards.ask(draft, writer, 1, window);
    shards.done(draft);
}

/// A queue whose partitions are consumed beside each other, each in order.
fn partitioned(draft: &mut Draft, name: &str) -> usize {
    let queue = draft.add(NodeKind::Queue, name);
    let partitions = draft.whole(2, 4);
    draft.node_of(queue).accept = true;
    draft.node_of(queue).shards = Some((partitions, 0.0));
    queue
}
