//! The stable codes and their long texts (`peakdrill explain CODE`).

use serde::{Serialize, Serializer};

/// A stable code such as `E0312`. `E` is an error, `W` a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl Code {
    /// Whether diagnostics with this code only warn.
    #[must_use]
    pub fn is_warning(self) -> bool {
        self.0.starts_with('W')
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident $text:literal)*) => {
        $(#[doc = $text] pub(crate) const $name: Code = Code(stringify!($name));)*
        const ALL: &[(Code, &str)] = &[$(($name, $text)),*];
    };
}

codes! {
E0101 "The file is not valid YAML. Only the first such error can be shown, because what follows it has no certain structure. Usual causes: a tab in the indentation, an unclosed quote or bracket, a `: ` inside unquoted text, or a value beginning with @ or ` without quotes."
E0102 "The scenario is too large, too deeply nested, or expands too many aliases. A scenario is at most 1 MiB, 32 levels deep and 100,000 YAML events; data belongs in CSV files that `feeders` name."
E0103 "The file is empty, or holds only comments. `peakdrill init` writes a commented scenario to start from."
E0104 "The same key stands twice in one mapping. YAML leaves open which one counts, so neither does: remove one."
E0105 "A key is not plain text. Keys are words such as `rate`; a list or a mapping cannot be one."
E0201 "A `${name}` is not known. Names come from `vars`, from a feeder (`${users.uid}`), from an earlier `extract`, from the environment (`${env:NAME}`), from the step's own `let`, or are built in: `${uuid}`, `${uuid:name}`, `${run.id}`, `${index}`, `${time}`, `${time_ms}`, `${time_rfc3339}`. Write `$${` for a literal `${`."
E0202 "A value is used before a step has extracted it. Steps run in order; a value extracted inside a branch of `choose` exists after the choice only when every branch extracts it, and one extracted inside a `loop` only when the loop has at least one turn."
E0203 "A `${function}` is not known. There are `${uuid}`, `${uuid:name}`, `${run.id}`, `${index}`, `${time}`, `${time_ms}`, `${time_rfc3339}`, `${random(1,100)}`, `${random_string(8)}`, `${base64(x)}`, `${sha256(x)}`, `${sha256_base64(x)}`, `${hmac_sha256(key, x)}`, `${hmac_sha256_base64(key, x)}`, `${env:NAME}` and `${secret:NAME}`. What is in brackets is a name as it would stand in `${}`, or text in quotes."
E0204 "A feeder has no such column. Columns are named by the first line of a CSV file, and by the members of the objects of a JSONL file, `address.city` for one inside of another."
E0205 "`--set` names a variable that the file does not declare. Declare it under `vars` with a default: a misspelt name must not be silently without effect."
E0206 "A secret may not stand here. `${secret:NAME}` is for `shadow.key`, for the `dsn` of a store, and for what requests carry: only there is it kept out of the plan and the record."
E0207 "An environment variable that the file uses is not set."
E0208 "A `${` has no closing `}`, or nothing between the braces. Write `$${` for a literal `${`."
E0209 "A template stands where only a fixed value can. Values that differ per journey are possible in paths, headers and bodies; elsewhere only `vars` and `${env:NAME}` are replaced."
E0210 "A name is already taken. A value extracted from an answer may not have the name of a variable, of a feeder or of a built-in."
E0211 "A variable is defined by another template. Variables are plain values; write the text where it is used instead."
E0212 "A function has other arguments than it needs: `random(1, 100)`, `random_string(8)` with at most 1,024 characters, `base64(x)`, `sha256(x)`, `hmac_sha256(key, x)`. An argument is a name, another function, or text in quotes."
E0310 "A value has the wrong form: a mapping where a list belongs, text where a mapping belongs, and so on."
E0311 "A key that the block needs is missing."
E0312 "A key is not known in this block. Nothing is ever accepted and ignored. The message lists the keys there are; when the word is another tool's, the help says what it is called here."
E0313 "The language knows this, but it is not built yet. It is an error rather than ignored, because a drill that silently leaves something out would not be the drill you wrote."
E0314 "A value is not one of those that the key takes."
E0315 "A variant is written as a mapping with exactly one key, such as `- get: /` or `shape: { hold: {…} }`."
E0316 "A target, journey, fragment, step or phase of this name does not exist in the file."
E0317 "Two things have the same name, so results could not be told apart. Steps without a `name` are named by their path template."
E0318 "A list or block that needs at least one entry is empty."
E0319 "Two keys exclude each other, or one makes no sense beside the other."
E0320 "Fragments or files go round in a circle: one uses or includes itself, perhaps through others. The message shows the way round."
E0321 "An included file may hold `include`, `feeders`, `fragments` and `journeys`; targets, load, guards and gates belong to the scenario itself, where a reader looks for them."
E0322 "A chain of fragments or of included files is too long, or there are too many of them: at most 100 fragments, 16 deep, and 50 files, 8 deep."
E0323 "A loop cannot be read. Write `loop: { times: 3, steps: [...] }`, with a range `1..5` for a number that is drawn for each journey, at most 10,000 turns, and optionally `while: \"${state} != done\"`, which is asked after each turn of a value that a step has extracted."
E0324 "A `ws` step cannot be read. Write `ws: { path: /v1/feed, json: { op: ping }, receive: { until: '$.op == \"pong\"' } }`: a message (`send`, `json` or `send_file`, or none, to wait only) and what answers it (`receive: next`, which is meant when nothing is written, `none`, or a mapping of `until`, a check of a message, and `count`). In `until` a JSON path may be compared with a value of the journey: `$.id == \"${id}\"`."
E0401 "A quantity is written without its unit. Durations need ns, us, ms, s, m or h (`300ms`), rates need /s, /min or /h (`500/s`), shares need % (`0.05%`). Bare numbers are refused because a wrong guess of the unit is silent."
E0402 "A quantity cannot be read, or its unit is not known. Durations: `300ms`, `1.5s`, `1m30s`. Rates: `500/s`, `6000/min`. Shares: `0.05%`."
E0403 "A value is outside the range that makes sense for the key."
E0404 "A target's `base_url` must be `http://host[:port]` or `https://host[:port]` (`ws://` and `wss://` for a target of `ws` steps alone), with an optional path prefix and without user, query or fragment; for gRPC `grpc://host:port`, or `grpcs://host:port` with TLS, without a path."
E0405 "A name contains something it may not. Journeys, targets, feeders, phases and extracted values are named by letters, digits, `-` and `_`, beginning with a letter; step and gate names are one line of free text without `{`, `}`, quotes, commas and `=`."
E0406 "A header cannot be sent so: its name is not an HTTP token, its value contains control characters, or it is set by peakdrill itself (content-length, transfer-encoding, connection, traceparent, baggage and the shadow header)."
E0407 "A JSON path cannot be read. Paths follow RFC 9535 and begin with `$`: `$.data.token`, `$.items[0].id`."
E0408 "A check cannot be read. Checks are `status == 200` (also <, <=, >, >=, !=, `in [200, 201]`); `$.code == 0` (the same comparisons with a JSON value, `in [0, 'x']`, `contains \"x\"`, `matches /x/`, `present`, `absent`); `header NAME == \"x\"` (also !=, contains, matches, present, absent); `body contains \"x\"`, `body matches /x/` and `body size < 10KiB`. A gRPC answer has `grpc_status == 0` (numbers or names, also `in [OK, NOT_FOUND]`) and `messages > 0` in place of `status` and `body`. What is not there passes `absent` alone."
E0409 "A path begins with `/` and holds only what may stand in a URL: no blanks, no `#`, other characters percent-encoded. Values put in by a template are encoded when they are sent."
E0410 "A boolean is `true` or `false`. YAML 1.1's yes, no, on and off are text here, as YAML 1.2 has it."
E0411 "A regular expression cannot be read, or is too large. The syntax is that of the Rust crate regex: like Perl's, without look-around and back-references, so that matching takes linear time."
E0412 "A value to extract names no place, or several. Write a JSON path, or exactly one of `json`, `regex` and `header`, with an optional `default`."
E0413 "A field of a multipart body cannot be sent so: its name, file name or type holds quotes or control characters."
E0414 "A feeder has exactly one file: `csv`, with a header line, or `jsonl`, with an object on every line."
E0416 "An address cannot be read. `resolve.addresses` are where a target is, in place of what its name says: `10.0.0.2`, `10.0.0.2:8080`, `[fd00::2]:8080`. `connections.from` are local addresses that connections come from: `10.0.0.2`, or `10.0.0.0/28` for all hosts of a subnet."
E0417 "An endpoint to scrape cannot be read. Write `http://host:port/metrics` or `https://host:port/metrics`, without a user and a password."
E0420 "A feeder has fewer rows than the plan needs. `sequential` and `shuffle` give every journey of the run the row of its own global index, so as many rows are needed as there are arrivals up to the last journey that uses the feeder. Add rows, lower the load, or say `on_exhausted: recycle`."
E0421 "A data file cannot be read. Paths are relative to the scenario's folder."
E0422 "A data file is broken. A CSV file has a header line without a name twice, and as many columns in every row; quotes stand around whole fields, and inside of one they are doubled. A JSONL file has an object on every line, all with the same members. Both are UTF-8, with or without a byte order mark, with either kind of line end."
E0423 "A CSV file lacks the column that the scenario names, or a cell cannot be read as a number or a time."
E0424 "A data file's path leaves the scenario's folder. Only relative paths without `..` are read."
E0425 "The times of a curve must ascend from row to row, and there must be at least two."
E0426 "A data file is too large: at most 256 MiB and 2,000,000 rows (100,000 points for a curve); 16 MiB for a file that is sent, 64 MiB for all of them."
E0427 "A feeder's column is used in a header, but one of its values holds control characters, which would break the request apart."
E0428 "A load schedule in the words of another tool cannot be read. Yandex Tank: `line(1,100,10m) const(100,5m) step(5,25,5,60s)`. JMeter: `rate(0/min) random_arrivals(10 min) rate(50/min) pause(1 min)`."
E0430 "A `.proto` file cannot be compiled. The message names file, line and column in it. Imports are looked for in the folder of the importing file and in those above it, up to the scenario's folder; `google/protobuf/*.proto` are built in. One file is imported by one name everywhere, and no two files by the same name."
E0431 "A gRPC method cannot be called. Write `method: package.Service/Method`, as the `.proto` files of the target have it. Methods to which the client sends a stream are not built yet."
E0432 "A message does not fit its type. Fields are named as in the `.proto` file, or in lowerCamelCase; 64-bit integers may be text, `bytes` are Base64, enums are names, a `Timestamp` is `2026-11-11T00:00:00Z` and a `Duration` is `1.5s`, as the JSON mapping of protobuf has it. What a template fills in stands inside of text and becomes what the field asks for."
E0501 "A condition cannot be read. The form is `STAT{journey=NAME,step=NAME} OP VALUE [for DURATION]`, for example `p99{journey=checkout} < 300ms` or `error_rate > 2% for 3s`."
E0502 "A statistic is not known. There are p50, p99, p99.9 (any quantile; latency from the intended time), max, service_p99 (service time), error_rate, rate, in_flight, schedule_miss, leaks, tag_lost, ack_missing and capacity."
E0503 "The value's unit does not fit the statistic: latencies compare with durations, shares with percentages, rates with `/s` or with `% of target`, counts with bare numbers."
E0504 "A condition cannot be used here. `capacity` is known only after the run, so only gates may ask for it; `in_flight` only while it lasts, so only guards may; `ack_missing` is measured only with `shadow.ack.require`, and would pass unmeasured without it; `for` belongs to guards, because gates look at whole phases."
E0505 "A gate looks only at phases with `measure: false`, or at none: it could never be decided."
E0506 "A probe of a search gets too few answers at the lowest rate for what its objective asks: of a quantile one answer must lie beyond it, so p99 needs 100 and p99.9 needs 1,000. Raise `low`, make `probe` longer, or ask for a lower quantile."
E0601 "A production drill needs a `shadow` block with a signing key: without it, drill traffic would be taken for live traffic."
E0602 "A production drill needs an `isolation` block that declares at least one store or stub: undeclared stores cannot be proven apart from real data."
E0603 "A production drill needs `guards` with at least one `stop` condition: something must end it when real users suffer."
E0604 "A target's host is denied, or not among the allowed hosts, by `guards.limits.hosts`."
E0605 "The signing key is written into the file, or is not a secret's name. Write `key: \"${secret:NAME}\"`; the secret itself is handed to drill control only."
E0606 "The planned load goes beyond `guards.limits`. The limits hold at run time too: raise them knowingly, or lower the load."
E0701 "The plan is larger than a drill can be: at most 1,000,000 journeys a second, 24 hours over all phases together, 1,000 request steps, 100 phases, 100 journeys; of one journey 5,000 steps as written and 256 extracted values, and with all turns of its loops 100,000 requests, 200,000 steps and 24 hours of pauses."
E0702 "The load sends nothing: every rate is zero, or every share of the mix is."
W0801 "A credential stands in the scenario as plain text. Everyone who can read the file or what `plan` prints can use it. Write `${secret:NAME}`, or take it from an earlier step's `extract` or from a feeder: none of these is written into the plan. (`${env:NAME}` keeps it out of the file, but not out of the plan.)"
W0802 "A feeder runs out of rows before the plan ends; journeys without a row will not start and are counted as missed, which can make the run invalid."
W0803 "The certificate of a target, or of an endpoint whose metrics are fetched, is not verified. Whoever stands in between can read and change the traffic."
W0804 "Text looks like another tool's template (`{{ name }}`). Here it is written `${name}`; as it stands, it is sent literally."
W0805 "A journey never runs: its share is zero in every phase."
W0806 "A feeder, a fragment or a variable is declared but not used."
}

/// All codes, in order.
#[must_use]
pub fn codes() -> Vec<Code> {
    ALL.iter().map(|(code, _)| *code).collect()
}

/// The long text of a code; letter case does not matter.
#[must_use]
pub fn explain(code: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| known.0.eq_ignore_ascii_case(code.trim())).map(|(_, text)| *text)
}
