//! A WebSocket server whose truth is known: `tungstenite` on a thread for each connection.
//!
//! A [`Server`] listens on a free port of 127.0.0.1 until it is dropped. It keeps the requests that asked for a
//! WebSocket and every message and close frame that came; what it sends is up to a [`Script`].

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Message, WebSocket};

/// What is done on one connection, once it is a WebSocket.
pub type Script = Arc<dyn Fn(&mut Peer) + Send + Sync>;
/// What is done before a connection becomes one: it may take time, and change the answer's headers.
pub type Greeting = Arc<dyn Fn(&Request, &mut Response) + Send + Sync>;

/// What a server saw, over all connections.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Path and query, and headers with names in lower case, of each request for a WebSocket.
    pub openings: Vec<(String, Vec<(String, String)>)>,
    /// Every message: its connection, when it was read, and its text or bytes.
    pub messages: Vec<(usize, Instant, Vec<u8>)>,
    /// The codes of close frames: 0 for one without a code.
    pub closes: Vec<u16>,
    /// Payloads of pongs.
    pub pongs: Vec<Vec<u8>>,
}

/// One connection, from the server's side.
pub struct Peer {
    /// Its place in the order of arrival, from 0.
    pub number: usize,
    /// The connection itself.
    pub socket: WebSocket<TcpStream>,
    log: Arc<Mutex<Log>>,
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// The next message, as text; `None`: the peer closed, or the connection broke. Both are kept in the log.
    pub fn read(&mut self) -> Option<String> {
        loop {
            let message = self.socket.read().ok()?;
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            match message {
                Message::Text(_) | Message::Binary(_) => {
                    let bytes = message.into_data().to_vec();
                    log.messages.push((self.number, Instant::now(), bytes.clone()));
                    return Some(String::from_utf8_lossy(&bytes).into_owned());
                }
                Message::Close(frame) => log.closes.push(frame.map_or(0, |frame| frame.code.into())),
                Message::Pong(payload) => log.pongs.push(payload.to_vec()),
                _ => {}
            }
        }
    }

    /// Sends text; whether that went.
    pub fn send(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).is_ok()
    }
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn start(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> io::Result<Self> {
        Self::greeting(|_, _| {}, script)
    }

    /// The same with something done before a connection is granted.
    ///
    /// # Errors
    /// When no port or thread is to be had.
    pub fn greeting(
        greeting: impl Fn(&Request, &mut Response) + Send + Sync + 'static,
        script: impl Fn(&mut Peer) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (log, open, ending) = (Arc::default(), Arc::default(), Arc::new(AtomicBool::new(false)));
        let served = Served {
            script: Arc::new(script),
            greeting: Arc::new(greeting),
            log: Arc::clone(&log),
            open: Arc::clone(&open),
            ending: Arc::clone(&ending),
        };
        let thread = std::thread::Builder::new().name("websockets".into());
        let thread = Some(thread.spawn(move || served.accept(&listener))?);
        Ok(Self { address, log, open, ending, thread })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What was seen so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the accepting thread works with.
struct Served {
    script: Script,
    greeting: Greeting,
    log: Arc<Mutex<Log>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    ending: Arc<AtomicBool>,
}

impl Served {
    fn accept(&self, listener: &TcpListener) {
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            if self.ending.load(Ordering::SeqCst) {
                break;
            }
            // An error here is one connection that broke.
            let Ok(stream) = stream else { continue };
            if let Ok(copy) = stream.try_clone() {
                self.open.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
            }
            let (script, greeting, log) =
                (Arc::clone(&self.script), Arc::clone(&self.greeting), Arc::clone(&self.log));
            let thread = std::thread::Builder::new().name("websocket".into());
            threads.extend(thread.spawn(move || serve(stream, number, &script, &greeting, log)));
        }
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        threads.into_iter().for_each(|thread| _ = thread.join());
    }
}

fn serve(stream: TcpStream, number: usize, script: &Script, greeting: &Greeting, log: Arc<Mutex<Log>>) {
    let _ = stream.set_nodelay(true);
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let greet = |request: &Request, mut response: Response| {
        greeting(request, &mut response);
        let text =
            |value: &tungstenite::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
        let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        log.lock().unwrap_or_else(PoisonError::into_inner).openings.push((path, headers.collect()));
        Ok(response)
    };
    if let Ok(socket) = tungstenite::accept_hdr(stream, greet) {
        let mut peer = Peer { number, socket, log };
        script(&mut peer);
        // A copy of it is kept elsewhere: dropping this one does not close it.
        let _ = peer.socket.get_ref().shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_goodbyes_are_kept() {
        let server = Server::start(|peer| {
            while let Some(text) = peer.read() {
                peer.send(&text);
            }
        })
        .unwrap();
        let (mut socket, _) = tungstenite::connect(format!("{}/a?b", server.url())).unwrap();
        socket.send(Message::text("hi")).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text("hi"));
        socket.close(None).unwrap();
        // The answer to the close frame, and then the end.
        while socket.read().is_ok() {}
        let log = server.log();
        assert_eq!((log.openings[0].0.as_str(), log.closes.as_slice()), ("/a?b", &[0][..]));
        assert_eq!(log.messages[0].2, b"hi");
    }
}
