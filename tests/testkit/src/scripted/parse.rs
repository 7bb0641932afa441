//! Requests taken from bytes. As much of HTTP/1.1 as a load generator's test needs: no chunked requests.

use std::net::SocketAddr;
use std::time::Instant;

use super::Seen;

/// Longest request that is taken, in bytes.
pub(super) const REQUEST_MAX_BYTES: usize = 4 << 20;

/// A request of a peer at the beginning of a buffer, still without a number, and how many bytes it takes. `Ok(None)`:
/// not all of it is there.
///
/// # Errors
/// With what is wrong.
pub(super) fn request(buffer: &[u8], peer: SocketAddr) -> Result<Option<(Seen, usize)>, &'static str> {
    let Some(end) = end_of_head(buffer) else {
        return if buffer.len() > REQUEST_MAX_BYTES { Err("the head is too long") } else { Ok(None) };
    };
    let head =
        std::str::from_utf8(buffer.get(..end).unwrap_or_default()).map_err(|_| "the head is not text")?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1")) = (first.next(), first.next(), first.next()) else {
        return Err("the request line is malformed");
    };
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or("a header has no colon")?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length =
        length.map_or(Ok(0), |(_, value)| value.parse::<usize>()).map_err(|_| "a length is no number")?;
    if length > REQUEST_MAX_BYTES {
        return Err("the body is too long");
    }
    let Some(body) = buffer.get(end..end + length) else {
        return Ok(None);
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let (arrived, answered) = (Instant::now(), None);
    let seen = Seen { number: 0, method, path, headers, body: body.to_vec(), peer, arrived, answered };
    Ok(Some((seen, end + length)))
}

/// Where the body begins.
pub(super) fn end_of_head(buffer: &[u8]) -> Option<usize> {
    buffer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Text as a JSON string.
pub(super) fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
