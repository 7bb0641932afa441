//! The decision: live, shadow or unknown, or why the claim is refused.

use crate::cache::Proof;
use crate::carrier::baggage::{self, Member};
use crate::carrier::{Claims, traceparent, trim};
use crate::{EnvId, Refusal, RunEntry, RunId, RunState, RunTable, TraceId, Traceparent, Verifier};

/// Where a request is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// The first hop that a request from outside meets. What makes no claim here is live, and is to be stamped.
    Edge,
    /// Any hop behind an edge. What makes no claim here is unknown.
    Inner,
}

/// What told that a unit of work is shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// A verified token.
    Token,
    /// The mark in the trace id alone: the token was lost on the way.
    Mark,
}

/// A unit of work that belongs to a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shadow {
    /// The run.
    pub run: RunId,
    /// Its environment, which is the verifier's.
    pub env: EnvId,
    /// Its state now. While draining, what is under way may end and nothing may start.
    pub state: RunState,
    /// What told so.
    pub by: By,
}

/// The three states of a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Stamped as live by an edge, or without any claim at one.
    Live,
    /// Of a drill.
    Shadow(Shadow),
    /// Inside the system, and without token, mark and stamp.
    Unknown,
}

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageClass {
    /// It is to be processed as this class.
    Process(Class),
    /// It is of a closed run: to be acknowledged and set aside, never requeued.
    Quarantine(Shadow),
}

/// Classifies a request.
///
/// A claim is a value in the private header, a `peakdrill` member in the baggage, or a trace id with the mark of
/// a known run. A claim that does not verify is refused. A live stamp that comes to the edge from outside is no
/// claim.
///
/// # Errors
/// The [`Refusal`] that names why the claim is not accepted.
pub fn classify(
    verifier: &Verifier,
    claims: &Claims<'_>,
    position: Position,
    now_unix_s: u64,
) -> Result<Class, Refusal> {
    match judge(verifier, claims, position, Lateness::Refused, now_unix_s)? {
        Class::Shadow(Shadow { state: RunState::Closed, .. }) => Err(Refusal::RunClosed),
        class => Ok(class),
    }
}

/// Classifies a message that a consumer takes from a queue inside the system.
///
/// As [`classify`] at an inner position, but a verified token past its end is still shadow (expiry stops new
/// requests; it never changes a class), and a message of a closed run is to be quarantined. A message that is
/// refused must not be requeued either.
///
/// # Errors
/// The [`Refusal`] that names why the claim is not accepted.
pub fn classify_message(
    verifier: &Verifier,
    claims: &Claims<'_>,
    now_unix_s: u64,
) -> Result<MessageClass, Refusal> {
    match judge(verifier, claims, Position::Inner, Lateness::Allowed, now_unix_s)? {
        Class::Shadow(shadow @ Shadow { state: RunState::Closed, .. }) => {
            Ok(MessageClass::Quarantine(shadow))
        }
        class => Ok(MessageClass::Process(class)),
    }
}

/// Whether a token past its end is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lateness {
    Refused,
    Allowed,
}

/// The class, closed runs included.
#[inline]
fn judge(
    verifier: &Verifier,
    claims: &Claims<'_>,
    position: Position,
    lateness: Lateness,
    now_unix_s: u64,
) -> Result<Class, Refusal> {
    let member = baggage::find(&claims.baggage)?;
    let stamped = member.as_ref().is_some_and(Member::is_live);
    let token = the_token(claims, member.as_ref())?;
    if stamped && token.is_some() {
        return Err(Refusal::LiveAndDrill);
    }
    let env = verifier.env();
    let judged = verifier.judge(token, |runs, proof| {
        let found = match proof {
            Some(proof) => Some((by_token(runs, proof, claims, env, lateness, now_unix_s)?, By::Token)),
            None => by_mark(runs, claims, env, stamped, position)?.map(|entry| (entry, By::Mark)),
        };
        Ok(match (found, position) {
            (Some((entry, by)), _) => {
                let state = runs.state_at(entry, now_unix_s);
                Class::Shadow(Shadow { run: entry.run, env: entry.env, state, by })
            }
            (None, Position::Edge) => Class::Live,
            (None, Position::Inner) if stamped => Class::Live,
            (None, Position::Inner) => Class::Unknown,
        })
    });
    match judged {
        Err(Refusal::MalformedToken | Refusal::TokenTooLong) if joined(claims) => {
            Err(Refusal::DuplicateHeader)
        }
        judged => judged,
    }
}

/// Whether the header holds a list: a proxy joins repeated headers with commas, which no token has.
fn joined(claims: &Claims<'_>) -> bool {
    claims.header.values().iter().any(|value| value.contains(&b','))
}

/// The one token of header and baggage.
#[inline]
fn the_token<'a>(claims: &Claims<'a>, member: Option<&'a Member<'_>>) -> Result<Option<&'a [u8]>, Refusal> {
    let header = match claims.header.values() {
        [] => None,
        [value] => Some(trim(value)),
        _ => return Err(Refusal::DuplicateHeader),
    };
    let drill_member = member.filter(|member| !member.is_live()).map(Member::value);
    match (header, drill_member) {
        (Some(header), Some(member)) if header == member => Ok(Some(member)),
        (Some(_), Some(_)) if joined(claims) => Err(Refusal::DuplicateHeader),
        (Some(_), Some(_)) => Err(Refusal::TokensDiffer),
        (one, other) => Ok(one.or(other)),
    }
}

#[inline]
fn by_token<'t>(
    runs: &'t RunTable,
    proof: &Proof,
    claims: &Claims<'_>,
    env: EnvId,
    lateness: Lateness,
    now_unix_s: u64,
) -> Result<&'t RunEntry, Refusal> {
    let lease = &proof.lease;
    if lease.env != env {
        return Err(Refusal::OtherEnvironment);
    }
    if now_unix_s < lease.nbf_unix_s {
        return Err(Refusal::NotYetValid);
    }
    if now_unix_s >= lease.exp_unix_s && lateness == Lateness::Refused {
        return Err(Refusal::Expired);
    }
    let entry = proof.run_index.and_then(|index| runs.at(index)).ok_or(Refusal::RunUnknown)?;
    match marked_by(runs, claims, Some(entry))? {
        Some(marker) if !std::ptr::eq(marker, entry) => Err(Refusal::TokenAndMarkDiffer),
        _ => Ok(entry),
    }
}

#[inline]
fn by_mark<'t>(
    runs: &'t RunTable,
    claims: &Claims<'_>,
    env: EnvId,
    stamped: bool,
    position: Position,
) -> Result<Option<&'t RunEntry>, Refusal> {
    match marked_by(runs, claims, None)? {
        None => Ok(None),
        Some(_) if stamped => Err(Refusal::LiveAndDrill),
        Some(_) if position == Position::Edge => Err(Refusal::MarkAloneAtEdge),
        Some(entry) if entry.env != env => Err(Refusal::OtherEnvironment),
        Some(entry) => Ok(Some(entry)),
    }
}

/// The run whose mark the trace id has. `likely` is asked first: with a token it is nearly always that run, and
/// one hash is enough.
#[inline]
fn marked_by<'t>(
    runs: &'t RunTable,
    claims: &Claims<'_>,
    likely: Option<&'t RunEntry>,
) -> Result<Option<&'t RunEntry>, Refusal> {
    let marker = |id: TraceId| match likely {
        Some(entry) if entry.mark_key.is_marked(id) => likely,
        _ => runs.find_mark(id),
    };
    let fields = &claims.traceparent;
    if fields.overflowed() {
        return Err(Refusal::TooManyFields);
    }
    match fields.values() {
        [] => return Ok(None),
        [value] => {
            if let Ok(parsed) = Traceparent::parse(value) {
                return Ok(marker(parsed.trace_id));
            }
        }
        _ => {}
    }
    // A traceparent that is broken or repeated is no claim, as the standard wants; unless a mark stands in it.
    let repeated = fields.values().len() > 1;
    let mut suspects = fields.values().iter().flat_map(|value| traceparent::suspects(value));
    match suspects.find_map(marker) {
        Some(_) if repeated => Err(Refusal::DuplicateTraceparent),
        Some(_) => Err(Refusal::MalformedTraceparent),
        None => Ok(None),
    }
}
