//! `deploy`.

use clap::Args;

use super::secret::SecretSource;

/// A repository elsewhere, and how it is built and run.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// The repository: https://…, ssh://… or user@host:path
    #[arg(long, value_name = "URL")]
    pub git: String,
    /// Where the password or token of an https:// repository is read from: `-` (stdin), `env:NAME`, `file:PATH`, or `ask`
    #[arg(long, value_name = "SOURCE")]
    pub password_from: Option<SecretSource>,
    /// The branch; without it, the repository's own
    #[arg(short, long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// The commit, instead of the branch's newest
    #[arg(long, value_name = "HASH")]
    pub commit: Option<String>,
    /// What builds it: nodejs, python, golang, php, ruby, dotnet, java or static
    #[arg(long, value_name = "RUNTIME")]
    pub runtime: Option<String>,
    /// Version of the runtime
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Command of the build
    #[arg(long, value_name = "COMMAND")]
    pub build_cmd: Option<String>,
    /// Command of the process
    #[arg(long, value_name = "COMMAND")]
    pub run_cmd: Option<String>,
    /// Port that the process listens on
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// What it is: web, worker, static or job
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Directory of the repository to build
    #[arg(long, value_name = "DIR")]
    pub working_dir: Option<String>,
    /// Directory of files to serve
    #[arg(long, value_name = "DIR")]
    pub static_dir: Option<String>,
    /// Path that answers while the process is well
    #[arg(long, value_name = "PATH")]
    pub health_check: Option<String>,
    /// NAME=VALUE for the app's environment, once for each
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Build anew what was built before
    #[arg(long)]
    pub force_rebuild: bool,
    /// Do not wait for the end
    #[arg(short, long)]
    pub detach: bool,
}
