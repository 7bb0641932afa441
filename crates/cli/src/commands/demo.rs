//! `peakdrill demo`: a small real system, a peak, its bottleneck.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use peakdrill_demo_shop::Addresses;
use peakdrill_drill_control::record::files::write_atomic;
use peakdrill_drill_control::{CollectorMode, Stage, StageSettings};
use peakdrill_drill_model::exit::Exit;
use peakdrill_drill_model::owners::Owners;

use super::Failure;
use crate::args::{Demo, Plant};
use crate::demo_drill::{self, Shop, ShopOrder};
use crate::drill::{self, Drill};
use crate::keys;
use crate::show::{note, out};

/// The drill that the demo runs.
const DRILL: &str = include_str!("../demo.yaml");
/// The environment of its tags.
const ENVIRONMENT: &str = "demo";

pub(super) fn run(args: &Demo) -> Result<Exit, Failure> {
    if let Some(file) = &args.shop_child {
        return demo_drill::child(file);
    }
    if args.shop_only {
        return shop_only(args);
    }
    drill::can_draw(args.tui)?;
    let run = keys::run_id()?;
    let folder = args.out.clone().unwrap_or_else(|| Path::new("drills").join(format!("demo-{run}")));
    drill::is_free(&folder)?;
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let stage = Stage::open(StageSettings {
        run: run.parse().map_err(|error| Failure::new(Exit::Bug, format!("run id: {error}")))?,
        env: ENVIRONMENT.parse().map_err(|error| Failure::new(Exit::Bug, format!("environment: {error}")))?,
        secrets: Some(keys::fresh(kid()?)?),
        runs_file: None,
        registry: free,
        otlp_grpc: free,
        otlp_http: free,
        collector: CollectorMode::Required,
        journal: Some(folder.join(peakdrill_drill_control::record::JOURNAL)),
        journal_bytes_max: None,
    })?;
    let keys_file = folder.join("shop-keys.json");
    write_atomic(&keys_file, stage.verifying_keys_json()?.unwrap_or_default().as_bytes(), 0o644)?;
    let otlp = stage.otlp_grpc().map(|address| format!("http://{address}"));
    let order =
        shop_order(args, folder.join("shop"), otlp, stage.registry_url().unwrap_or_default(), keys_file);
    note("starting a small shop: gateway, order, stock, payment, fulfilment, and a bank outside\n");
    let shop = Shop::start(&order, &folder.join("shop.json"))?;
    let plan = plan(args, &folder, &shop.addresses)?;
    let secrets = database_secrets(&shop.addresses);
    let shards = 1;
    drill::run(
        stage,
        plan,
        Drill {
            out: folder,
            shards,
            transport: peakdrill_loadgen::Transport::Auto,
            tui: args.tui,
            format: args.format,
            secrets,
            metrics: None,
            metrics_to: None,
            owners: Owners::default(),
            keep: Some(Box::new(shop)),
        },
    )
}

fn kid() -> Result<peakdrill_shadow_tag::KeyId, Failure> {
    "demo".parse().map_err(|error| Failure::new(Exit::Bug, format!("key id: {error}")))
}

fn shop_order(args: &Demo, dir: PathBuf, otlp: Option<String>, registry: String, keys: PathBuf) -> ShopOrder {
    let bottleneck = match args.bottleneck {
        Plant::Stock => "stock",
        Plant::Payment => "payment",
        Plant::OrderDb => "order-db",
        Plant::Bank => "bank",
        Plant::Queue => "queue",
        Plant::None => "none",
    };
    ShopOrder {
        dir,
        otlp,
        registry,
        keys,
        env: ENVIRONMENT.to_owned(),
        bottleneck: bottleneck.to_owned(),
        seed: args.seed,
        postgres: args.postgres.clone(),
        empty_rules_for: args.empty_rules_for.clone(),
        without_middleware: args.without_middleware.clone(),
    }
}

/// The demo's drill, written beside its record so that it can be read and changed.
fn plan(
    args: &Demo,
    folder: &Path,
    addresses: &Addresses,
) -> Result<peakdrill_drill_model::plan::Plan, Failure> {
    let text = drill_text(args);
    let file = folder.join("drill.yaml");
    write_atomic(&file, text.as_bytes(), 0o644)?;
    let sets = [("gateway".to_owned(), addresses.gateway.clone())];
    let mut plan = crate::files::plan(&file, &sets)?;
    plan.load.seed = args.seed;
    Ok(plan)
}

/// The drill, for the database that the orders are in. The other services' stores stay.
fn drill_text(args: &Demo) -> String {
    match &args.postgres {
        Some(_) => DRILL.replacen("- sqlite:", "- postgres:", 1),
        None => DRILL.to_owned(),
    }
}

fn database_secrets(addresses: &Addresses) -> BTreeMap<String, String> {
    let name = |database: &str| format!("DEMO_{}", database.to_ascii_uppercase().replace('-', "_"));
    addresses.databases.iter().map(|(database, dsn)| (name(database), dsn.clone())).collect()
}

/// The shop alone, for own drills or other tools: with keys of its own, and hearing from a drill at the
/// addresses where `peakdrill run` listens.
fn shop_only(args: &Demo) -> Result<Exit, Failure> {
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from("demo-shop"));
    let secrets = keys::fresh(kid()?)?;
    let mut public = peakdrill_shadow_tag::VerifyingKeys::default();
    public
        .add(secrets.signing.kid(), secrets.signing.public())
        .map_err(|error| Failure::new(Exit::Bug, error.to_string()))?;
    let keys_file = folder.join("keys.json");
    write_atomic(&keys_file, public.to_json().as_bytes(), 0o644)?;
    let otlp = Some("http://127.0.0.1:4317".to_owned());
    let registry = "http://127.0.0.1:7878/v1/runs".to_owned();
    let order = shop_order(args, folder.join("shop"), otlp, registry, keys_file);
    let drill_file = folder.join("drill.yaml");
    let mut lines = keys::environment_lines(&secrets).to_vec();
    let ready = |addresses: &Addresses| {
        for (name, dsn) in database_secrets(addresses) {
            lines.push(format!("{name}={dsn}"));
        }
        lines.push(format!("PEAKDRILL_VAR_gateway={}", addresses.gateway));
        let env_file = folder.join("drill.env");
        let kept = write_atomic(&env_file, (lines.join("\n") + "\n").as_bytes(), 0o600)
            .and_then(|()| write_atomic(&drill_file, drill_text(args).as_bytes(), 0o644));
        if let Err(error) = kept {
            note(&format!("{error}\n"));
        }
        if let Ok(json) = serde_json::to_string(addresses) {
            out(&(json + "\n"));
        }
        note(&format!(
            "The shop stands; Ctrl-C ends it. In another terminal:\n  set -a; . {}; set +a; peakdrill run {}\n",
            env_file.display(),
            drill_file.display()
        ));
    };
    demo_drill::run(order.config()?, ready, async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            }
            Err(_) => {
                let _ = tokio::signal::ctrl_c().await;
            }
        }
    })
}
