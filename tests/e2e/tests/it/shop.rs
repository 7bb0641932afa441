//! An own drill against the demo's shop, with a relay in between that keeps every byte that was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::isolation::column;
use crate::lease::new_keys;
use crate::support::{expect_exit, json, output, peakdrill};

/// The demo's drill, whose load is replaced by a short one.
const DRILL: &str = include_str!("../../../../crates/cli/src/demo.yaml");
const LOAD: &str =
    "load:\n  seed: 7\n  phases: [ { name: hold, shape: { hold: { rate: 40/s, for: 8s } } } ]\n";

/// The shop in a process of its own, which ends with its standard input.
struct Shop {
    child: Child,
    stdin: Option<ChildStdin>,
    addresses: Value,
}

impl Shop {
    fn start(folder: &Path, otlp: u16, registry: u16) -> Self {
        let order = json!({
            "dir": folder.join("shop"), "otlp": format!("http://127.0.0.1:{otlp}"),
            "registry": format!("http://127.0.0.1:{registry}/v1/runs"), "keys": folder.join("keys.json"),
            "env": "demo", "bottleneck": "none", "seed": 1,
        });
        fs::write(folder.join("order.json"), order.to_string()).unwrap();
        let mut command = peakdrill(folder);
        command.args(["demo", "--shop-child", "order.json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses = serde_json::from_str(&line).unwrap();
        Self { stdin: child.stdin.take(), child, addresses }
    }

    /// Lets it end as it should.
    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn secrets(&self) -> impl Iterator<Item = (String, &str)> {
        let databases = self.addresses["databases"].as_object().unwrap();
        let name = |database: &str| format!("DEMO_{}", database.to_ascii_uppercase().replace('-', "_"));
        databases.iter().map(move |(database, dsn)| (name(database), dsn.as_str().unwrap()))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ended = self.child.wait();
    }
}

/// What each connection sent.
type Sent = Arc<Mutex<Vec<Vec<u8>>>>;

async fn relay(upstream: SocketAddr) -> (SocketAddr, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Sent::default();
    let kept = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, upstream, Arc::clone(&kept)));
        }
    });
    (address, sent)
}

async fn pass_on(client: TcpStream, upstream: SocketAddr, kept: Sent) {
    let server = TcpStream::connect(upstream).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let place = {
        let mut all = kept.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    };
    let there = async {
        let mut bytes = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            kept.lock().unwrap()[place].extend_from_slice(&bytes[..read]);
            to_server.write_all(&bytes[..read]).await?;
        }
        to_server.shutdown().await
    };
    // Either side may close first; what was sent is kept.
    let _ = tokio::join!(there, tokio::io::copy(&mut from_server, &mut to_client));
}

/// The values of `idempotency_key` in what was sent.
fn keys(sent: &Sent) -> Vec<String> {
    let texts: Vec<String> =
        sent.lock().unwrap().iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    let of = |text: &String| {
        text.split("\"idempotency_key\":\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    texts.iter().flat_map(of).collect()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn short_drill() -> String {
    let (before, rest) = DRILL.split_once("load:\n").unwrap();
    let (_, guards) = rest.split_once("guards:\n").unwrap();
    format!("{before}{LOAD}guards:\n{guards}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shadow_row_carries_a_key_that_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let env: BTreeMap<String, String> = new_keys(folder.path());
    let (otlp, registry) = (free_port(), free_port());
    let shop = Shop::start(folder.path(), otlp, registry);
    let gateway = shop.addresses["gateway"].as_str().unwrap().trim_start_matches("http://");
    let (relay, sent) = relay(gateway.parse().unwrap()).await;
    // Its gate on the peak's latency speaks of a phase that this load does not have.
    let text = short_drill();
    let text: String = text
        .lines()
        .filter(|line| !line.contains("during: [peak]"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(folder.path().join("drill.yaml"), text).unwrap();
    let mut command = peakdrill(folder.path());
    command.args(["run", "drill.yaml", "--out", "rec", "--tui", "never", "--otlp-http", "127.0.0.1:0"]);
    command.args([
        "--otlp-grpc",
        &format!("127.0.0.1:{otlp}"),
        "--registry",
        &format!("127.0.0.1:{registry}"),
    ]);
    command.args(["--set", &format!("gateway=http://{relay}")]).envs(&env).envs(shop.secrets());
    expect_exit(&tokio::task::spawn_blocking(move || output(&mut command)).await.unwrap(), 0);
    let database = folder.path().join("shop/order-db.sqlite");
    shop.end();

    let keys = keys(&sent);
    let sent: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(sent.len(), keys.len(), "no key was sent twice");
    let rows = column(&database, "select idempotency_key from shadow_orders").await;
    for row in &rows {
        assert!(sent.contains(row), "the shadow row {row} carries a key that nobody sent");
    }
    let verdict = json(&folder.path().join("rec/verdict.json"));
    let step = verdict["steps"].as_array().unwrap().iter().find(|step| step["step"] == "order").unwrap();
    let completed = step["completed"].as_u64().unwrap() - step["errors"].as_u64().unwrap();
    assert!(completed > 200, "{step}");
    let (rows, sent) = (rows.len() as u64, sent.len() as u64);
    assert!(
        (completed..=sent).contains(&rows),
        "{completed} completed, {rows} rows, {sent} sent with probes"
    );
    let live = column(&database, "select idempotency_key from orders").await;
    let told = json(&folder.path().join("shop/live-users.json"));
    assert_eq!(live.len() as u64, told["orders_placed"].as_u64().unwrap());
    assert!(live.iter().all(|key| key.starts_with("live-")), "{live:?}");
}
