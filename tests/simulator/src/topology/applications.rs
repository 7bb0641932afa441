//! Shapes of whole applications. What is drawn of them was decided by what is known of real systems.

use peakdrill_drill_model::verdict::NodeKind;

use crate::model::{Attempts, Call, Step};
use crate::topology::Draft;

/// A further operation of the node of another one.
pub(super) fn beside(draft: &mut Draft, op: usize, name: &str) -> usize {
    draft.op(draft.net.ops[op].node, name)
}

/// A query of a database, some several times the work of others.
pub(super) fn query(draft: &mut Draft, db: &mut Option<usize>, name: &str) -> usize {
    let op = match *db {
        None => draft.add(NodeKind::Database, name),
        Some(node) => draft.op(node, format!("query {}", draft.net.ops.len())),
    };
    *db = Some(draft.net.ops[op].node);
    let weight = draft.around(0.4, 2.5);
    draft.weigh(op, weight);
    op
}

/// The databases of a monolith.
#[derive(Default)]
struct Stores {
    primary: Option<usize>,
    replicas: [Option<usize>; 2],
    search: Option<usize>,
}

impl Stores {
    /// Queries of one kind by a page, one after the other, at one of the replicas: whichever the driver's balancer gives.
    fn read(&mut self, draft: &mut Draft, page: usize, (few, many): (u32, u32)) {
        let names = ["replica-a", "replica-b"];
        let [a, b] = [0, 1].map(|i| query(draft, &mut self.replicas[i], names[i]));
        // The same query is the same work at both.
        draft.net.ops[b].steps = draft.net.ops[a].steps.clone();
        let times = draft.whole(few, many);
        let call = |to| Call { chance: 0.5, times, ..Call::plain(to) };
        draft.net.ops[page].steps.push(Step::OneOf(vec![call(a), call(b)]));
    }

    /// Statements at the primary database.
    fn write(&mut self, draft: &mut Draft, page: usize, (few, many): (u32, u32)) {
        let statement = query(draft, &mut self.primary, "primary");
        let times = draft.whole(few, many);
        draft.then(page, Call { times, ..Call::plain(statement) });
    }

    /// A search, which takes more of its node than looking something up there does.
    fn search(&mut self, draft: &mut Draft, page: usize) {
        let search = query(draft, &mut self.search, "search-index");
        draft.then(page, Call::plain(search));
    }
}

/// One program whose framework keeps a thread or a process for each request; sessions in a cache, which every page asks; a
/// primary database for what is written and for what has to be fresh; two replicas of it for the rest; a search index. Pages
/// make one to six queries of a kind, as frameworks that map objects do, one after the other. Most visits look for things, one
/// in six or so orders.
pub(super) fn monolith(draft: &mut Draft) {
    let home = draft.service("web");
    let [search, product, order, account] =
        ["GET /search", "GET /product", "POST /order", "GET /account"].map(|name| beside(draft, home, name));
    let pages = [(home, 0.2), (search, 0.25), (product, 0.25), (order, 0.18), (account, 0.12)];
    draft.mix(&pages);
    // A number until the nodes are sized.
    draft.node_of(home).workers = Some(1);
    let accept = draft.is(0.5);
    draft.node_of(home).accept = accept;
    let sessions = draft.cache("sessions");
    for (page, _) in pages {
        let weight = draft.around(0.5, 2.0);
        draft.weigh(page, weight);
        draft.then(page, Call::plain(sessions));
    }
    let mut stores = Stores::default();
    stores.read(draft, home, (1, 4));
    if draft.is(0.5) {
        stores.search(draft, home);
    }
    stores.search(draft, search);
    stores.read(draft, search, (1, 2));
    stores.read(draft, product, (2, 6));
    if draft.is(0.5) {
        stores.search(draft, product);
    }
    stores.read(draft, order, (1, 2));
    stores.write(draft, order, (2, 4));
    stores.write(draft, account, (1, 2));
    stores.read(draft, account, (1, 3));
    // They run the same queries: one may be on a smaller machine.
    draft.twins.push(stores.replicas.into_iter().flatten().collect());
}

/// A checkout that an orchestrator brings through service after service, each with a database of its own, noting every step in
/// its log; and what else a shop's interface is asked: where an order is, and the cart. The payment provider is another
/// company's, tens to hundreds of milliseconds away: it sends no spans, fails in about one of a hundred calls, as such
/// interfaces do, and is asked again. One payment in fifteen or so is declined, and the stock given back. Half of the shops send
/// a mail by a queue. The drill is one of the checkout: more than half of the journeys.
pub(super) fn saga(draft: &mut Draft) {
    let enter = draft.service("shop-api");
    let (where_is, cart) = (beside(draft, enter, "GET /order"), beside(draft, enter, "PUT /cart"));
    draft.mix(&[(enter, 0.55), (where_is, 0.25), (cart, 0.2)]);
    let checkout = draft.service("checkout");
    let order = draft.service("order");
    let [close, read] = ["close", "read"].map(|name| beside(draft, order, name));
    let pricing = draft.is(0.6).then(|| draft.service("pricing"));
    let stock = draft.service("stock");
    let release = beside(draft, stock, "release");
    let payment = draft.service("payment");
    let shipping = draft.service("shipping");
    let track = beside(draft, shipping, "track");
    let carts = draft.service("cart");
    let mails = draft.is(0.5).then(|| draft.add(NodeKind::Queue, "mails"));
    draft.then(enter, Call::plain(checkout));
    draft.then(where_is, Call::plain(read));
    if draft.is(0.5) {
        draft.then(where_is, Call::plain(track));
    }
    draft.then(cart, Call::plain(carts));
    steps(draft, checkout, [Some(order), pricing, Some(stock), Some(payment)].into_iter().flatten());
    let declined = draft.between(0.03, 0.1);
    let ends = [(shipping, 1.0 - declined), (release, declined)];
    let ends = ends.map(|(to, chance)| Call { chance, ..Call::plain(to) });
    draft.net.ops[checkout].steps.push(Step::OneOf(ends.to_vec()));
    draft.then(checkout, Call::plain(close));
    if let Some(mails) = mails {
        draft.node_of(mails).accept = true;
        draft.net.ops[checkout].steps.push(Step::Publish(mails));
        let far = draft.outside("mail-provider");
        draft.then(mails, Call::plain(far));
    }
    own_database(draft, "order-db", &[order, close, read]);
    if let Some(pricing) = pricing {
        own_database(draft, "pricing-db", &[pricing]);
    }
    own_database(draft, "stock-db", &[stock, release]);
    own_database(draft, "shipping-db", &[shipping, track]);
    pay(draft, payment);
    let items = draft.cache("carts");
    draft.then(carts, Call::plain(items));
}

/// The orchestrator calls them one after the other, with an entry in its log before each and after the last.
fn steps(draft: &mut Draft, checkout: usize, services: impl Iterator<Item = usize>) {
    // The log comes after what is called: operations call on later ones only, and a log calls nobody.
    let log = draft.add(NodeKind::Database, "saga-log");
    for service in services {
        draft.then(checkout, Call::plain(log));
        draft.then(checkout, Call::plain(service));
    }
    draft.then(checkout, Call::plain(log));
}

/// A database with queries of these operations, a few each.
pub(super) fn own_database(draft: &mut Draft, name: &str, callers: &[usize]) {
    let mut db = None;
    for caller in callers {
        let statement = query(draft, &mut db, name);
        let times = draft.whole(1, 3);
        draft.then(*caller, Call { times, ..Call::plain(statement) });
    }
}

/// What is to be paid is noted, asked of the provider, and what it says is noted.
fn pay(draft: &mut Draft, payment: usize) {
    let mut db = None;
    let [ask, note] = [0, 1].map(|_| query(draft, &mut db, "payment-db"));
    let provider = draft.outside("payment-provider");
    draft.net.ops[provider].fails = draft.between(0.005, 0.02);
    let (attempts, backoff_ms) = (draft.whole(2, 3), draft.between(50.0, 200.0));
    let style = Attempts::Numbered;
    draft.then(payment, Call::plain(ask));
    draft.then(payment, Call { attempts, backoff_ms, style, ..Call::plain(provider) });
    draft.then(payment, Call::plain(note));
}

/// A network of people. A third of the journeys write, likes and comments included: more than on a quiet day, as a drill of an
/// evening with an event has it. What is written is brought to the timelines of those who follow by a queue: its consumer looks
/// up the followers and hands them on in two to four batches to a second one, which writes each batch in a few commands. What is
/// read comes from the timelines' cache, of which one in five to twenty misses has to be put together from the database, which
/// is several times the work of a look-up.
pub(super) fn feed(draft: &mut Draft) {
    let read = draft.service("feed-api");
    let (write, person) = (beside(draft, read, "POST /posts"), beside(draft, read, "GET /people"));
    draft.mix(&[(read, 0.47), (write, 0.33), (person, 0.2)]);
    let timeline = draft.service("timeline");
    let create = draft.service("posts");
    let fan_out = draft.add(NodeKind::Queue, "fan-out");
    let batches = draft.add(NodeKind::Queue, "timeline-writes");
    let [load, list] = ["load", "list"].map(|name| beside(draft, create, name));
    let people = draft.service("people");
    let followers = beside(draft, people, "followers");
    [fan_out, batches].into_iter().for_each(|queue| draft.node_of(queue).accept = true);
    draft.then(read, Call::plain(timeline));
    draft.then(write, Call::plain(create));
    draft.together(person, vec![Call::plain(list), Call::plain(people)]);
    timelines(draft, timeline, batches);
    draft.together(timeline, vec![Call::plain(load), Call::plain(people)]);
    posts(draft, [create, load, list]);
    draft.net.ops[create].steps.push(Step::Publish(fan_out));
    draft.then(fan_out, Call::plain(followers));
    for _ in 0..draft.whole(2, 4) {
        draft.net.ops[fan_out].steps.push(Step::Publish(batches));
    }
    own_database(draft, "people-db", &[people, followers]);
}

/// Timelines are read from a cache, and written to it and to their database.
fn timelines(draft: &mut Draft, timeline: usize, batches: usize) {
    let get = draft.cache("timelines");
    let set = beside(draft, get, "append");
    draft.then(timeline, Call::plain(get));
    let (misses, rebuilding) = (draft.between(0.05, 0.2), draft.between(2.0, 5.0));
    let rebuild = draft.add(NodeKind::Database, "timeline-db");
    draft.weigh(rebuild, rebuilding);
    draft.then(timeline, Call { chance: misses, ..Call::plain(rebuild) });
    let commands = draft.whole(2, 4);
    draft.then(batches, Call { times: commands, ..Call::plain(set) });
    let keep = beside(draft, rebuild, "insert batch");
    draft.then(batches, Call::plain(keep));
}

/// Posts are loaded through a cache, some pages of them; listed and created in the database; with pictures in a store of
/// another company's for two in five of such systems.
fn posts(draft: &mut Draft, [create, load, list]: [usize; 3]) {
    let cache = draft.cache("posts-cache");
    let pages = draft.whole(1, 3);
    draft.then(load, Call { times: pages, ..Call::plain(cache) });
    let mut db = None;
    let (misses, missed) = (draft.between(0.2, 0.5), query(draft, &mut db, "posts-db"));
    draft.then(load, Call { chance: misses, ..Call::plain(missed) });
    for caller in [create, list] {
        let statement = query(draft, &mut db, "posts-db");
        draft.then(caller, Call::plain(statement));
    }
    if draft.is(0.4) {
        let (pictures, part) = (draft.outside("pictures"), draft.between(0.3, 0.6));
        draft.then(create, Call { chance: part, ..Call::plain(pictures) });
    }
}

/// A graph interface before services: what a document asks for is resolved level by level, at once within one. Fields of the
/// items of a list are resolved item by item: two to six calls of the same service at once, or one after the other, unless a
/// loader makes one of them, which three in ten have. Authors of reviews and the one who is signed in come from the same
/// service. Documents ask for different fields.
pub(super) fn aggregator(draft: &mut Draft) {
    let home = draft.service("graph");
    let (product, basket) = (beside(draft, home, "query Product"), beside(draft, home, "query Basket"));
    let documents = [(home, 0.4), (product, 0.4), (basket, 0.2)];
    draft.mix(&documents);
    for (document, _) in documents {
        let weight = draft.around(0.5, 2.0);
        draft.weigh(document, weight);
    }
    let [catalog, baskets, reviews] = ["catalog", "basket", "reviews"].map(|name| draft.service(name));
    let [price, stock, user] = ["price", "stock", "user"].map(|name| draft.service(name));
    draft.together(home, vec![Call::plain(catalog), Call::plain(user)]);
    let signed_in = draft.between(0.3, 0.8);
    let viewer = Call { chance: signed_in, ..Call::plain(user) };
    draft.together(product, vec![Call::plain(catalog), viewer]);
    draft.together(basket, vec![Call::plain(baskets), Call::plain(user)]);
    for (document, others) in [(home, None), (product, Some(reviews)), (basket, None)] {
        let mut level = items(draft, price);
        level.extend(items(draft, stock));
        level.extend(others.map(Call::plain));
        draft.together(document, level);
    }
    let authors = items(draft, user);
    draft.together(product, authors);
    own_database(draft, "catalog-db", &[catalog]);
    own_database(draft, "reviews-db", &[reviews]);
    own_database(draft, "stock-db", &[stock]);
    for (service, name) in [(price, "price"), (user, "user")] {
        let cache = draft.cache(&format!("{name}-cache"));
        draft.then(service, Call::plain(cache));
        let (misses, db) = (draft.between(0.1, 0.5), draft.add(NodeKind::Database, format!("{name}-db")));
        draft.then(service, Call { chance: misses, ..Call::plain(db) });
    }
    let kept = draft.cache("baskets");
    draft.then(baskets, Call::plain(kept));
}

/// A field of each item of a list: by a loader at once, or by as many calls as there are items, beside each other or in turn.
fn items(draft: &mut Draft, service: usize) -> Vec<Call> {
    let (loader, beside) = (draft.is(0.3), draft.is(0.6));
    let count = draft.whole(2, 6);
    match (loader, beside) {
        (true, _) => vec![Call::plain(service)],
        (false, true) => (0..count).map(|_| Call::plain(service)).collect(),
        (false, false) => vec![Call { times: count, ..Call::plain(service) }],
    }
}
