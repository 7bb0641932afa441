//! A whole service: in by axum, out by HTTP, SQL to SQLite, news of runs from a file.
//!
//! `cargo run -p peakdrill-shadow-router --example axum_service -- keys.json runs.json rules.json orders.db`

use std::env;
use std::error::Error;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use peakdrill_shadow_router::{
    Args, HttpClient, Mode, PoolConfig, Position, RegistryPoller, Router, Rules, SqlitePool, Verifier,
};
use peakdrill_shadow_tag::{RunTable, VerifyingKeys};

/// What each request needs.
#[derive(Clone)]
struct Shop {
    pool: SqlitePool,
    http: HttpClient,
    stock: String,
}

/// Reserves, then writes. It does not know whether it serves a customer or a drill.
async fn place(shop: Shop) -> Result<StatusCode, peakdrill_shadow_router::Error> {
    let reserved = shop.http.post(format!("{}/reserve", shop.stock)).json("a-1").send().await?;
    if !reserved.status().is_success() {
        return Ok(StatusCode::CONFLICT);
    }
    shop.pool.execute("INSERT INTO orders (sku) VALUES (?)", Args::new().bind("a-1")).await?;
    Ok(StatusCode::CREATED)
}

fn answer(result: Result<StatusCode, peakdrill_shadow_router::Error>) -> Response {
    match result {
        Ok(status) => status.into_response(),
        Err(error) if error.is_refused() => (StatusCode::FORBIDDEN, error.to_string()).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let mut arg = |name: &str| args.next().ok_or(format!("the argument {name} is missing"));
    let keys = VerifyingKeys::from_json(&std::fs::read_to_string(arg("keys.json")?)?)?;
    let runs = arg("runs.json")?;
    let rules = Rules::from_json(&std::fs::read_to_string(arg("rules.json")?)?, "order")?;
    let database = arg("database")?;

    let verifier = Verifier::new("staging".parse()?, keys, RunTable::default());
    let router = Router::builder("order")
        .position(Position::Edge)
        .mode(Mode::Enforce)
        .verifier(verifier)
        .rules(rules)
        .build()?;
    let _news = RegistryPoller::file(&router, runs);
    let pool = SqlitePool::connect(&router, PoolConfig::new(format!("sqlite:{database}").parse()?)).await?;
    let http = HttpClient::new(&router, reqwest::Client::builder())?;
    let shop = Shop { pool, http, stock: "http://127.0.0.1:8081".to_owned() };

    let app = axum::Router::new()
        .route("/orders", post(async move || answer(place(shop.clone()).await)))
        .layer(router.layer());
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?;
    Ok(())
}
