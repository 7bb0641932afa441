//! A PostgreSQL server of its own, in a temporary folder, on a free port. Stopped when it is dropped.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for a server that starts.
pub const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest wait for a server that stops, before it is killed.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a start is tried, since a free port may be taken in between.
const START_TRIES: usize = 3;
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// The line of `postmaster.pid` that tells the state.
const STATE_LINE: usize = 7;
/// Most of the server's log that an error quotes, in bytes.
const LOG_TAIL_MAX_BYTES: usize = 4 * 1024;
const DEBIAN_HOME: &str = "/usr/lib/postgresql";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// `initdb` and `postgres` are not on this machine.
    #[error("no PostgreSQL server on this machine: apt-get install postgresql")]
    Missing,
    /// PostgreSQL does not run as root, and there is no other user.
    #[error("PostgreSQL does not run as root, and neither the user postgres nor nobody exists")]
    NoUser,
    /// A file or process could not be handled.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        error: io::Error,
    },
    /// The folder of data could not be made.
    #[error("initdb failed: {0}")]
    Init(String),
    /// The server ended, or did not answer in time.
    #[error("the server did not start: {0}")]
    Start(String),
}

fn io(what: &'static str) -> impl FnOnce(io::Error) -> PostgresError {
    move |error| PostgresError::Io { what, error }
}

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Postgres {
    /// Makes a folder of data and starts a server in it, as another user when this process is root. Blocks until the
    /// server answers.
    ///
    /// # Errors
    /// [`PostgresError`], with the end of the server's log.
    pub fn start() -> Result<Self, PostgresError> {
        let binaries = find_binaries().ok_or(PostgresError::Missing)?;
        let folder = TempDir::with_prefix("peakdrill-postgres-").map_err(io("make a temporary folder"))?;
        let user = server_user(folder.path())?;
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).map_err(io("give the folder away"))?;
        }
        init(&binaries, folder.path(), user)?;
        let mut tried = Err(PostgresError::Start("not tried".to_owned()));
        for _ in 0..START_TRIES {
            tried = serve(&binaries, folder.path(), user);
            if tried.is_ok() {
                break;
            }
        }
        let (child, port) = tried?;
        Ok(Self { child, port, folder })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Where its superuser `postgres` connects, without a password.
    #[must_use]
    pub fn dsn(&self) -> String {
        self.dsn_as("postgres")
    }

    /// Where another role connects, without a password.
    #[must_use]
    pub fn dsn_as(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/postgres", self.port)
    }

    /// Its temporary folder, gone when the server is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn stop(&mut self) {
        // The data are gone next, so nothing has to be written.
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-QUIT", &pid]).status().is_ok_and(|status| status.success());
        let deadline = Instant::now() + STOP_TIMEOUT;
        while asked && Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        // Both fail only when it has ended already.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The newest of Debian's versions, or what is on the path.
fn find_binaries() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let versions = std::fs::read_dir(DEBIAN_HOME).into_iter().flatten().flatten();
    let mut debian: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| complete(folder))
        .collect();
    debian.sort();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(complete)
    };
    debian.pop().map(|(_, folder)| folder).or_else(on_path)
}

/// Whom the server runs as; `None` for the one who runs this.
fn server_user(own: &Path) -> Result<Option<(u32, u32)>, PostgresError> {
    let owner = own.metadata().map_err(io("look at the temporary folder"))?.uid();
    if owner != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(io("read /etc/passwd"))?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).map(Some).ok_or(PostgresError::NoUser)
}

fn command(binaries: &Path, name: &str, folder: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(binaries.join(name));
    command.current_dir(folder).env("LC_ALL", "C").env_remove("PGDATA").stdin(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn init(binaries: &Path, folder: &Path, user: Option<(u32, u32)>) -> Result<(), PostgresError> {
    let output = command(binaries, "initdb", folder, user)
        .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(folder.join("data"))
        .output()
        .map_err(io("run initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(PostgresError::Init(tail(&output.stderr)))
}

fn serve(binaries: &Path, folder: &Path, user: Option<(u32, u32)>) -> Result<(Child, u16), PostgresError> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(io("find a free port"))?
        .port();
    let log_path = folder.join("log");
    let log = File::create(&log_path).map_err(io("make the log"))?;
    let second = log.try_clone().map_err(io("share the log"))?;
    let mut child = command(binaries, "postgres", folder, user)
        .args(["-h", "127.0.0.1", "-F", "-c", "shared_buffers=16MB", "-c", "max_connections=100", "-p"])
        .arg(port.to_string())
        .arg("-k")
        .arg(folder)
        .arg("-D")
        .arg(folder.join("data"))
        .stdout(log)
        .stderr(second)
        .spawn()
        .map_err(io("run postgres"))?;
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        if child.try_wait().map_err(io("wait for postgres"))?.is_some() {
            return Err(PostgresError::Start(log_tail(&log_path)));
        }
        if answers(folder, port) {
            return Ok((child, port));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    // Both fail only when it has ended already.
    let _ended = child.kill().and_then(|()| child.wait());
    Err(PostgresError::Start(log_tail(&log_path)))
}

/// The server listens before it takes sessions, so it is asked for its state too.
fn answers(folder: &Path, port: u16) -> bool {
    let state = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    state.lines().nth(STATE_LINE).is_some_and(|line| line.trim() == "ready")
        && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn log_tail(path: &Path) -> String {
    tail(&std::fs::read(path).unwrap_or_default())
}

fn tail(text: &[u8]) -> String {
    let start = text.len().saturating_sub(LOG_TAIL_MAX_BYTES);
    String::from_utf8_lossy(text.get(start..).unwrap_or_default()).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Postgres, answers};
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn starts_answers_and_stops() {
        let server = Postgres::start().unwrap();
        let (address, folder) = (server.address(), server.folder().to_owned());
        // An SSLRequest of the wire protocol; a server answers it with one byte.
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert!(matches!(&answer, b"N" | b"S"));
        drop(server);
        assert!(!folder.exists());
        assert!(TcpStream::connect(address).is_err());
        assert!(!answers(&folder, address.port()));
    }
}
