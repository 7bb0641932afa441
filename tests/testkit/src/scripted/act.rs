//! What is done on one connection.

use std::io;
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Reply, Script, Seen, Shared, parse};

const READ_BYTES: usize = 16 * 1024;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
/// What an endless answer writes at once.
const FILL: [u8; 16 * 1024] = [b'x'; 16 * 1024];

/// Serves a connection until it ends.
pub(super) async fn serve(mut stream: TcpStream, peer: SocketAddr, shared: &Shared) -> io::Result<()> {
    if matches!(shared.script, Script::Null) {
        return null(stream, shared).await;
    }
    let mut buffer = Vec::new();
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let taken = parse::request(&buffer, peer).map_err(io::Error::other)?;
        let Some((seen, length)) = taken else {
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
            continue;
        };
        buffer.drain(..length);
        let number = shared.requests.fetch_add(1, Ordering::SeqCst);
        let seen = Seen { number, ..seen };
        let place = shared.keep(seen.clone());
        if !act(&mut stream, shared, &seen).await? {
            return Ok(());
        }
        shared.answered(place);
        if matches!(shared.script, Script::CloseAfterAnswer) {
            return Ok(());
        }
    }
}

/// The quick way: counts heads, and answers each. Requests with bodies are not for this script.
async fn null(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(room).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        while let Some(end) = parse::end_of_head(buffer.get(..filled).unwrap_or_default()) {
            buffer.copy_within(end..filled, 0);
            filled -= end;
            shared.requests.fetch_add(1, Ordering::SeqCst);
            stream.write_all(OK).await?;
        }
    }
}

/// Answers one request as the script says; whether the connection goes on.
async fn act(stream: &mut TcpStream, shared: &Shared, seen: &Seen) -> io::Result<bool> {
    match &shared.script {
        Script::Null | Script::CloseAfterAnswer => stream.write_all(OK).await?,
        Script::Delay(delay) => {
            shared.alarms.until(seen.arrived + *delay).await;
            stream.write_all(OK).await?;
        }
        Script::Workers { count, service } => {
            let end = shared.worked(seen.arrived, *count, *service);
            shared.alarms.until(end).await;
            stream.write_all(OK).await?;
        }
        Script::Freeze { period, frozen } => {
            if let Some(end) = thaw(shared.epoch, seen.arrived, *period, *frozen) {
                shared.alarms.until(end).await;
            }
            stream.write_all(OK).await?;
        }
        Script::Close => return Ok(false),
        Script::HalfBody => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this").await?;
            stream.shutdown().await?;
            return Ok(false);
        }
        Script::Garbage => stream.write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n").await?,
        Script::HugeHead => return endless(stream, b"HTTP/1.1 200 OK\r\nx-long: ").await,
        Script::EndlessBody => {
            return endless(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffff\r\n")
                .await;
        }
        Script::Silent => {
            // Until the peer gives up.
            let mut byte = [0; 1];
            while stream.read(&mut byte).await? > 0 {}
            return Ok(false);
        }
        Script::Statuses(statuses) => {
            let turn = seen.number as usize % statuses.len().max(1);
            let status = statuses.get(turn).copied().unwrap_or(200);
            stream.write_all(&bytes(&Reply::json(status, "{}"))).await?;
        }
        Script::Echo => stream.write_all(&bytes(&Reply::json(200, &echo(seen)))).await?,
        Script::Handler(handler) => stream.write_all(&bytes(&handler(seen))).await?,
    }
    Ok(true)
}

/// When a frozen server goes on; `None` while it is not frozen.
fn thaw(epoch: Instant, now: Instant, period: Duration, frozen: Duration) -> Option<Instant> {
    let since = now.saturating_duration_since(epoch).as_nanos();
    let cycle = since / period.as_nanos().max(1);
    let within = since - cycle * period.as_nanos();
    let end = u64::try_from(cycle * period.as_nanos() + frozen.as_nanos()).ok()?;
    (within < frozen.as_nanos()).then(|| epoch + Duration::from_nanos(end))
}

async fn endless(stream: &mut TcpStream, start: &[u8]) -> io::Result<bool> {
    stream.write_all(start).await?;
    loop {
        stream.write_all(&FILL).await?;
    }
}

impl Shared {
    /// When a request that has arrived is done by the worker that is free first.
    fn worked(&self, arrived: Instant, count: usize, service: Duration) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.resize(count.max(1), self.epoch);
        let Some(first) = free.iter_mut().min() else { return arrived };
        *first = arrived.max(*first) + service;
        *first
    }
}

fn bytes(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
    reply.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    let mut all = head.into_bytes();
    all.extend_from_slice(&reply.body);
    all
}

fn echo(seen: &Seen) -> String {
    let text = parse::json_string;
    let headers: Vec<_> = seen.headers.iter().map(|(n, v)| format!("[{},{}]", text(n), text(v))).collect();
    format!(
        r#"{{"number":{},"method":{},"path":{},"headers":[{}],"body":{}}}"#,
        seen.number,
        text(&seen.method),
        text(&seen.path),
        headers.join(","),
        text(&String::from_utf8_lossy(&seen.body)),
    )
}
