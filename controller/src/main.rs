//! The controller's binary.

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    slipway_controller::command::Arguments::parse().run().await
}
