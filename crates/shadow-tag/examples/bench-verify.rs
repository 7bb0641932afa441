//! What a check costs: `cargo run --release -p peakdrill-shadow-tag --example bench-verify`.

use std::hint::black_box;
use std::io::Write as _;
use std::num::NonZeroU64;
use std::time::Instant;

use peakdrill_shadow_tag::{
    Claims, MarkKey, MarkSecret, Position, RunEntry, RunState, RunTable, SigningKey, Token, TraceId,
    Verifier, VerifyingKeys, baggage, classify,
};

const NOW: u64 = 1_800_000_000;
const UNMARKED: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The answer is made, and used for nothing.
fn keep<T>(answer: T) {
    let _ = black_box(answer);
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let key = SigningKey::from_seed("k1".parse()?, &[1; 32]);
    let verifier = verifier(&key, 16)?;
    let token = key.mint_lease("bench".parse()?, "run-0".parse()?, NOW)?;
    lock()?;
    seen(&verifier, &token)?;
    new(&verifier, &key)?;
    marks(&verifier)?;
    threads(&verifier, &token)
}

fn verifier(key: &SigningKey, runs: u64) -> Result<Verifier, Failure> {
    let env = "bench".parse()?;
    let mut table = RunTable::new(NOW);
    for i in 0..runs {
        let run = format!("run-{i}").parse()?;
        let mark_key = MarkKey::derive(&MarkSecret::from_bytes([1; 32]), env, run);
        table.insert(RunEntry { run, env, state: RunState::Running, mark_key })?;
    }
    let mut keys = VerifyingKeys::default();
    keys.add(key.kid(), key.public())?;
    Ok(Verifier::new(env, keys, table))
}

/// The best of ten rounds, in nanoseconds for each call.
fn time(rounds: u32, mut call: impl FnMut(u32)) -> f64 {
    let round = |_| {
        let start = Instant::now();
        (0..rounds).for_each(&mut call);
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    };
    (0..10).map(round).fold(f64::INFINITY, f64::min)
}

fn say(name: &str, ns: f64, target: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{name:<52} {ns:>10.1} ns  {target}")?)
}

fn seen(verifier: &Verifier, token: &Token) -> Result<(), Failure> {
    let ask = |claims: &Claims<'_>| {
        time(1_000_000, |_| keep(classify(verifier, black_box(claims), Position::Inner, NOW)))
    };
    let carried = baggage::with_token(b"", token)?;
    let among = baggage::with_token(b"user.id=1234567,session=abcdefgh;ttl=5,region=eu-west-1", token)?;
    let mark = verifier.runs().iter().next().ok_or("a run")?.mark_key.trace_id(NonZeroU64::MIN);
    let parent = format!("00-{mark}-00f067aa0ba902b7-01").into_bytes();
    let header = Some(token.as_bytes());
    say("seen token, header", ask(&Claims::new(header, None, None)), "(target 50)")?;
    say("seen token, baggage", ask(&Claims::new(None, Some(&carried), None)), "")?;
    say("seen token, header and baggage", ask(&Claims::new(header, Some(&carried), None)), "")?;
    say("seen token, all carriers, marked", ask(&Claims::new(header, Some(&carried), Some(&parent))), "")?;
    say("same, three other baggage members", ask(&Claims::new(header, Some(&among), Some(&parent))), "")?;
    say("live stamp, no trace", ask(&Claims::new(None, Some(b"peakdrill=live"), None)), "")?;
    say(
        "live stamp, unmarked trace, 16 runs",
        ask(&Claims::new(None, Some(b"peakdrill=live"), Some(UNMARKED))),
        "",
    )
}

/// What of the figures below is the lock alone.
fn lock() -> Result<(), Failure> {
    let lock = std::sync::RwLock::new(1_u64);
    say(
        "for comparison: a read lock, free",
        time(1_000_000, |_| keep(lock.read().map(|value| *value).ok())),
        "",
    )
}

fn new(verifier: &Verifier, key: &SigningKey) -> Result<(), Failure> {
    let (env, run) = ("bench".parse()?, "run-0".parse()?);
    let mint = |i: u64| key.mint(env, run, NOW - i % 200, NOW + 1 + i / 200);
    let tokens: Vec<Token> = (0..10_000).map(mint).collect::<Result<_, _>>()?;
    let mut turn = 0;
    let ns = time(1000, |_| {
        let Some(token) = tokens.get(turn) else { return };
        turn += 1;
        let claims = Claims::new(Some(token.as_bytes()), None, None);
        keep(classify(verifier, &claims, Position::Inner, NOW));
    });
    say("new token", ns, "(target 100000)")
}

fn marks(verifier: &Verifier) -> Result<(), Failure> {
    let runs = verifier.runs();
    let key = runs.iter().next().ok_or("a run")?.mark_key;
    let id = key.trace_id(NonZeroU64::MIN);
    say("mark, one run", time(1_000_000, |_| keep(key.is_marked(black_box(id)))), "(target 100)")?;
    let random: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    say("no mark, 16 runs", time(1_000_000, |_| keep(runs.find_mark(black_box(random)))), "")?;
    let parent = format!("00-{id}-00f067aa0ba902b7-01").into_bytes();
    let claims = Claims::new(None, None, Some(&parent));
    let ask = |_| keep(classify(verifier, black_box(&claims), Position::Inner, NOW));
    say("classified by the mark of the first run", time(1_000_000, ask), "")
}

fn threads(verifier: &Verifier, token: &Token) -> Result<(), Failure> {
    let count = std::thread::available_parallelism()?.get();
    let claims = Claims::new(Some(token.as_bytes()), None, None);
    let ask = || time(1_000_000, |_| keep(classify(verifier, black_box(&claims), Position::Inner, NOW)));
    let times: Vec<f64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let slowest = times.iter().copied().fold(0.0, f64::max);
    say(&format!("seen token, header, {count} threads, the slowest"), slowest, "")
}
