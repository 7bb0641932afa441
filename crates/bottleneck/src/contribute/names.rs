//! The names of a trace, for the bounds on names over all traces.
//!
//! What is noted of a span must be noted of it whatever else of its trace is there: a call's own name for its peer also
//! when the called service's span is there, a server's operation also when its caller's is. So the names of a trace that
//! grows are among those of the whole trace, and what is filed for a while leaves no name behind.

use std::sync::Arc;

use crate::bounds::{Note, alias_hash, call_hash, caller_hash, entry_hashes, name_hash};
use crate::key::TraceClass;
use crate::sums::{NO_NAME, Name, Shape, Sums};
use crate::tree::{Place, Role, Tree, virtual_node};

/// Notes the names of all spans.
pub(super) fn note_names(sums: &mut Sums, tree: &Tree<'_>, class: TraceClass) {
    for place in &tree.nodes {
        let parent = place.parent.map(|parent| &tree.nodes[parent]);
        if is_known(sums, place, parent, class) {
            continue;
        }
        let shape = shape_of(sums, place, parent, class);
        if sums.shapes.insert(shape) {
            expand(sums, place, class, shape);
        }
    }
}

/// Whether the operation's name is filed, whatever else of the trace is there.
fn has_op(place: &Place<'_>) -> bool {
    place.role != Role::Work || place.span.parent == 0
}

/// Whether all that names of a span follow from was the same a short while ago. Nearly all spans end here.
fn is_known(sums: &mut Sums, place: &Place<'_>, parent: Option<&Place<'_>>, class: TraceClass) -> bool {
    fn peer<'a>(place: &'a Place<'_>) -> Option<&'a Arc<str>> {
        place.span.peer.as_ref().map(|peer| &peer.node)
    }
    let texts = [
        Some(&place.span.service),
        Some(&place.span.op).filter(|_| has_op(place)),
        peer(place),
        parent.map(|parent| &parent.span.service),
        parent.and_then(peer),
    ];
    let roles = (place.role as u32) << 8 | parent.map_or(0, |parent| 1 + parent.role as u32);
    let is_top = u32::from(place.span.parent == 0);
    sums.seen.again(texts, (class as u32) << 24 | is_top << 16 | roles)
}

/// All of a span and of its parent that names follow from.
fn shape_of(sums: &mut Sums, place: &Place<'_>, parent: Option<&Place<'_>>, class: TraceClass) -> Shape {
    let names = &mut sums.names;
    let mut peer_of =
        |place: &Place<'_>| place.span.peer.as_ref().map_or(NO_NAME, |peer| names.id(&peer.node));
    let own_peer = peer_of(place);
    let parent_peer = parent.map_or(NO_NAME, peer_of);
    Shape {
        class,
        role: place.role,
        is_top: place.span.parent == 0,
        service: names.id(&place.span.service),
        op: if has_op(place) { names.op(&place.span.op) } else { NO_NAME },
        peer: own_peer,
        parent: parent.map_or(NO_NAME, |parent| names.id(&parent.span.service)),
        parent_role: parent.map(|parent| parent.role),
        parent_peer,
    }
}

fn expand(sums: &mut Sums, place: &Place<'_>, class: TraceClass, shape: Shape) {
    let text = |name: Name| sums.names.text(name);
    let (service, op) = (text(shape.service), text(shape.op));
    let here = name_hash(&service);
    let mut notes = vec![Note::Node(here), Note::Service(here)];
    let called = |notes: &mut Vec<Note>, by: &str, to: &str| {
        let node = name_hash(to);
        notes.extend([Note::Node(node), Note::Caller(caller_hash(by, to))]);
        notes.push(Note::Call(node, call_hash(by, &op)));
    };
    if shape.peer != NO_NAME {
        notes.push(Note::Service(name_hash(&text(shape.peer))));
    }
    if (shape.is_top && shape.role != Role::Process) || shape.role == Role::Serve {
        let (of, entry) = entry_hashes(&format!("{service} {op}"));
        notes.push(Note::Entry(of, entry));
    }
    match shape.role {
        Role::Work => {}
        Role::Serve => {
            // By whom it is called may not be known yet.
            notes.push(Note::Call(here, call_hash("", &op)));
            if shape.parent != NO_NAME {
                called(&mut notes, &text(shape.parent), &service);
            }
            if shape.parent_role == Some(Role::Call) && shape.parent_peer != NO_NAME {
                notes.push(Note::Alias(alias_hash(&text(shape.parent_peer), &service)));
            }
        }
        Role::Call | Role::Publish => called(&mut notes, &service, &virtual_node(place.span).name),
        // The queue is as its producer names it, or, while that is not there, as the consumer does.
        Role::Process => {
            for queue in [shape.peer, shape.parent_peer].into_iter().filter(|name| *name != NO_NAME) {
                let queue = text(queue);
                notes.push(Note::Node(name_hash(&queue)));
                called(&mut notes, &queue, &service);
            }
        }
    }
    sums.notes.extend(notes.into_iter().map(|note| (class, note)));
}
