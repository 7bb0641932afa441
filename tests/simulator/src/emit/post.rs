//! OTLP over HTTP/1.1, one request after the other.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for an endpoint.
const PATIENCE: Duration = Duration::from_secs(20);
/// Times that a request is sent to an endpoint that asks to try again.
const ATTEMPTS_MAX: u32 = 20;
/// Longest pause before that, seconds.
const PAUSE_S_MAX: u64 = 5;
/// As much of an answer is read, bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Sends all of them; of one that is refused for good, or not taken in the end, nothing more.
pub(super) fn all(url: &str, bodies: impl Iterator<Item = Vec<u8>>) -> io::Result<()> {
    let rest = url.strip_prefix("http://").ok_or_else(|| io::Error::other("not http://HOST:PORT"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, "v1/traces"));
    for body in bodies {
        one(host, if path.is_empty() { "v1/traces" } else { path }, &body)?;
    }
    Ok(())
}

fn one(host: &str, path: &str, body: &[u8]) -> io::Result<()> {
    for attempt in 1..=ATTEMPTS_MAX {
        let answer = post(host, path, body)?;
        match status(&answer) {
            Some(200..=299) => return Ok(()),
            Some(429 | 503) if attempt < ATTEMPTS_MAX => {
                std::thread::sleep(Duration::from_secs(pause_s(&answer)));
            }
            Some(429 | 503) => {}
            Some(status) => return Err(io::Error::other(format!("answers {status}"))),
            None => return Err(io::Error::other("does not answer as HTTP does")),
        }
    }
    Err(io::Error::other(format!("asked to try again {ATTEMPTS_MAX} times")))
}

fn post(host: &str, path: &str, body: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// Seconds that the endpoint asks for, one where it does not say.
fn pause_s(answer: &str) -> u64 {
    let head = answer.lines().take_while(|line| !line.is_empty());
    let asked = head.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("retry-after").then(|| value.trim().parse().ok()).flatten()
    });
    asked.unwrap_or(1).min(PAUSE_S_MAX)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// An endpoint with these answers, and how many requests it saw.
    fn endpoint(answers: Vec<&'static str>) -> (String, std::thread::JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut seen = 0;
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"body") {
                    let mut some = [0; 512];
                    let read = stream.read(&mut some).unwrap();
                    request.extend_from_slice(&some[..read]);
                }
                assert!(request.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
                seen += 1;
                stream.write_all(answer.as_bytes()).unwrap();
            }
            seen
        });
        (url, thread)
    }

    #[test]
    fn a_request_is_sent_again_when_that_is_asked_for_and_only_then() {
        let again = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n";
        let bodies = || [b"a body".to_vec(), b"a body".to_vec()].into_iter();
        let (url, seen) =
            endpoint(vec![again, again, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 202 Accepted\r\n\r\n"]);
        all(&url, bodies()).unwrap();
        assert_eq!(seen.join().unwrap(), 4);
        let (url, seen) = endpoint(vec!["HTTP/1.1 400 Bad Request\r\n\r\n"]);
        assert_eq!(all(&url, bodies()).unwrap_err().to_string(), "answers 400");
        assert_eq!(seen.join().unwrap(), 1);
    }
}
