//! What users do: journeys, their requests, and what is read from answers. Seen through [`crate::plan`].

use serde::{Deserialize, Serialize};

use crate::condition::Op;
use crate::plan::StepId;
use crate::ws::{Ws, WsAct};

/// A journey: what one user does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Journey {
    /// Its name.
    pub name: String,
    /// Share among arrivals, 0..=1; all shares sum to 1. A phase may override it.
    pub share: f64,
    /// Whether cookies of answers are sent back in later requests of the same journey to the same target.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cookies: bool,
    /// What is done, in order.
    pub steps: Vec<Node>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// One node of a journey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A request.
    Request(Box<Request>),
    /// A pause, uniform between the two, in nanoseconds.
    Think {
        /// Shortest.
        min_ns: u64,
        /// Longest.
        max_ns: u64,
    },
    /// A pause, lognormal.
    ThinkLognormal {
        /// Median, in nanoseconds.
        median_ns: u64,
        /// Shape: standard deviation of the logarithm.
        sigma: f64,
        /// Longer ones last so long, in nanoseconds.
        max_ns: u64,
    },
    /// One branch by weight.
    Choose(Vec<Branch>),
    /// The same again and again.
    Loop(Loop),
}

/// Steps that are done several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loop {
    /// Fewest turns; how many it is of the range is drawn for each journey.
    pub min: u32,
    /// Most turns.
    pub max: u32,
    /// After a turn, what must hold for another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
    /// What is done.
    pub steps: Vec<Node>,
}

/// What must hold for another turn of a loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The name of an extracted value.
    pub value: String,
    /// What is asked of it.
    pub test: TextTest,
}

impl Node {
    /// Calls `see` with each request of some nodes and of what is below them.
    pub fn requests<'a>(nodes: &'a [Self], see: &mut dyn FnMut(&'a Request)) {
        for node in nodes {
            if let Self::Request(request) = node {
                see(request);
            }
            node.below().for_each(|below| Self::requests(below, see));
        }
    }

    /// The lists of nodes below this one.
    pub fn below(&self) -> impl Iterator<Item = &[Node]> {
        let (branches, steps) = match self {
            Self::Choose(branches) => (branches.as_slice(), None),
            Self::Loop(turns) => (&[][..], Some(turns.steps.as_slice())),
            Self::Request(_) | Self::Think { .. } | Self::ThinkLognormal { .. } => (&[][..], None),
        };
        branches.iter().map(|branch| branch.steps.as_slice()).chain(steps)
    }

    /// The same, to be changed.
    pub fn below_mut(&mut self) -> impl Iterator<Item = &mut Vec<Node>> {
        let (branches, steps) = match self {
            Self::Choose(branches) => (branches.as_mut_slice(), None),
            Self::Loop(turns) => (&mut [][..], Some(&mut turns.steps)),
            Self::Request(_) | Self::Think { .. } | Self::ThinkLognormal { .. } => (&mut [][..], None),
        };
        branches.iter_mut().map(|branch| &mut branch.steps).chain(steps)
    }

    /// Whether it is a pause.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        matches!(self, Self::Think { .. } | Self::ThinkLognormal { .. })
    }
}

/// A branch of a choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// Relative weight, above 0.
    pub weight: f64,
    /// What is done.
    pub steps: Vec<Node>,
}

/// A request step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Request {
    /// Index into [`crate::plan::Plan::steps`].
    pub step: StepId,
    /// Index into [`crate::plan::Plan::targets`].
    pub target: u16,
    /// `GET`, `POST`, `PUT`, `DELETE`, …
    pub method: String,
    /// Of a gRPC call, what is called: `package.Service/Method`. The body is then the message's JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// Values computed before the request is written, in this order; later ones may use earlier ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, Template)>,
    /// Path and query, beginning with `/`.
    pub path: Template,
    /// Further headers, names in lower case.
    pub headers: Vec<(String, Template)>,
    /// The body; `None` for no body. A JSON body is a template of its text.
    pub body: Option<Template>,
    /// Values taken from the answer.
    pub extract: Vec<Extract>,
    /// What the answer must be.
    pub checks: Vec<Check>,
    /// Classes of answers besides ok and fail: the first whose condition holds is the answer's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// Limit for this exchange; overrides the target's.
    pub timeout_ns: Option<u64>,
    /// What it is over a WebSocket of the journey; `None`: a request of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ws: Option<Ws>,
}

impl Request {
    /// All templates.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let named = self.values.iter().chain(&self.headers).map(|(_, template)| template);
        let until = self.ws.as_ref().and_then(Ws::expected);
        named.chain(std::iter::once(&self.path)).chain(&self.body).chain(until)
    }

    /// Whether it goes over a connection that was opened before: without a tag and a trace of its own.
    #[must_use]
    pub fn is_message(&self) -> bool {
        matches!(&self.ws, Some(Ws { act: WsAct::Say { .. }, .. }))
    }
}

/// Name of a request step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepInfo {
    /// The journey's name.
    pub journey: String,
    /// The step's name, or the path template without its query when it has none.
    pub step: String,
    /// Names of its classes of answers besides ok and fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<String>,
    /// Whether it is a message over a connection that was opened before: it carries no tag and no trace of its own, and
    /// no hop counts it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub message: bool,
}

/// Text with holes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Template(pub Vec<Part>);

impl Template {
    /// Calls `see` with each part, those inside of functions included.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Part)) {
        for part in &self.0 {
            see(part);
            match part {
                Part::Base64(of) | Part::Sha256 { of, .. } => of.visit(see),
                Part::HmacSha256 { key, of, .. } => {
                    key.visit(see);
                    of.visit(see);
                }
                _ => {}
            }
        }
    }

    /// The same, to be changed.
    pub fn visit_mut(&mut self, see: &mut dyn FnMut(&mut Part)) {
        for part in &mut self.0 {
            see(part);
            match part {
                Part::Base64(of) | Part::Sha256 { of, .. } => of.visit_mut(see),
                Part::HmacSha256 { key, of, .. } => {
                    key.visit_mut(see);
                    of.visit_mut(see);
                }
                _ => {}
            }
        }
    }

    /// A template without holes.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self(vec![Part::Literal(text.to_owned())])
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Fixed text.
    Literal(String),
    /// A column of a feeder's row, by indices.
    Feeder {
        /// Index into [`crate::plan::Plan::feeders`].
        feeder: u16,
        /// Index into its columns.
        column: u16,
    },
    /// A value extracted earlier in the journey, by its name.
    Extracted(String),
    /// A UUID v4 drawn for this run: without a name, a fresh one for each use and turn of a loop; the same within one
    /// journey for the same name.
    Uuid(String),
    /// The run's id.
    RunId,
    /// The journey's global index, decimal.
    Index,
    /// A whole number, drawn for each use and turn of a loop; both ends included.
    Random {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
    },
    /// So many letters and digits, drawn for each use and turn of a loop.
    RandomString(u16),
    /// The time at which the request is written.
    Time(TimeForm),
    /// A value that the step computes beforehand, by its name.
    Value(String),
    /// Base64 of a text (RFC 4648, 4).
    Base64(Template),
    /// SHA-256 of a text.
    Sha256 {
        /// The text.
        of: Template,
        /// How it is written.
        form: DigestForm,
    },
    /// HMAC-SHA-256 of a text (RFC 2104).
    HmacSha256 {
        /// The key.
        key: Template,
        /// The text.
        of: Template,
        /// How it is written.
        form: DigestForm,
    },
    /// A secret, by its name; its value is handed to the engine and is in no plan.
    Secret(String),
    /// A file's bytes as they are: index into [`crate::plan::Plan::files`].
    File(u16),
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeForm {
    /// Unix seconds.
    Seconds,
    /// Unix milliseconds.
    Millis,
    /// RFC 3339 in UTC, with milliseconds.
    Rfc3339,
}

/// How a digest is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestForm {
    /// Hexadecimal, in lower case.
    Hex,
    /// Base64 (RFC 4648, 4).
    Base64,
}

/// A file whose bytes are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DataFile {
    /// The file, as written.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// Its content; not part of `plan.json` (its hash is).
    #[serde(skip)]
    pub content: std::sync::Arc<Vec<u8>>,
}

/// A value taken from an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extract {
    /// The name under which later steps see it.
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub from: Source,
    /// What is taken when it is not there; without one, that is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

impl Extract {
    /// The first node at a JSON path.
    #[must_use]
    pub fn json(name: &str, path: &str) -> Self {
        Self { name: name.to_owned(), from: Source::JsonPath(path.to_owned()), default: None }
    }
}

/// Where a value stands in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The first node at an RFC 9535 JSON path, strings as they are, all else as JSON. Null is no value.
    JsonPath(String),
    /// The first group of the first match in the body, or the whole match when there is no group.
    Regex(String),
    /// The first header of that name.
    Header(String),
}

/// A class of answers that are no failures and are counted apart: `sold_out`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name in results.
    pub name: String,
    /// What makes an answer one of it.
    pub when: Check,
}

/// A check of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The status compares so with a number.
    Status {
        /// The comparison.
        op: Op,
        /// The number.
        value: u16,
    },
    /// The status is one of these.
    StatusIn(Vec<u16>),
    /// The gRPC status compares so with a number.
    GrpcStatus {
        /// The comparison.
        op: Op,
        /// The number.
        value: u16,
    },
    /// The gRPC status is one of these.
    GrpcStatusIn(Vec<u16>),
    /// The number of messages of a gRPC answer compares so with a number.
    Messages {
        /// The comparison.
        op: Op,
        /// The number.
        count: u64,
    },
    /// The first node at a JSON path compares so with a JSON value.
    Json {
        /// RFC 9535 JSON path.
        path: String,
        /// The comparison.
        op: Op,
        /// The value.
        value: serde_json::Value,
    },
    /// The first node at a JSON path equals one of these JSON values.
    JsonIn {
        /// RFC 9535 JSON path.
        path: String,
        /// The values.
        values: Vec<serde_json::Value>,
    },
    /// The first node at a JSON path, as text (strings as they are, all else as JSON), is so.
    JsonText {
        /// RFC 9535 JSON path.
        path: String,
        /// What is asked.
        test: TextTest,
    },
    /// The first header of that name is so.
    Header {
        /// The name, in lower case.
        name: String,
        /// What is asked.
        test: TextTest,
    },
    /// The body is so.
    Body(TextTest),
    /// The body's length in bytes compares so with a number.
    BodySize {
        /// The comparison.
        op: Op,
        /// The number.
        bytes: u64,
    },
}

/// What is asked of a text. What is not there passes [`TextTest::Absent`] alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextTest {
    /// It is this.
    Is(String),
    /// It is there, and is not this.
    IsNot(String),
    /// This is a part of it.
    Contains(String),
    /// A regular expression is found in it.
    Matches(String),
    /// It is there.
    Present,
    /// It is not there.
    Absent,
}
