//! A service with the router before it, and raw requests to it.

use axum::routing::get;
use peakdrill_shadow_router::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the service answers when a request gets through to it.
pub(crate) const REACHED: &str = "reached";

/// Serves until the test ends.
pub(crate) async fn serve(router: &Router) -> std::net::SocketAddr {
    let app = axum::Router::new().route("/", get(|| async { REACHED })).layer(router.layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// The raw answer to a request with these headers, sent as they are.
pub(crate) async fn ask(address: std::net::SocketAddr, headers: &[(&str, &str)]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = String::from("GET / HTTP/1.1\r\nhost: hop\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
