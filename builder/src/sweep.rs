//! Removes what apps that are gone left behind.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use slipway_core::AppId;
use tokio_util::sync::CancellationToken;

use crate::push::Pushes;

/// Sweeps at the start and then again and again until `shutdown`.
pub(crate) async fn run(pushes: Pushes, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(pushes.limits.sweep);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => sweep(&pushes).await,
        }
    }
}

async fn sweep(pushes: &Pushes) {
    let living: HashSet<AppId> = match pushes.controller.apps_list().await {
        Ok(apps) => apps.into_iter().collect(),
        Err(error) => {
            tracing::debug!("no sweep: {}", slipway_cause::chain(&error));
            return;
        }
    };
    let grace = pushes.limits.sweep_grace;
    let candidates = {
        let pushes = pushes.clone();
        tokio::task::spawn_blocking(move || found(&pushes, &living, grace)).await
    };
    let gone = match candidates {
        Ok(Ok(gone)) => gone,
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot look for what to sweep");
            return;
        }
        Err(_) => return,
    };
    for app in gone {
        let Some(_lock) = pushes.locks.try_lock(app) else { continue };
        pushes.builder.forget(app).await;
        let task = pushes.clone();
        let removed = tokio::task::spawn_blocking(move || {
            task.repositories.remove(app)?;
            match fs::remove_dir_all(task.logs.join(app.to_string())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await;
        match removed {
            Ok(Ok(())) => tracing::info!(app.id = %app, "removed what an app left behind"),
            Ok(Err(error)) => tracing::warn!(app.id = %app, %error, "cannot remove what an app left behind"),
            Err(_) => {}
        }
    }
}

/// Apps that are not among the living and have left something old enough.
fn found(pushes: &Pushes, living: &HashSet<AppId>, grace: Duration) -> io::Result<HashSet<AppId>> {
    let is_old = |modified: SystemTime| modified.elapsed().is_ok_and(|age| age >= grace);
    let mut gone = HashSet::new();
    for (app, _, modified) in pushes.repositories.list()? {
        if !living.contains(&app) && is_old(modified) {
            gone.insert(app);
        }
    }
    for (app, modified) in log_directories(&pushes.logs)? {
        if !living.contains(&app) && is_old(modified) {
            gone.insert(app);
        }
    }
    Ok(gone)
}

fn log_directories(logs: &Path) -> io::Result<Vec<(AppId, SystemTime)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(logs)? {
        let entry = entry?;
        if let Some(app) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push((app, entry.metadata()?.modified()?));
        }
    }
    Ok(found)
}
