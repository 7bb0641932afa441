//! A decision against something, with its reason and the rule that would change it.

use std::borrow::Cow;
use std::fmt;

/// The stable codes of refusals that are decided here; those of claims are in `peakdrill_shadow_tag::Refusal`.
pub mod code {
    /// No rule names the resource, or the rule is `deny`.
    pub const UNDECLARED: &str = "undeclared";
    /// A write, or a lock, on what is declared `read_live`.
    pub const READ_LIVE_WRITE: &str = "read_live_write";
    /// The statement cannot be parsed.
    pub const UNPARSEABLE: &str = "unparseable";
    /// A kind of statement, or a part of one, that is not known to be safe.
    pub const UNSAFE_STATEMENT: &str = "unsafe_statement";
    /// A function that is not known to be safe.
    pub const UNSAFE_FUNCTION: &str = "unsafe_function";
    /// More than one statement in one text.
    pub const MULTI_STATEMENT: &str = "multi_statement";
    /// The statement is too long or too deep to be looked through.
    pub const TOO_COMPLEX: &str = "too_complex";
    /// A name that two readers could take for two things.
    pub const AMBIGUOUS_NAME: &str = "ambiguous_name";
    /// The second check found something in the rewritten statement that may not be there.
    pub const GUARD: &str = "guard";
    /// Live work named shadow data.
    pub const LIVE_TOUCHES_SHADOW: &str = "live_touches_shadow";
    /// Work without stamp and tag, where the hop enforces.
    pub const UNSTAMPED: &str = "unstamped";
    /// The run takes no new requests.
    pub const RUN_DRAINING: &str = "run_draining";
    /// The hop only observes: it takes no shadow work.
    pub const OBSERVING: &str = "observing";
    /// The run is over.
    pub const RUN_CLOSED: &str = "run_closed";
    /// A host outside that no stub stands for.
    pub const THIRD_PARTY: &str = "third_party";
    /// The class of the work changed inside a transaction, or where it may not.
    pub const CLASS_CHANGED: &str = "class_changed";
    /// The isolation layer is overloaded and sheds shadow work.
    pub const OVERLOADED: &str = "overloaded";
}

/// Why an operation or a request is refused. Names the resource and, where one would help, the rule to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    code: &'static str,
    resource: Cow<'static, str>,
    text: Cow<'static, str>,
    rule: Option<String>,
}

impl Refused {
    /// A refusal of `resource` for the reason that `text` tells.
    #[must_use]
    pub fn new(
        code: &'static str,
        resource: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, resource: resource.into(), text: text.into(), rule: None }
    }

    /// A refusal of shadow work by a hop in mode observe. There, work that lost its class passes as live: a part of
    /// shadow work that is spawned without its class would write live data.
    #[must_use]
    pub fn observing(resource: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            code::OBSERVING,
            resource,
            "this hop only observes: it must enforce before it takes shadow work",
        )
    }

    /// Says which rule would allow it.
    #[must_use]
    pub fn with_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// The stable code, for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What was refused: a table, a host, `ingress`, …
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The rule to add, where one would help.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}: {}", self.resource, self.text)?;
        match &self.rule {
            Some(rule) => write!(f, " (to allow it, add the rule {rule})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}
