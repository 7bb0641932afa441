//! Targets, feeders, journeys and their steps.

use super::{Block, Ty, later, may, must};

pub(crate) static TARGET: Block = Block {
    id: "target",
    what: "a target",
    fields: &[
        must(
            "base_url",
            Ty::Text,
            "`http://host[:port]` or `https://host[:port]`, with an optional path prefix; `ws://` or `wss://` for a target of `ws` steps alone; for gRPC `grpc://host:port` or `grpcs://host:port`.",
        ),
        may(
            "protocol",
            Ty::Choice(&["http1", "http2", "grpc"]),
            "How to speak to it; `http1` when not given. `http2` is prior knowledge on `http://` and agreed on (ALPN) on `https://`, and what gRPC targets speak: for them it is left out, or `grpc`.",
        ),
        may("timeouts", Ty::Block(&TIMEOUTS), "Limits of time."),
        may("connections", Ty::Block(&CONNECTIONS), "How many connections."),
        may("tls", Ty::Block(&TLS), "Certificates."),
        may("resolve", Ty::Block(&RESOLVE), "Which addresses it has."),
        may(
            "proto",
            Ty::List(&Ty::Text),
            "The `.proto` files of a gRPC target, relative to the scenario's folder. Imports are looked for beside them and in the folders above.",
        ),
        may("reflection", Ty::Bool, "Ask the gRPC server for its message types before the load starts."),
    ],
};

pub(crate) static TIMEOUTS: Block = Block {
    id: "timeouts",
    what: "timeouts",
    fields: &[
        may("connect", Ty::Duration, "For opening a connection, TLS included; 3s when not given."),
        may("request", Ty::Duration, "For one exchange; 10s when not given."),
    ],
};

pub(crate) static CONNECTIONS: Block = Block {
    id: "connections",
    what: "connections",
    fields: &[
        may("max", Ty::Whole, "Most open connections; 1000 when not given."),
        may("max_per_agent", Ty::Whole, "The same for each agent, not split over them."),
        may("exact", Ty::Bool, "Open all of `max` before the start and keep exactly so many."),
        may(
            "streams",
            Ty::Whole,
            "With `protocol: http2` and gRPC: most exchanges that one connection carries at a time; 100 when not given, and never more than the server allows.",
        ),
        may(
            "per",
            Ty::Choice(&SHARING),
            "`pool` (default): journeys share connections. `user`: each journey in progress has one of its own, opened with its first request and closed at its end.",
        ),
        may(
            "lifetime",
            Ty::Duration,
            "A connection that is older, give or take a tenth, is closed as soon as no request is on it.",
        ),
        may(
            "from",
            Ty::List(&Ty::Text),
            "Local addresses that connections come from in turn: `10.0.0.2`, `10.0.0.0/28`. Each allows some 28,000 more connections to one address of the target.",
        ),
    ],
};

/// Who uses a connection.
pub(crate) const SHARING: [&str; 2] = ["pool", "user"];

pub(crate) static RESOLVE: Block = Block {
    id: "resolve",
    what: "resolve",
    fields: &[
        may(
            "refresh",
            Ty::Duration,
            "Look the name up again so often: new connections go to all addresses in turn, those to addresses that are gone are closed.",
        ),
        may(
            "addresses",
            Ty::List(&Ty::Text),
            "Addresses in place of those of the name, in turn: `10.0.0.2`, `10.0.0.2:8080`. Host header and certificate stay those of the name.",
        ),
    ],
};

pub(crate) static TLS: Block = Block {
    id: "tls",
    what: "tls",
    fields: &[
        may("ca", Ty::Text, "A PEM file with further certificate authorities."),
        may(
            "cert",
            Ty::Text,
            "A PEM file with the client's certificate, then those that lead to its authority.",
        ),
        may("key", Ty::Text, "A PEM file with the private key of `cert`; read at the start, never recorded."),
        may(
            "server_name",
            Ty::Text,
            "The name that the server is asked for and its certificate is held against; that of the URL when not given.",
        ),
        may(
            "resume",
            Ty::Bool,
            "Take up the TLS session of an earlier connection; `true` when not given. With `false` every connection costs a full handshake, as those of new users do.",
        ),
        may("insecure", Ty::Bool, "Do not verify the server's certificate; warned about and reported."),
    ],
};

pub(crate) static FEEDER: Block = Block {
    id: "feeder",
    what: "a feeder",
    fields: &[
        may("csv", Ty::Text, "A CSV file with a header line, relative to the scenario's folder."),
        may("jsonl", Ty::Text, "A file with a JSON object on every line: `${users.address.city}`."),
        may("order", Ty::Text, "`sequential` (default), `shuffle`, `random` or `zipf(s)`."),
        may(
            "scope",
            Ty::Choice(&["global", "shared"]),
            "`global`: one row for one journey, across all agents; `shared`: rows are drawn.",
        ),
        may(
            "on_exhausted",
            Ty::Choice(&["stop_journey", "recycle", "fail"]),
            "After the last row of a sequential or shuffled feeder; `stop_journey` when not given.",
        ),
    ],
};

pub(crate) static JOURNEY: Block = Block {
    id: "journey",
    what: "a journey",
    fields: &[
        must("steps", Ty::List(&Ty::Variant(&STEP)), "What is done, in order."),
        may(
            "cookies",
            Ty::Bool,
            "Send cookies of answers back in later requests of the same journey to the same target.",
        ),
    ],
};

pub(crate) static STEP: Block = Block {
    id: "step",
    what: "a step",
    fields: &[
        may("get", Ty::Either(&Ty::Template, &Ty::Block(&REQUEST)), "A GET request."),
        may("post", Ty::Either(&Ty::Template, &Ty::Block(&REQUEST)), "A POST request."),
        may("put", Ty::Either(&Ty::Template, &Ty::Block(&REQUEST)), "A PUT request."),
        may("delete", Ty::Either(&Ty::Template, &Ty::Block(&REQUEST)), "A DELETE request."),
        may("patch", Ty::Either(&Ty::Template, &Ty::Block(&REQUEST)), "A PATCH request."),
        may(
            "think",
            Ty::Text,
            "A pause: `300ms`, uniform between two (`300ms..1500ms`), or `lognormal(800ms, 0.5)` by median and sigma.",
        ),
        may("choose", Ty::List(&Ty::Block(&BRANCH)), "One branch by weight."),
        may("loop", Ty::Block(&LOOP), "The same steps again and again."),
        may("use", Ty::Text, "The steps of a fragment."),
        may(
            "ws",
            Ty::Block(&WS),
            "A message over a WebSocket of the journey, and the answer to it; the first one opens it.",
        ),
        may("grpc", Ty::Block(&GRPC), "A gRPC call, unary or server-streaming."),
    ],
};

pub(crate) static GRPC: Block = Block {
    id: "grpc",
    what: "a gRPC call",
    fields: &[
        must("method", Ty::Text, "What is called: `package.Service/Method`."),
        may("name", Ty::Text, "The step's name in results; the method when not given."),
        may("target", Ty::Text, "Which target; may be left out when there is only one."),
        may(
            "message",
            Ty::Json,
            "The message, written as YAML by the JSON mapping of protobuf; empty when not given.",
        ),
        may(
            "metadata",
            Ty::Map(&Ty::Template),
            "Metadata sent with the call; values of names in `-bin` are Base64.",
        ),
        may(
            "let",
            Ty::Map(&Ty::Template),
            "Values computed before the call is written, in this order: `${sign}` in metadata and message.",
        ),
        may("bearer", Ty::Template, "The token of an `authorization: Bearer …` metadatum."),
        may(
            "extract",
            Ty::Map(&Ty::Either(&Ty::Text, &Ty::Block(&EXTRACT))),
            "Values taken from the answer: a name and a JSON path each, or a metadatum; of a stream, `$` is the list of its messages.",
        ),
        may(
            "check",
            Ty::List(&Ty::Text),
            "What the answer must be: `grpc_status == 0`, `$.score >= 0`, `messages > 0`, `header x-cell present`.",
        ),
        may(
            "outcome",
            Ty::Map(&Ty::Text),
            "Classes of answers besides ok and fail, counted apart: a name and a check each.",
        ),
        may(
            "timeout",
            Ty::Duration,
            "Limit for this call, told to the server too; the target's when not given.",
        ),
    ],
};

pub(crate) static WS: Block = Block {
    id: "ws",
    what: "a `ws` step",
    fields: &[
        must(
            "path",
            Ty::Template,
            "Where the WebSocket is opened: path and query. Steps of a journey with the same target and path speak over the same one.",
        ),
        may("name", Ty::Text, "The step's name in results; the path without its query when not given."),
        may("target", Ty::Text, "Which target; may be left out when there is only one."),
        may(
            "open",
            Ty::Block(&WS_OPEN),
            "How it is opened, at the first step that speaks over it; the opening is a step of its own in results.",
        ),
        may(
            "let",
            Ty::Map(&Ty::Template),
            "Values computed before the message is written, in this order: `${sign}` in the message and in `open`.",
        ),
        may("send", Ty::Template, "The message, as text; without one, the step only waits."),
        may("json", Ty::Json, "The message, written as YAML and sent as JSON."),
        may(
            "send_file",
            Ty::Text,
            "The message, binary: a file, sent as it is; relative to the scenario's folder, at most 16 MiB.",
        ),
        may(
            "receive",
            Ty::Either(&Ty::Choice(&["next", "none"]), &Ty::Block(&WS_RECEIVE)),
            "What answers it: the `next` message, which is what is taken when not given, `none`, or one that is described.",
        ),
        may(
            "extract",
            Ty::Map(&Ty::Either(&Ty::Text, &Ty::Block(&WS_EXTRACT))),
            "Values taken from the message that answers: a name and a JSON path each, or a regular expression.",
        ),
        may(
            "check",
            Ty::List(&Ty::Text),
            "What the message that answers must be: `$.code in [0, 1]`, `body contains \"x\"`, `body size < 10KiB`.",
        ),
        may("outcome", Ty::Map(&Ty::Text), "Classes of answers besides ok and fail, counted apart."),
        may("timeout", Ty::Duration, "How long the answer is waited for; the target's limit when not given."),
    ],
};

pub(crate) static WS_OPEN: Block = Block {
    id: "ws_open",
    what: "`open`",
    fields: &[
        may("name", Ty::Text, "The name of the opening in results; `open PATH` when not given."),
        may("headers", Ty::Map(&Ty::Template), "Headers of the request that opens it."),
        may("basic", Ty::Block(&BASIC), "User and password of an `authorization: Basic …` header."),
        may("bearer", Ty::Template, "The token of an `authorization: Bearer …` header."),
        may("subprotocols", Ty::List(&Ty::Text), "Subprotocols that are offered; the server must take one."),
        may(
            "timeout",
            Ty::Duration,
            "How long the upgrade is waited for; the target's limit when not given.",
        ),
    ],
};

pub(crate) static WS_RECEIVE: Block = Block {
    id: "ws_receive",
    what: "`receive`",
    fields: &[
        may(
            "until",
            Ty::Text,
            "What the message must be, as in `check`; others are passed over and counted.",
        ),
        may(
            "count",
            Ty::Whole,
            "How many such messages are waited for: the last one is the answer; 1 when not given.",
        ),
    ],
};

pub(crate) static WS_EXTRACT: Block = Block {
    id: "ws_extract",
    what: "a value to extract from a message",
    fields: &[
        may(
            "json",
            Ty::Text,
            "A JSON path: `$.data.token`. Strings are taken as they are, all else as JSON.",
        ),
        may("regex", Ty::Text, "A regular expression over the message: its first group, or the whole match."),
        may("default", Ty::Text, "What is taken when it is not there; without it, that is an error."),
    ],
};

pub(crate) static LOOP: Block = Block {
    id: "loop",
    what: "a loop",
    fields: &[
        must("times", Ty::Text, "How many turns: `3`, or `1..5`, drawn for each journey."),
        must("steps", Ty::List(&Ty::Variant(&STEP)), "What is done in a turn."),
        may("while", Ty::Text, "After a turn, what must hold for another one: `${state} != done`."),
    ],
};

pub(crate) static BRANCH: Block = Block {
    id: "branch",
    what: "a branch of `choose`",
    fields: &[
        must("weight", Ty::Number, "Relative weight, above 0."),
        must("steps", Ty::List(&Ty::Variant(&STEP)), "What is done."),
    ],
};

pub(crate) static EXTRACT: Block = Block {
    id: "extract",
    what: "a value to extract",
    fields: &[
        may(
            "json",
            Ty::Text,
            "A JSON path: `$.data.token`. Strings are taken as they are, all else as JSON.",
        ),
        may("regex", Ty::Text, "A regular expression over the body: its first group, or the whole match."),
        may("header", Ty::Text, "The name of a header."),
        may("default", Ty::Text, "What is taken when it is not there; without it, that is an error."),
    ],
};

pub(crate) static BASIC: Block = Block {
    id: "basic",
    what: "`basic`",
    fields: &[
        must("user", Ty::Template, "The user."),
        must("password", Ty::Template, "The password: `${secret:NAME}`."),
    ],
};

pub(crate) static PART: Block = Block {
    id: "part",
    what: "a part of a multipart body",
    fields: &[
        must("file", Ty::Text, "The file, sent as it is; relative to the scenario's folder, at most 16 MiB."),
        may("type", Ty::Text, "Its content type; `application/octet-stream` when not given."),
        may("name", Ty::Text, "Its file name; that of the file when not given."),
    ],
};

pub(crate) static REQUEST: Block = Block {
    id: "request",
    what: "a request step",
    fields: &[
        must("path", Ty::Template, "Path and query, beginning with `/`."),
        may("name", Ty::Text, "The step's name in results; the path without its query when not given."),
        may("target", Ty::Text, "Which target; may be left out when there is only one."),
        may("headers", Ty::Map(&Ty::Template), "Headers."),
        may(
            "query",
            Ty::Map(&Ty::Either(&Ty::Template, &Ty::List(&Ty::Template))),
            "Query parameters, percent-encoded.",
        ),
        may(
            "let",
            Ty::Map(&Ty::Template),
            "Values computed before the request is written, in this order: `${sign}` in headers and body.",
        ),
        may("basic", Ty::Block(&BASIC), "User and password of an `authorization: Basic …` header."),
        may("bearer", Ty::Template, "The token of an `authorization: Bearer …` header."),
        may("idempotency_key", Ty::Template, "The value of an `idempotency-key` header."),
        may("json", Ty::Json, "The body, written as YAML and sent as JSON."),
        may("body", Ty::Template, "The body as text."),
        may(
            "form",
            Ty::Map(&Ty::Either(&Ty::Template, &Ty::List(&Ty::Template))),
            "The body as form fields, percent-encoded.",
        ),
        may(
            "body_file",
            Ty::Text,
            "The body as a file, sent as it is; relative to the scenario's folder, at most 16 MiB.",
        ),
        may(
            "multipart",
            Ty::Map(&Ty::Either(&Ty::Template, &Ty::Block(&PART))),
            "The body as multipart form fields, files among them.",
        ),
        may(
            "extract",
            Ty::Map(&Ty::Either(&Ty::Text, &Ty::Block(&EXTRACT))),
            "Values taken from the answer: a name and a JSON path each, or where else it stands.",
        ),
        may(
            "check",
            Ty::List(&Ty::Text),
            "What the answer must be: `status == 200`, `$.code in [0, 1]`, `header etag present`, `body size < 10KiB`.",
        ),
        may(
            "outcome",
            Ty::Map(&Ty::Text),
            "Classes of answers besides ok and fail, counted apart: a name and a check each.",
        ),
        may("timeout", Ty::Duration, "Limit for this exchange; the target's when not given."),
        later("follow_redirects", "Follow redirects."),
    ],
};
