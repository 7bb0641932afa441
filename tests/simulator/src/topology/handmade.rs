//! Shapes that were thought up, one for each thing that misleads.

use peakdrill_drill_model::verdict::NodeKind;

use crate::model::{Attempts, Call};
use crate::topology::Draft;

fn entry(draft: &mut Draft) -> usize {
    let gateway = draft.service("gateway");
    draft.net.journeys.push((gateway, 1.0));
    gateway
}

pub(super) fn chain(draft: &mut Draft) {
    let mut last = entry(draft);
    for i in 0..draft.whole(1, 4) {
        let next = draft.service(format!("service-{i}"));
        draft.then(last, Call::plain(next));
        last = next;
    }
    let db = draft.add(NodeKind::Database, "db");
    let pool = draft.is(0.3).then(|| {
        draft.net.pools.push(0);
        draft.net.pools.len() - 1
    });
    draft.then(last, Call { pool, ..Call::plain(db) });
    if draft.is(0.5) {
        let side = draft.leaf("side");
        draft.then(last, Call::plain(side));
    }
}

pub(super) fn diamond(draft: &mut Draft) {
    let gateway = entry(draft);
    let front = draft.service("front");
    let (left, right) = (draft.service("left"), draft.service("right"));
    let shared = draft.service("shared");
    let db = draft.leaf("shared");
    draft.then(gateway, Call::plain(front));
    draft.together(front, vec![Call::plain(left), Call::plain(right)]);
    draft.then(left, Call::plain(shared));
    let chance = draft.between(0.3, 1.0);
    draft.then(right, Call { chance, ..Call::plain(shared) });
    draft.then(shared, Call::plain(db));
}

pub(super) fn shared_db(draft: &mut Draft) {
    let entries: Vec<usize> = (0..draft.whole(2, 4)).map(|i| draft.service(format!("entry-{i}"))).collect();
    let part = 1.0 / entries.len() as f64;
    draft.net.journeys = entries.iter().map(|op| (*op, part)).collect();
    let mut inner = Vec::new();
    for (i, op) in entries.iter().enumerate() {
        let service = draft.service(format!("inner-{i}"));
        draft.then(*op, Call::plain(service));
        inner.push(service);
    }
    let db = draft.add(NodeKind::Database, "shared-db");
    let node = draft.net.ops[db].node;
    for (i, service) in inner.into_iter().enumerate() {
        let query = if i == 0 { db } else { draft.op(node, format!("query {i}")) };
        let times = draft.whole(1, 3);
        draft.then(service, Call { times, ..Call::plain(query) });
    }
}

pub(super) fn asynchronous(draft: &mut Draft) {
    let gateway = entry(draft);
    let order = draft.service("order");
    let db = draft.add(NodeKind::Database, "order-db");
    let queue = draft.add(NodeKind::Queue, "orders");
    let store = draft.leaf("store");
    draft.then(gateway, Call::plain(order));
    draft.then(order, Call::plain(db));
    draft.net.ops[order].steps.push(crate::model::Step::Publish(queue));
    draft.node_of(queue).accept = true;
    draft.then(queue, Call::plain(store));
    if draft.is(0.5) {
        let mail = draft.add(NodeKind::External, "mail");
        draft.then(order, Call::plain(mail));
    }
}

pub(super) fn threads(draft: &mut Draft) {
    let gateway = entry(draft);
    let front = draft.service("front");
    let back = draft.service("back");
    let db = draft.add(NodeKind::Database, "db");
    draft.then(gateway, Call::plain(front));
    draft.then(front, Call::plain(back));
    draft.then(back, Call::plain(db));
    let accept = draft.is(0.5);
    // A number until the nodes are sized.
    draft.node_of(front).workers = Some(1);
    draft.node_of(front).accept = accept;
    if draft.is(0.5) {
        draft.node_of(back).workers = Some(1);
    }
}

pub(super) fn retries(draft: &mut Draft) {
    let gateway = entry(draft);
    let order = draft.service("order");
    let (stock, price) = (draft.service("stock"), draft.service("price"));
    let db = draft.add(NodeKind::Database, "stock-db");
    draft.then(gateway, Call::plain(order));
    let style = [Attempts::Bare, Attempts::Numbered, Attempts::Framed, Attempts::OneClient]
        [draft.whole(0, 3) as usize];
    let attempts = draft.whole(2, 4);
    draft.net.ops[stock].fails = draft.between(0.02, 0.15);
    let backoff_ms = draft.between(5.0, 50.0);
    draft.then(order, Call { attempts, style, backoff_ms, ..Call::plain(stock) });
    // A loop of calls is no retry.
    let times = draft.whole(2, 6);
    draft.then(order, Call { times, ..Call::plain(price) });
    draft.then(stock, Call::plain(db));
}

pub(super) fn fan_out(draft: &mut Draft) {
    let gateway = entry(draft);
    let front = draft.service("front");
    draft.then(gateway, Call::plain(front));
    let mut calls = Vec::new();
    for i in 0..draft.whole(8, 20) {
        let leaf = draft.leaf(&format!("part-{i}"));
        let chance = if draft.is(0.3) { draft.between(0.4, 1.0) } else { 1.0 };
        calls.push(Call { chance, ..Call::plain(leaf) });
    }
    draft.together(front, calls);
}

pub(super) fn cache(draft: &mut Draft) {
    let gateway = entry(draft);
    let catalog = draft.service("catalog");
    let cache = draft.add(NodeKind::Cache, "cache");
    let db = draft.add(NodeKind::Database, "catalog-db");
    draft.then(gateway, Call::plain(catalog));
    let times = draft.whole(1, 4);
    draft.then(catalog, Call { times, ..Call::plain(cache) });
    let chance = draft.between(0.3, 0.7);
    draft.then(catalog, Call { chance, ..Call::plain(db) });
    let reviews = draft.service("reviews");
    draft.then(gateway, Call::plain(reviews));
    let other = draft.leaf("reviews");
    draft.then(reviews, Call::plain(other));
}
