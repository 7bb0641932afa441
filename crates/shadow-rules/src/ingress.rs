//! Which requests come in.

use peakdrill_shadow_tag::{Class, Position, Refusal, RunState, Shadow};

use crate::mode::Mode;
use crate::refused::{Refused, code};

/// What the ledger calls the way in.
const RESOURCE: &str = "ingress";

/// What is done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// It comes in as this class.
    Accept {
        /// The class.
        class: Class,
        /// Whether the live stamp is to be set on everything that it causes.
        stamp_live: bool,
    },
    /// It is answered with an error.
    Refuse {
        /// The HTTP status, always 4xx.
        status: u16,
        /// Code and text for the answer.
        refused: Refused,
    },
}

/// Decides about a request from what its claims proved.
#[must_use]
pub fn ingress(position: Position, mode: Mode, claims: Result<Class, Refusal>) -> Ingress {
    let class = match claims {
        Ok(class) => class,
        Err(refusal) => {
            let refused = Refused::new(refusal.code(), RESOURCE, refusal.to_string());
            return Ingress::Refuse { status: status(refusal), refused };
        }
    };
    let refuse = |status, code, text: &'static str| Ingress::Refuse {
        status,
        refused: Refused::new(code, RESOURCE, text),
    };
    match class {
        Class::Unknown if mode == Mode::Enforce => {
            Ingress::Refuse { status: 403, refused: crate::http::unstamped(RESOURCE) }
        }
        Class::Shadow(Shadow { state: RunState::Closed, .. }) => {
            refuse(409, code::RUN_CLOSED, "the run is closed")
        }
        Class::Shadow(Shadow { state: RunState::Draining, .. }) if position == Position::Edge => {
            refuse(409, code::RUN_DRAINING, "the run is draining and takes no new requests")
        }
        Class::Shadow(_) if mode == Mode::Observe => {
            Ingress::Refuse { status: 409, refused: Refused::observing(RESOURCE) }
        }
        class => Ingress::Accept { class, stamp_live: class == Class::Live && position == Position::Edge },
    }
}

/// 400: no reader could accept it. 409: it is right, and the run is not in the state for it. 403: all others.
fn status(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::TokenTooLong
        | Refusal::MalformedToken
        | Refusal::LeaseEmpty
        | Refusal::DuplicateHeader
        | Refusal::DuplicateMember
        | Refusal::DuplicateTraceparent
        | Refusal::MalformedMember
        | Refusal::MalformedTraceparent
        | Refusal::TooManyFields
        | Refusal::BaggageTooLong => 400,
        Refusal::RunUnknown | Refusal::RunClosed => 409,
        _ => 403,
    }
}

#[cfg(test)]
mod tests {
    use peakdrill_shadow_tag::{By, Class, Position, Refusal, RunState, Shadow};

    use super::{Ingress, ingress};
    use crate::Mode;

    fn shadow(state: RunState) -> Class {
        Class::Shadow(Shadow { run: "r".parse().unwrap(), env: "e".parse().unwrap(), state, by: By::Token })
    }

    fn code_of(ingress: &Ingress) -> &str {
        match ingress {
            Ingress::Accept { .. } => "",
            Ingress::Refuse { refused, .. } => refused.code(),
        }
    }

    #[test]
    fn a_draining_run_ends_what_it_began() {
        let edge = ingress(Position::Edge, Mode::Observe, Ok(shadow(RunState::Draining)));
        assert_eq!(code_of(&edge), "run_draining");
        let inner = ingress(Position::Inner, Mode::Enforce, Ok(shadow(RunState::Draining)));
        assert_eq!(code_of(&inner), "");
        assert_eq!(
            code_of(&ingress(Position::Inner, Mode::Observe, Ok(shadow(RunState::Closed)))),
            "run_closed"
        );
    }

    #[test]
    fn unknown_passes_where_one_only_observes() {
        assert_eq!(code_of(&ingress(Position::Inner, Mode::Enforce, Ok(Class::Unknown))), "unstamped");
        assert_eq!(
            ingress(Position::Inner, Mode::Observe, Ok(Class::Unknown)),
            Ingress::Accept { class: Class::Unknown, stamp_live: false }
        );
    }

    #[test]
    fn a_hop_that_only_observes_takes_no_shadow_work() {
        for position in [Position::Edge, Position::Inner] {
            let observing = ingress(position, Mode::Observe, Ok(shadow(RunState::Running)));
            assert_eq!(code_of(&observing), "observing");
            assert_eq!(code_of(&ingress(position, Mode::Enforce, Ok(shadow(RunState::Running)))), "");
        }
        assert_eq!(code_of(&ingress(Position::Inner, Mode::Observe, Ok(Class::Live))), "");
    }

    #[test]
    fn only_the_edge_stamps() {
        for (position, stamp_live) in [(Position::Edge, true), (Position::Inner, false)] {
            let accepted = ingress(position, Mode::Enforce, Ok(Class::Live));
            assert_eq!(accepted, Ingress::Accept { class: Class::Live, stamp_live });
        }
    }

    #[test]
    fn every_refused_claim_is_a_4xx_with_its_own_code() {
        for refusal in Refusal::ALL {
            let Ingress::Refuse { status, refused } = ingress(Position::Edge, Mode::Observe, Err(*refusal))
            else {
                panic!("{refusal:?} was accepted");
            };
            assert!((400..500).contains(&status));
            assert_eq!(refused.code(), refusal.code());
        }
    }
}
