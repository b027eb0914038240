//! The step that builds with buildpacks.

use std::sync::Arc;
use std::time::Duration;

use slipway_core::AppName;
use tokio::io::AsyncWriteExt;

use super::desk::DeskClient;
use super::{Places, fetch};
use crate::build::local::internal;
use crate::build::sink::TreeSink;
use crate::build::tree::human;
use crate::build::{BuildLimits, LocalBuilder, LocalBuilderConfig, ToolEnv};
use crate::cluster::task::Task;
use crate::{BuildError, BuildOutput, BuildRequest, SourceBuilder};

/// What serves an app of static files: this very program, which is in the stack image.
const STATIC_SERVER: &str = "exec slipway-builder static-server";

pub(super) async fn run(task: &Task, desk: &DeskClient, places: &Places) -> Result<(), BuildError> {
    let app = task.app_id().map_err(BuildError::Internal)?;
    let name = AppName::new(task.name.as_str()).map_err(|error| BuildError::Internal(error.to_string()))?;
    // Both uses of the token are spent before any code of the app runs.
    fetch::fetch_cache(desk, &places.data().join("cache").join(app.to_string())).await?;
    fetch::fetch_source(desk, places).await?;
    let env = places.env().await?;

    let mut tools = ToolEnv::from_vars(std::env::vars_os());
    if let Some(authorities) = places.authorities()? {
        let installed = authorities.install(&places.workspace.join("trusted.crt"));
        tools = tools.set(installed.map_err(|error| internal("writing the certificate authorities", &error))?);
    }
    let mut config = LocalBuilderConfig::new(places.data(), tools, Some(STATIC_SERVER.to_owned()));
    config.concurrency = 1;
    config.limits = BuildLimits {
        time: Duration::from_secs(task.limits.time_secs),
        memory_bytes: task.limits.memory_bytes,
        disk_bytes: task.limits.disk_bytes,
        // What it has unpacked; the packed size is limited by the builder.
        cache_bytes: task.limits.cache_bytes.saturating_mul(2),
        slug_bytes: task.limits.slug_bytes,
        output_bytes: task.limits.output_bytes,
        // It has the container to itself.
        nice: 0,
    };
    let sink = Arc::new(TreeSink::new(places.manifest()));
    let builder = LocalBuilder::with_sink(config, sink).map_err(|error| internal("preparing the build", &error))?;
    let (output, mut lines, _log) = BuildOutput::new();
    let request = BuildRequest { app, name, sha: task.sha.clone(), source: places.source(), env };
    let printing = tokio::spawn(async move {
        let mut out = tokio::io::stdout();
        while let Some(bytes) = lines.recv().await {
            let _ = out.write_all(&bytes).await;
            let _ = out.flush().await;
        }
    });
    let built = builder.build(request, output).await;
    drop(builder);
    // Whoever holds an end of the output longer than the build has nothing more to say.
    let _ = tokio::time::timeout(Duration::from_secs(2), printing).await;
    match built {
        Ok(_) => Ok(()),
        // The kernel ends the largest process, and its parent knows of a signal alone.
        Err(BuildError::Failed(text)) if out_of_memory_kills().await > 0 => {
            let limit = human(task.limits.memory_bytes);
            Err(BuildError::Limit(format!("the build used more than {limit} of memory ({text})")))
        }
        Err(error) => Err(error),
    }
}

/// How many processes of this container were ended for want of memory; 0 when that cannot be told.
async fn out_of_memory_kills() -> u64 {
    for file in ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"] {
        let Ok(text) = tokio::fs::read_to_string(file).await else { continue };
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        return kills.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
    }
    0
}
