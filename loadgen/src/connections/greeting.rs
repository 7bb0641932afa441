//! Opening a connection, up to where requests can be sent over it.

use std::time::Instant;

use peakdrill_drill_model::outcome::ErrorClass;
use peakdrill_drill_model::plan::Protocol;
use peakdrill_tls::ALPN_HTTP2;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::http1::Http1;
use super::http2::Http2;
use super::talk::Talk;
use crate::dial::{Dialed, Dialer, Stream};
use crate::extract::Fault;

/// Most that is read at once while a connection begins, in bytes.
const ROOM_BYTES: usize = 4096;

/// Opens a connection within the target's limit. Over HTTP/2 it is open when the peer's settings have come: no request is
/// sent that they forbid, and a peer that speaks something else is found here.
pub(super) async fn open(dialer: &Dialer, protocol: Protocol) -> Result<(Dialed, Talk), Fault> {
    let begun = Instant::now();
    let mut dialed = dialer.dial().await?;
    let Protocol::Http2 { streams } = protocol else {
        return Ok((dialed, Talk::Http1(Http1::new())));
    };
    let greeted = async {
        match &mut dialed.stream {
            Stream::Plain(plain) => greet(plain, streams).await,
            Stream::Tls(tls) => {
                agreed(tls.get_ref().1.alpn_protocol())?;
                greet(tls.as_mut(), streams).await
            }
        }
    };
    let left = dialer.timeout().saturating_sub(begun.elapsed());
    let talk = tokio::time::timeout(left, greeted).await.unwrap_or_else(|_| {
        let detail = "no SETTINGS of HTTP/2 in time".to_owned();
        Err(Fault { class: ErrorClass::ConnectTimeout, detail })
    })?;
    Ok((dialed, Talk::Http2(Box::new(talk))))
}

/// Whether HTTP/2 was agreed on in TLS.
fn agreed(protocol: Option<&[u8]>) -> Result<(), Fault> {
    if protocol == Some(ALPN_HTTP2) {
        return Ok(());
    }
    let detail = "the server does not agree to HTTP/2 (ALPN `h2`): does it speak it on this port?".to_owned();
    Err(Fault { class: ErrorClass::Tls, detail })
}

async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), streams: u32) -> Result<Http2, Fault> {
    let broken = |error: std::io::Error| Fault { class: ErrorClass::Connect, detail: error.to_string() };
    let mut talk = Http2::new(streams);
    stream.write_all(&talk.take_out()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut room = [0; ROOM_BYTES];
    while !talk.is_greeted() {
        let read = stream.read(&mut room).await.map_err(broken)?;
        if read == 0 {
            let detail = "the peer closed before its SETTINGS: does it speak HTTP/2?".to_owned();
            return Err(Fault { class: ErrorClass::Connect, detail });
        }
        talk.greet(room.get(..read).unwrap_or_default())?;
    }
    Ok(talk)
}
