//! The server: nginx with one worker on a core of its own, answering with a small body.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::clients::Load;
use super::measure::{SERVER_CORE, pinned};
use crate::shell::root;

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(10);

/// What it answers under `/json`.
const JSON: &str = r#"{"code":0,"message":"ok","data":{"token":"b2theS1vbmUtdHdvLXRocmVl","order_id":"o-20261111-000042","state":"open","items":[{"sku":"sku-1","qty":1,"price":19.9}],"total":19.9},"trace":"-"}"#;

pub struct Nginx {
    process: Child,
    folder: PathBuf,
    address: String,
    /// Where it speaks HTTP/2.
    http2_address: String,
    /// Where it speaks HTTP/2 over TLS.
    https_address: String,
}

/// Who signed its certificate.
pub fn authority() -> PathBuf {
    fixtures().join("ca.pem")
}

fn fixtures() -> PathBuf {
    root().join("tests/testkit/fixtures")
}

impl Nginx {
    pub fn start() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("peakdrill-nginx-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let [address, http2_address, https_address] =
            free_addresses().map_err(|error| format!("no free port: {error}"))?;
        let path = folder.join("nginx.conf");
        let config = config(&folder.display().to_string(), [&address, &http2_address, &https_address]);
        fs::write(&path, config).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut command = pinned(SERVER_CORE, "nginx".as_ref());
        command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(&path);
        command.stdin(Stdio::null());
        let process = command.spawn().map_err(|error| format!("nginx: {error}"))?;
        let server = Self { process, folder, address, http2_address, https_address };
        // It tells nobody when it listens, and does not take over a socket that does (it crashes without its master).
        let started = Instant::now();
        while TcpStream::connect(server.address()).is_err() {
            if started.elapsed() > START_MAX {
                return Err("nginx does not start".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn address_for(&self, load: &Load) -> &str {
        match load {
            Load::Streams { .. } => &self.http2_address,
            Load::Gateway { .. } => &self.https_address,
            Load::Closed { .. } | Load::Open { .. } => &self.address,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The one process is master and worker: there is nobody behind it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Three free ports, all found before one is used.
fn free_addresses() -> std::io::Result<[String; 3]> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let listeners = [bind()?, bind()?, bind()?];
    let [one, two, three] = listeners.each_ref().map(|listener| listener.local_addr());
    Ok([one?.to_string(), two?.to_string(), three?.to_string()])
}

fn config(folder: &str, addresses: [&str; 3]) -> String {
    let [plain, http2, https] = addresses;
    let certificate = fixtures().display().to_string();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp: String = kinds.iter().map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n")).collect();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nevents {{ worker_connections 20000; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 1h;\n{temp}\
         \x20 ssl_certificate {certificate}/server.pem;\n  ssl_certificate_key {certificate}/server.key;\n\
         \x20 server {{\n    listen {plain} backlog=8192;\n    listen {http2} http2 backlog=8192;\n    listen {https} ssl http2 backlog=8192;\n\
         \x20   location / {{ return 200 \"hello, peak\\n\"; }}\n\
         \x20   location /json {{ default_type application/json; return 200 '{JSON}'; }}\n  }}\n}}\n"
    )
}
