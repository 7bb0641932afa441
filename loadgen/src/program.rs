//! A plan compiled for running: every text to literals and holes, every journey to a list of instructions.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Uri};
use peakdrill_drill_model::plan::{Journey, Node, Plan, Request, StepId};

use crate::draw;
use crate::error::StartError;
use crate::extract::Reader;
use crate::feeder::Rows;
use crate::target::Address;
use crate::template::{Escape, Missing, Names, Text, Values};

/// Most instructions of one journey.
pub const JOURNEY_NODES_MAX: usize = 10_000;

/// A compiled plan.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) seed: u64,
    pub(crate) addresses: Vec<Address>,
    pub(crate) requests: Vec<RequestCode>,
    pub(crate) journeys: Vec<JourneyCode>,
    pub(crate) feeders: Vec<Rows>,
    /// Running sums of the journeys' shares, per phase.
    pub(crate) mixes: Vec<Vec<f64>>,
}

/// A journey as instructions.
#[derive(Debug)]
pub(crate) struct JourneyCode {
    pub(crate) ops: Vec<Op>,
    pub(crate) extracted: usize,
    pub(crate) uuids: usize,
    pub(crate) feeders: Vec<u16>,
}

/// An instruction. Targets of jumps are places in the list; behind its end the journey is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    /// Send a request: index into [`Program::requests`].
    Request(usize),
    /// Pause.
    Think { min_ns: u64, max_ns: u64 },
    /// Jump to the place that a draw from running sums picks.
    Choose { sums: Vec<f64>, places: Vec<usize> },
    /// Go on elsewhere.
    Jump(usize),
}

/// A request step, compiled.
#[derive(Debug)]
pub(crate) struct RequestCode {
    pub(crate) step: StepId,
    pub(crate) target: usize,
    pub(crate) timeout_ns: u64,
    pub(crate) reader: Reader,
    pub(crate) extracted_names: Vec<String>,
    method: Method,
    path: Path,
    headers: HeaderMap,
    dynamic_headers: Vec<(HeaderName, Text)>,
    body: Body,
}

#[derive(Debug)]
enum Path {
    Fixed(Uri),
    Dynamic(Text),
}

#[derive(Debug)]
enum Body {
    Fixed(Bytes),
    Dynamic(Text),
}

/// A request ready to be tagged and sent.
pub(crate) type HttpRequest = http::Request<http_body_util::Full<Bytes>>;

/// Why a request could not be built at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unbuildable(pub(crate) String);

impl Program {
    pub(crate) fn compile(plan: &Plan, run: &str) -> Result<Self, StartError> {
        check_plan(plan)?;
        let addresses = plan.targets.iter().map(Address::parse).collect::<Result<Vec<_>, _>>()?;
        let seed = plan.load.seed;
        let feeders = plan.feeders.iter().enumerate().map(|(k, f)| Rows::new(f, k as u16, seed));
        let mut program = Self {
            seed,
            feeders: feeders.collect::<Result<_, _>>()?,
            addresses,
            requests: Vec::new(),
            journeys: Vec::new(),
            mixes: mixes(plan)?,
        };
        for journey in &plan.journeys {
            let code = program.compile_journey(plan, journey, run)?;
            program.journeys.push(code);
        }
        Ok(program)
    }

    fn compile_journey(
        &mut self,
        plan: &Plan,
        journey: &Journey,
        run: &str,
    ) -> Result<JourneyCode, StartError> {
        let (mut names, mut ops) = (Names::default(), Vec::new());
        let first = self.requests.len();
        self.compile_nodes(plan, &journey.steps, run, &mut names, &mut ops)?;
        let counts = (names.extracted.len(), names.uuids.len());
        self.requests.iter_mut().skip(first).for_each(|r| r.extracted_names.clone_from(&names.extracted));
        if names.feeders.iter().any(|k| usize::from(*k) >= self.feeders.len()) {
            return Err(StartError::Plan(format!(
                "journey `{}` uses a feeder that is not there",
                journey.name
            )));
        }
        Ok(JourneyCode { ops, extracted: counts.0, uuids: counts.1, feeders: names.feeders })
    }

    fn compile_nodes(
        &mut self,
        plan: &Plan,
        nodes: &[Node],
        run: &str,
        names: &mut Names,
        ops: &mut Vec<Op>,
    ) -> Result<(), StartError> {
        for node in nodes {
            if ops.len() >= JOURNEY_NODES_MAX {
                return Err(StartError::Plan(format!("a journey has more than {JOURNEY_NODES_MAX} nodes")));
            }
            match node {
                Node::Request(request) => {
                    let code = RequestCode::compile(plan, request, &self.addresses, run, names)?;
                    ops.push(Op::Request(self.requests.len()));
                    self.requests.push(code);
                }
                Node::Think { min_ns, max_ns } => {
                    ops.push(Op::Think { min_ns: *min_ns, max_ns: (*max_ns).max(*min_ns) });
                }
                Node::Choose(branches) => {
                    let at = ops.len();
                    ops.push(Op::Jump(at + 1));
                    let (mut places, mut ends) = (Vec::new(), Vec::new());
                    for branch in branches {
                        places.push(ops.len());
                        self.compile_nodes(plan, &branch.steps, run, names, ops)?;
                        ends.push(ops.len());
                        ops.push(Op::Jump(0));
                    }
                    let behind = ops.len();
                    ends.into_iter().for_each(|end| set(ops, end, Op::Jump(behind)));
                    if !places.is_empty() {
                        let sums = draw::sums(branches.iter().map(|branch| branch.weight));
                        set(ops, at, Op::Choose { sums, places });
                    }
                }
            }
        }
        Ok(())
    }

    /// The journey that an arrival is.
    pub(crate) fn journey_of(&self, phase: u16, index: u64) -> usize {
        let sums = self.mixes.get(usize::from(phase)).map_or(&[][..], Vec::as_slice);
        draw::pick(sums, draw::unit(self.seed, draw::Purpose::Mix, index))
    }
}

fn set(ops: &mut [Op], place: usize, op: Op) {
    if let Some(slot) = ops.get_mut(place) {
        *slot = op;
    }
}

fn check_plan(plan: &Plan) -> Result<(), StartError> {
    let bad = |text: String| Err(StartError::Plan(text));
    if plan.journeys.is_empty() || plan.targets.is_empty() || plan.load.phases.is_empty() {
        return bad("it needs a target, a journey and a phase".into());
    }
    for phase in &plan.load.phases {
        if let Some(limit) = plan.guards.limit_rate
            && phase.shape.peak() > limit
        {
            let (name, peak) = (&phase.name, phase.shape.peak());
            return bad(format!("phase `{name}` reaches {peak}/s, over the limit of {limit}/s"));
        }
    }
    Ok(())
}

fn mixes(plan: &Plan) -> Result<Vec<Vec<f64>>, StartError> {
    let own: Vec<f64> = plan.journeys.iter().map(|journey| journey.share).collect();
    let of = |phase: &peakdrill_drill_model::plan::Phase| {
        let shares = phase.mix.as_ref().unwrap_or(&own);
        let usable = shares.len() == own.len() && shares.iter().all(|s| s.is_finite() && *s >= 0.0);
        if usable && shares.iter().sum::<f64>() > 0.0 {
            Ok(draw::sums(shares.iter().copied()))
        } else {
            Err(StartError::Plan(format!("phase `{}`: the shares of its journeys are no mix", phase.name)))
        }
    };
    plan.load.phases.iter().map(of).collect()
}

impl RequestCode {
    fn compile(
        plan: &Plan,
        request: &Request,
        addresses: &[Address],
        run: &str,
        names: &mut Names,
    ) -> Result<Self, StartError> {
        let target = usize::from(request.target);
        let (Some(address), Some(spec)) = (addresses.get(target), plan.targets.get(target)) else {
            return Err(StartError::Plan(format!("a step names target {target}, which is not there")));
        };
        let bad = |what: &str, text: &str| StartError::Plan(format!("`{text}` is not {what}"));
        let method = Method::from_bytes(request.method.as_bytes())
            .ok()
            .filter(|method| *method != Method::CONNECT)
            .ok_or_else(|| bad("a method that can be sent", &request.method))?;
        let mut path = Text::compile(&request.path, Escape::Percent, run, names);
        path.prefix(&address.path_prefix);
        let path = match path.fixed() {
            Some(fixed) => {
                let uri = uri(Bytes::copy_from_slice(fixed));
                Path::Fixed(uri.ok_or_else(|| bad("a path", &String::from_utf8_lossy(fixed)))?)
            }
            None => Path::Dynamic(path),
        };
        let (headers, dynamic_headers) = compile_headers(request, address, run, names)?;
        let body = compile_body(request, &headers, run, names);
        let reader = Reader::compile(request, names)?;
        let timeout_ns = request.timeout_ns.unwrap_or(spec.request_timeout_ns);
        Ok(Self {
            step: request.step,
            target,
            timeout_ns,
            reader,
            extracted_names: Vec::new(),
            method,
            path,
            headers,
            dynamic_headers,
            body,
        })
    }

    /// Whether the method promises to change nothing (RFC 9110, 9.2.1).
    pub(crate) fn is_safe(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// Builds the request, without tags. `host` and `content-length` are right; the length is set when it is sent.
    pub(crate) fn build(&self, values: &Values<'_>) -> Result<HttpRequest, Unbuildable> {
        let missing = |Missing(slot): Missing| {
            let name = self.extracted_names.get(usize::from(slot)).map_or("?", String::as_str);
            Unbuildable(format!("`{name}` has not been extracted"))
        };
        let body = match &self.body {
            Body::Fixed(bytes) => bytes.clone(),
            Body::Dynamic(text) => Bytes::from(render(text, values).map_err(missing)?),
        };
        let mut request = http::Request::new(http_body_util::Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = match &self.path {
            Path::Fixed(uri) => uri.clone(),
            Path::Dynamic(text) => uri(render(text, values).map_err(missing)?.into())
                .ok_or_else(|| Unbuildable("the filled-in path is not a path".into()))?,
        };
        let mut headers = self.headers.clone();
        for (name, text) in &self.dynamic_headers {
            let bytes = Bytes::from(render(text, values).map_err(missing)?);
            let value = HeaderValue::from_maybe_shared(bytes)
                .map_err(|_| Unbuildable(format!("a value is not fit for the header `{name}`")))?;
            headers.append(name.clone(), value);
        }
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn render(text: &Text, values: &Values<'_>) -> Result<Vec<u8>, Missing> {
    let mut out = Vec::with_capacity(128);
    text.render(values, &mut out)?;
    Ok(out)
}

fn uri(text: Bytes) -> Option<Uri> {
    if !text.starts_with(b"/") {
        return None;
    }
    Uri::from_maybe_shared(text).ok().filter(|uri| uri.authority().is_none())
}

/// Headers that belong to the connection or the message's frame, or to the tag: a plan may not set them.
const RESERVED: [&str; 6] =
    ["content-length", "transfer-encoding", "connection", "upgrade", "traceparent", "expect"];

fn compile_headers(
    request: &Request,
    address: &Address,
    run: &str,
    names: &mut Names,
) -> Result<(HeaderMap, Vec<(HeaderName, Text)>), StartError> {
    let mut fixed = HeaderMap::new();
    let mut dynamic = Vec::new();
    for (name, template) in &request.headers {
        let bad = || StartError::Plan(format!("header `{name}` cannot be sent"));
        let key: HeaderName = name.parse().map_err(|_| bad())?;
        if RESERVED.contains(&key.as_str()) {
            return Err(StartError::Plan(format!("header `{name}` is set by the engine alone")));
        }
        let text = Text::compile(template, Escape::None, run, names);
        match text.fixed() {
            Some(value) => {
                fixed.append(key, HeaderValue::from_bytes(value).map_err(|_| bad())?);
            }
            None => dynamic.push((key, text)),
        }
    }
    let agent = HeaderValue::from_static(concat!("peakdrill/", env!("CARGO_PKG_VERSION")));
    let defaults =
        [(HOST, address.host.clone()), (USER_AGENT, agent), (ACCEPT, HeaderValue::from_static("*/*"))];
    for (name, value) in defaults {
        if !fixed.contains_key(&name) && !dynamic.iter().any(|(known, _)| *known == name) {
            fixed.insert(name, value);
        }
    }
    Ok((fixed, dynamic))
}

fn compile_body(request: &Request, headers: &HeaderMap, run: &str, names: &mut Names) -> Body {
    let json = headers.get(CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes()));
    let escape = if json { Escape::Json } else { Escape::None };
    let text = request.body.as_ref().map(|body| Text::compile(body, escape, run, names));
    match text {
        None => Body::Fixed(Bytes::new()),
        Some(text) => match text.fixed() {
            Some(bytes) => Body::Fixed(Bytes::copy_from_slice(bytes)),
            None => Body::Dynamic(text),
        },
    }
}

/// `application/json` and `application/<anything>+json`, with or without parameters.
pub(crate) fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|c| *c == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    essence == b"application/json" || essence.starts_with(b"application/") && essence.ends_with(b"+json")
}

#[cfg(test)]
pub(crate) mod tests;
