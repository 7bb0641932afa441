//! Why a claim is refused.

macro_rules! refusals {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $text:literal;)*) => {
        /// Why a claim is refused. Each reason has a stable [`code`](Refusal::code) for machines and a text for
        /// people; neither repeats what the claim said, so both may be logged and sent back.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[doc = $doc])* #[error($text)] $name,)*
        }

        impl Refusal {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable snake_case name of the reason, as it stands in the test vectors.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

refusals! {
    /// The token is longer than 220 bytes.
    TokenTooLong = "token_too_long", "the drill token is longer than 220 bytes";
    /// The token has the prefix of a format that this version does not know.
    UnknownVersion = "unknown_version", "the drill token is of a version that is not known here";
    /// The token does not have the form of a token.
    MalformedToken = "malformed_token", "the drill token is malformed";
    /// The token ends before, or when, it begins.
    LeaseEmpty = "lease_empty", "the drill token ends before it begins";
    /// The token would live longer than any lease may.
    LeaseTooLong = "lease_too_long", "the drill token would live longer than 300 s";
    /// No public key has the id that the token names.
    UnknownKey = "unknown_key", "the drill token is signed with a key that is not known here";
    /// The signature does not match.
    BadSignature = "bad_signature", "the signature of the drill token does not match";
    /// The token or the mark is of another environment.
    OtherEnvironment = "other_environment", "the drill is of another environment";
    /// The token is not valid yet.
    NotYetValid = "not_yet_valid", "the drill token is not valid yet";
    /// The token is past its end.
    Expired = "expired", "the drill token has expired";
    /// The run registry does not know the run.
    RunUnknown = "run_unknown", "the run of the drill token is not known here";
    /// The run is over.
    RunClosed = "run_closed", "the run is closed";
    /// The private header is there more than once, or holds a list.
    DuplicateHeader = "duplicate_header", "the drill header is there more than once";
    /// The baggage has the member more than once.
    DuplicateMember = "duplicate_member", "the baggage has more than one peakdrill member";
    /// There is more than one `traceparent`, and one of them is marked.
    DuplicateTraceparent = "duplicate_traceparent", "a marked traceparent is not the only one";
    /// Header and baggage carry different tokens.
    TokensDiffer = "tokens_differ", "header and baggage carry different drill tokens";
    /// The token is of one run and the mark of another.
    TokenAndMarkDiffer = "token_and_mark_differ", "drill token and trace mark are of different runs";
    /// The request says that it is live, and that it is of a drill.
    LiveAndDrill = "live_and_drill", "the request carries both the live stamp and a drill claim";
    /// A mark without a token, at the edge.
    MarkAloneAtEdge = "mark_alone_at_edge", "a trace mark without a drill token is not accepted at the edge";
    /// The baggage member has no value, a key in disguise, or broken percent-encoding.
    MalformedMember = "malformed_member", "the peakdrill baggage member is malformed";
    /// A marked trace id stands in a `traceparent` that is not valid.
    MalformedTraceparent = "malformed_traceparent", "a marked traceparent is malformed";
    /// An SQL comment names the tag, and cannot be read.
    MalformedComment = "malformed_comment", "the SQL comment that carries the drill tag is malformed";
    /// A field is repeated more often than is looked at.
    TooManyFields = "too_many_fields", "a carrier field is repeated too often";
    /// The baggage is longer than is looked at.
    BaggageTooLong = "baggage_too_long", "the baggage is too long to be checked";
}

#[cfg(test)]
mod tests {
    use super::Refusal;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_snake_case() {
        let codes: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.code()).collect();
        assert_eq!(codes.len(), Refusal::ALL.len());
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
