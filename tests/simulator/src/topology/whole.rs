//! Shapes of whole systems, not of single traps.

use peakdrill_drill_model::verdict::NodeKind;

use crate::model::{Call, Step};
use crate::topology::Draft;

/// A sidecar beside each service, as in a mesh: each request passes two spans more and one hop more a service. A proxy
/// takes parts of a millisecond to a few: what meshes publish of theirs. Databases stand outside of the mesh.
pub(super) fn mesh(draft: &mut Draft) {
    let ingress = draft.service("ingress");
    draft.net.journeys.push((ingress, 1.0));
    draft.light(ingress);
    let front_proxy = proxy(draft, "front");
    draft.then(ingress, Call::plain(front_proxy));
    let front = behind(draft, front_proxy, "front");
    let mut last = Vec::new();
    let middle: Vec<usize> = (0..draft.whole(2, 4)).map(|i| proxy(draft, &format!("middle-{i}"))).collect();
    if draft.is(0.5) {
        draft.together(front, middle.iter().map(|proxy| Call::plain(*proxy)).collect());
    } else {
        middle.iter().for_each(|proxy| draft.then(front, Call::plain(*proxy)));
    }
    for (i, proxy) in middle.into_iter().enumerate() {
        last.push(behind(draft, proxy, &format!("middle-{i}")));
    }
    // Those in the middle share what is behind them.
    for i in 0..draft.whole(1, 3) {
        let name = format!("back-{i}");
        let proxy = proxy(draft, &name);
        for (at, caller) in last.iter().enumerate() {
            if at == i as usize % last.len() || draft.is(0.5) {
                let chance = if draft.is(0.3) { draft.between(0.4, 1.0) } else { 1.0 };
                draft.then(*caller, Call { chance, ..Call::plain(proxy) });
            }
        }
        let back = behind(draft, proxy, &name);
        let store = draft.leaf(&name);
        draft.then(back, Call::plain(store));
    }
}

fn proxy(draft: &mut Draft, service: &str) -> usize {
    let proxy = draft.service(format!("{service}-proxy"));
    draft.light(proxy);
    proxy
}

fn behind(draft: &mut Draft, proxy: usize, name: &str) -> usize {
    let service = draft.service(name);
    draft.then(proxy, Call::plain(service));
    service
}

/// Two topics, each the head of a line of consumers that pass on what they are done with, as where an order is
/// reserved, packed, billed and told of by events. One is written at the start of the request and consumed beside it, the other
/// at its end and consumed after it.
pub(super) fn events(draft: &mut Draft) {
    let gateway = draft.service("gateway");
    draft.net.journeys.push((gateway, 1.0));
    let order = draft.service("order");
    draft.then(gateway, Call::plain(order));
    let db = draft.add(NodeKind::Database, "order-db");
    let early = consumers(draft, "early");
    draft.net.ops[order].steps.push(Step::Publish(early));
    draft.then(order, Call::plain(db));
    if draft.is(0.5) {
        let check = draft.leaf("check");
        draft.then(order, Call::plain(check));
    }
    let late = consumers(draft, "late");
    draft.net.ops[order].steps.push(Step::Publish(late));
}

/// One to three consumers, one behind the other; the first of them.
fn consumers(draft: &mut Draft, topic: &str) -> usize {
    let mut all = Vec::new();
    for i in 0..draft.whole(1, 3) {
        let queue = draft.add(NodeKind::Queue, format!("{topic}-{i}"));
        draft.node_of(queue).accept = true;
        if draft.is(0.7) {
            let store = draft.leaf(&format!("{topic}-{i}"));
            draft.then(queue, Call::plain(store));
        }
        if let Some(before) = all.last() {
            let before: usize = *before;
            draft.net.ops[before].steps.push(Step::Publish(queue));
        }
        all.push(queue);
    }
    all[0]
}

/// Backends for frontends: journeys of different weights and kinds through shared services, each with a service and a
/// store of its own. Only one of the latter is planted, so that most requests never see it. The first two in five to one
/// in two of the journeys, the others what is left, unevenly: shops have a few kinds of visits that are most of them.
pub(super) fn frontends(draft: &mut Draft) {
    let kinds = ["home", "search", "product", "checkout", "orders"];
    let count = draft.whole(3, 5) as usize;
    let first = draft.whole(0, 4) as usize;
    let mut entries = Vec::new();
    let bffs = [draft.service("web-bff"), draft.service("app-bff")];
    for i in 0..count {
        let node = draft.net.ops[bffs[i % 2]].node;
        let name = format!("GET /{}", kinds[(first + i) % kinds.len()]);
        let op = if i < 2 { bffs[i] } else { draft.op(node, name) };
        let weight = draft.around(0.5, 2.0);
        draft.weigh(op, weight);
        entries.push(op);
    }
    let most = draft.between(0.4, 0.5);
    journeys(draft, &entries, most);
    let own: Vec<usize> = (0..count)
        .map(|i| {
            let name = kinds[(first + i) % kinds.len()];
            let service = draft.service(name);
            let store = draft.leaf(name);
            let times = if draft.is(0.3) { draft.whole(2, 4) } else { 1 };
            draft.then(service, Call { times, ..Call::plain(store) });
            let nodes = [service, store].map(|op| draft.net.ops[op].node);
            draft.suspects.extend(nodes);
            service
        })
        .collect();
    let user = draft.service("user");
    let sessions = draft.add(NodeKind::Cache, "sessions");
    draft.then(user, Call::plain(sessions));
    let catalog = draft.service("catalog");
    let catalog_db = draft.add(NodeKind::Database, "catalog-db");
    draft.then(catalog, Call::plain(catalog_db));
    for (i, (entry, service)) in entries.into_iter().zip(own).enumerate() {
        draft.then(entry, Call::plain(user));
        let mut calls = vec![Call::plain(service)];
        if i == 0 || draft.is(0.6) {
            calls.push(Call::plain(catalog));
        }
        draft.together(entry, calls);
    }
}

/// The first journey has this part, each of the others an uneven one of what is left.
fn journeys(draft: &mut Draft, entries: &[usize], first: f64) {
    let shares: Vec<f64> = entries[1..].iter().map(|_| draft.around(1.0, 4.0)).collect();
    let sum: f64 = shares.iter().sum();
    let parts = shares.iter().map(|share| (1.0 - first) * share / sum);
    draft.net.journeys = entries.iter().copied().zip(std::iter::once(first).chain(parts)).collect();
}

/// The same services in three or four cells, each with its own part of the users, and one service that all share. What is
/// planted is in a cell: it runs the same program as the others and is too small for its part. Two cells have three tenths of
/// the users or more, so that one of them can be planted: regions are uneven, and none is all.
pub(super) fn cells(draft: &mut Draft) {
    let names = ["eu", "us", "ap", "sa"];
    let count = draft.whole(3, 4) as usize;
    let edge = draft.service("edge");
    let node = draft.net.ops[edge].node;
    let entries: Vec<usize> =
        (0..count).map(|i| if i == 0 { edge } else { draft.op(node, format!("to {}", names[i])) }).collect();
    let (first, second) = (draft.between(0.33, 0.42), draft.between(0.3, 0.33));
    let left = (1.0 - first - second) / (count - 2) as f64;
    let parts = [first, second, left, left];
    draft.net.journeys = entries.iter().copied().zip(parts).collect();
    let (pair, checked) = (draft.is(0.5), draft.between(0.3, 1.0));
    let queries = draft.whole(1, 3);
    let mut twins = vec![Vec::new(); 4];
    let mut apis = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        let api = draft.service(format!("api-{}", names[i]));
        let cart = draft.service(format!("cart-{}", names[i]));
        let stock = draft.service(format!("stock-{}", names[i]));
        let db = draft.add(NodeKind::Database, format!("db-{}", names[i]));
        draft.then(*entry, Call::plain(api));
        if pair {
            draft.together(api, vec![Call::plain(cart), Call::plain(stock)]);
        } else {
            draft.then(api, Call::plain(cart));
            draft.then(api, Call::plain(stock));
        }
        draft.then(cart, Call { times: queries, ..Call::plain(db) });
        draft.then(stock, Call::plain(db));
        for (group, op) in twins.iter_mut().zip([api, cart, stock, db]) {
            group.push(draft.net.ops[op].node);
        }
        apis.push(api);
    }
    let identity = draft.service("identity");
    let keys = draft.leaf("identity");
    draft.then(identity, Call::plain(keys));
    for api in apis {
        draft.then(api, Call { chance: checked, ..Call::plain(identity) });
    }
    draft.suspects = twins.concat();
    draft.twins = twins;
}

/// Services that keep a connection to a shared database while they ask somebody far away, as a transaction that is open
/// over a call does, or a framework that keeps one for each request. Each has a pool of its own; a journey of readers
/// asks the same database without one.
pub(super) fn kept_connections(draft: &mut Draft) {
    let names = ["orders", "billing", "returns"];
    let count = draft.whole(2, 3) as usize;
    let gateway = draft.service("gateway");
    let node = draft.net.ops[gateway].node;
    let mut entries = vec![gateway];
    entries.extend((1..=count).map(|i| draft.op(node, format!("entry {i}"))));
    let most = draft.between(0.4, 0.5);
    journeys(draft, &entries, most);
    let services: Vec<usize> = names[..count].iter().map(|name| draft.service(*name)).collect();
    let reader = draft.service("reader");
    let db = draft.add(NodeKind::Database, "ledger-db");
    let node = draft.net.ops[db].node;
    draft.then(reader, Call::plain(db));
    draft.then(entries[count], Call::plain(reader));
    for (i, service) in services.into_iter().enumerate() {
        draft.then(entries[i], Call::plain(service));
        let (query, commit) = (draft.op(node, format!("query {i}")), draft.op(node, format!("commit {i}")));
        draft.weigh(commit, 0.5);
        let far = draft.add(NodeKind::External, format!("{}-provider", names[i]));
        let at = draft.net.ops[far].node;
        draft.remote.push(at);
        draft.net.held.push(1);
        draft.net.ops[service].steps.push(Step::Hold(i));
        let times = draft.whole(1, 4);
        draft.then(service, Call { times, ..Call::plain(query) });
        draft.then(service, Call::plain(far));
        draft.then(service, Call::plain(commit));
    }
}
