//! The names of a trace, for the bounds on names over all traces.
//!
//! What is noted of a span must be noted of it whatever else of its trace is there: a call's own name for its peer also
//! when the called service's span is there, a server's operation also when its caller's is. So the names of a trace that
//! grows are among those of the whole trace, and what is filed for a while leaves no name behind.

use crate::bounds::{Note, alias_hash, call_hash, entry_hash, name_hash};
use crate::key::TraceClass;
use crate::sums::{NO_NAME, Name, Shape, Sums};
use crate::tree::{Role, Tree, virtual_node};

/// Notes the names of all spans.
pub(super) fn note_names(sums: &mut Sums, tree: &Tree<'_>, class: TraceClass) {
    for at in 0..tree.nodes.len() {
        let shape = shape_of(sums, tree, at, class);
        if sums.shapes.insert(shape) {
            expand(sums, tree, at, class, shape);
        }
    }
}

/// All of a span and of its parent that names follow from.
fn shape_of(sums: &mut Sums, tree: &Tree<'_>, at: usize, class: TraceClass) -> Shape {
    let place = &tree.nodes[at];
    let names = &mut sums.names;
    let parent = place.parent.map(|parent| &tree.nodes[parent]);
    let mut peer_of =
        |span: &peakdrill_trace_model::Span| span.peer.as_ref().map_or(NO_NAME, |peer| names.id(&peer.node));
    let own_peer = peer_of(place.span);
    let parent_peer = parent.map_or(NO_NAME, |parent| peer_of(parent.span));
    Shape {
        class,
        role: place.role,
        is_top: place.span.parent == 0,
        service: names.id(&place.span.service),
        op: if place.role == Role::Work && place.span.parent != 0 {
            NO_NAME
        } else {
            names.op(&place.span.op)
        },
        peer: own_peer,
        parent: parent.map_or(NO_NAME, |parent| names.id(&parent.span.service)),
        parent_role: parent.map(|parent| parent.role),
        parent_peer,
    }
}

fn expand(sums: &mut Sums, tree: &Tree<'_>, at: usize, class: TraceClass, shape: Shape) {
    let place = &tree.nodes[at];
    let text = |name: Name| sums.names.text(name);
    let (service, op) = (text(shape.service), text(shape.op));
    let here = name_hash(&service);
    let mut notes = vec![Note::Node(class, here), Note::Service(here)];
    if shape.peer != NO_NAME {
        notes.push(Note::Service(name_hash(&text(shape.peer))));
    }
    if (shape.is_top && shape.role != Role::Process) || shape.role == Role::Serve {
        notes.push(Note::Entry(entry_hash(&service, &op)));
    }
    match shape.role {
        Role::Work => {}
        Role::Serve => {
            // By whom it is called may not be known yet.
            notes.push(Note::Call(class, here, call_hash("", &op)));
            if shape.parent != NO_NAME {
                notes.push(Note::Call(class, here, call_hash(&text(shape.parent), &op)));
            }
            if shape.parent_role == Some(Role::Call) && shape.parent_peer != NO_NAME {
                notes.push(Note::Alias(alias_hash(&text(shape.parent_peer), &service)));
            }
        }
        Role::Call | Role::Publish => {
            let peer = name_hash(&virtual_node(place.span).name);
            notes.push(Note::Node(class, peer));
            notes.push(Note::Call(class, peer, call_hash(&service, &op)));
        }
        // The queue is as its producer names it, or, while that is not there, as the consumer does.
        Role::Process => {
            for queue in [shape.peer, shape.parent_peer].into_iter().filter(|name| *name != NO_NAME) {
                let queue = text(queue);
                notes.push(Note::Node(class, name_hash(&queue)));
                notes.push(Note::Call(class, here, call_hash(&queue, &op)));
            }
        }
    }
    sums.notes.append(&mut notes);
}
