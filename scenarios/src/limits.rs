//! Every limit of the language, in one place.

use peakdrill_timebase::NS_PER_S;

/// Longest scenario text, in bytes.
pub const MAX_SCENARIO_BYTES: usize = 1 << 20;
/// Most diagnostics of each level that one pass keeps: warnings never push an error out.
pub const MAX_DIAGNOSTICS: usize = 200;
/// Longest message and longest piece of a line that a finding shows, in characters.
pub const MAX_SHOWN_CHARS: usize = 1_000;
/// Most journeys a second, over everything.
pub const MAX_RATE_PER_S: f64 = 1e6;
/// Longest drill, in nanoseconds.
pub const MAX_DURATION_NS: u64 = 24 * 3_600 * NS_PER_S;
/// Most request steps of all journeys together.
pub const MAX_STEPS: usize = 1_000;
/// Most phases.
pub const MAX_PHASES: usize = 100;
/// Most journeys.
pub const MAX_JOURNEYS: usize = 100;
/// Most steps of one journey, those of its fragments included.
pub const MAX_JOURNEY_NODES: usize = 5_000;
/// Most requests of one pass through a journey, all turns of its loops included.
pub const MAX_JOURNEY_REQUESTS: u64 = 100_000;
/// Most steps of one pass through a journey, all turns of its loops included: requests, pauses and choices.
pub const MAX_PASS_STEPS: u64 = 200_000;
/// Longest pauses of one pass through a journey together, in nanoseconds: what pauses longer than the longest drill never
/// comes to its end. Of lognormal pauses the mean counts.
pub const MAX_PASS_PAUSE_NS: u64 = MAX_DURATION_NS;
/// Most values that the steps of one journey extract, by their names. Each may be 64 KiB long.
pub const MAX_EXTRACTED: usize = 256;
/// Most turns of a loop.
pub const MAX_LOOP_TURNS: u32 = 10_000;
/// Most fragments.
pub const MAX_FRAGMENTS: usize = 100;
/// Most fragments that use one another.
pub const MAX_FRAGMENT_DEPTH: usize = 16;
/// Most files that a scenario includes.
pub const MAX_INCLUDES: usize = 50;
/// Most files that include one another.
pub const MAX_INCLUDE_DEPTH: usize = 8;
/// Most targets.
pub const MAX_TARGETS: usize = 100;
/// Most Prometheus endpoints that are scraped.
pub const MAX_SCRAPES: usize = 64;
/// Most feeders.
pub const MAX_FEEDERS: usize = 100;
/// Most rows of a feeder.
pub const MAX_FEEDER_ROWS: usize = 2_000_000;
/// Most objects of a data file that stand in one another.
pub const MAX_JSON_DEPTH: usize = 128;
/// Largest data file, in bytes.
pub const MAX_DATA_FILE_BYTES: usize = 256 << 20;
/// Largest file that a request sends, in bytes.
pub const MAX_BODY_FILE_BYTES: usize = 16 << 20;
/// Largest sum of all files that requests send, in bytes.
pub const MAX_BODY_FILES_BYTES: usize = 64 << 20;
/// Most `.proto` files of one target, imports included.
pub const MAX_PROTO_FILES: usize = 500;
/// Largest sum of all `.proto` files of one target, in bytes.
pub const MAX_PROTO_BYTES: usize = 16 << 20;
/// Most values that one step computes.
pub const MAX_VALUES: usize = 32;
/// Longest random text, in characters.
pub const MAX_RANDOM_CHARS: u16 = 1024;
/// Most points of a curve.
pub const MAX_CURVE_POINTS: usize = 100_000;
/// Most stairs of a staircase.
pub const MAX_STAIRS: f64 = 10_000.0;
/// Most parts of a sum of shapes.
pub const MAX_SUM_PARTS: usize = 100;
/// Most users of a closed loop.
pub const MAX_USERS: u32 = 100_000;
/// Most journeys in flight.
pub const MAX_IN_FLIGHT: usize = 10_000_000;
/// Most open connections to one target.
pub const MAX_CONNECTIONS: usize = 1_000_000;
/// Most exchanges that one connection carries at a time.
pub const MAX_STREAMS: u32 = 10_000;
/// Longest life of a token, in nanoseconds.
pub const MAX_LEASE_NS: u64 = 60 * NS_PER_S;
/// Shortest life of a token, in nanoseconds.
pub const MIN_LEASE_NS: u64 = 5 * NS_PER_S;
/// Most classes of answers of one step.
pub const MAX_OUTCOMES: usize = 16;
/// Most messages that one step waits for.
pub const MAX_WS_COUNT: u32 = 10_000;
/// Most subprotocols that the opening of a WebSocket offers.
pub const MAX_SUBPROTOCOLS: usize = 8;
/// Longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 100;
/// Most gates, and most stop conditions.
pub const MAX_CONDITIONS: usize = 200;
/// Largest owners file, in bytes.
pub const MAX_OWNERS_FILE_BYTES: usize = 4 << 20;
/// Most nodes that one owners file names, and most documents in it.
pub const MAX_OWNERS: usize = 10_000;
/// Longest text in an owners file, in characters: a name, a team, the address of a runbook.
pub const MAX_OWNER_CHARS: usize = 500;

/// Memory that one compiled regular expression may take, in bytes.
pub(crate) const MAX_REGEX_BYTES: usize = 1 << 20;
pub(crate) const MAX_YAML_EVENTS: usize = 100_000;
pub(crate) const MAX_YAML_ALIASES: usize = 1_000;
pub(crate) const MAX_YAML_DEPTH: usize = 32;
pub(crate) const MAX_YAML_SCALAR_BYTES: usize = 4 << 20;

/// Default limit for opening a connection.
pub(crate) const DEFAULT_CONNECT_NS: u64 = 3 * NS_PER_S;
/// Default limit for one exchange.
pub(crate) const DEFAULT_REQUEST_NS: u64 = 10 * NS_PER_S;
/// Default limit of open connections to a target.
pub(crate) const DEFAULT_CONNECTIONS: usize = 1_000;
/// Default limit of exchanges that one connection carries at a time.
pub(crate) const DEFAULT_STREAMS: u32 = 100;
/// Default limit of journeys in flight.
pub(crate) const DEFAULT_IN_FLIGHT: usize = 100_000;
/// Default tolerance of a search for the capacity.
pub(crate) const DEFAULT_TOLERANCE: f64 = 0.02;
/// Default seed.
pub(crate) const DEFAULT_SEED: u64 = 1;
/// Default life of a token.
pub(crate) const DEFAULT_LEASE_NS: u64 = 60 * NS_PER_S;
/// Default time for answers after a stop.
pub(crate) const DEFAULT_DRAIN_NS: u64 = 5 * NS_PER_S;
/// Fewer samples make a gate on a distribution or a share inconclusive, when the gate does not say.
pub(crate) const DEFAULT_MIN_SAMPLES: u64 = 100;
