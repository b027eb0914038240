//! The binary of router-sync.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    slipway_router_sync::command::main().await
}
