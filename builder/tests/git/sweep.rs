//! What apps that are gone left behind.

use std::time::Duration;

use slipway_builder::Limits;
use slipway_core::AppId;

use crate::harness::{APP, Platform, limits};

#[tokio::test(flavor = "multi_thread")]
async fn what_apps_left_behind_goes_and_all_else_stays() {
    let gone = AppId::generate();
    let limits = Limits { sweep: Duration::from_millis(50), sweep_grace: Duration::ZERO, ..limits() };
    let platform = Platform::start_with(limits, None, |data| {
        for app in [gone.to_string(), APP.to_owned()] {
            std::fs::create_dir_all(data.join(format!("repos/{app}.git/objects"))).unwrap();
            std::fs::create_dir_all(data.join("builds").join(&app)).unwrap();
            std::fs::write(data.join("builds").join(&app).join("x.log"), "x").unwrap();
        }
        std::fs::create_dir_all(data.join("repos/not-ours")).unwrap();
        std::fs::create_dir_all(data.join(format!("repos/{APP}.git/incoming-1/pack"))).unwrap();
    })
    .await;
    platform.wait(|state| state.forgotten.contains(&gone)).await;
    let removed = async {
        while platform.data().join("builds").join(gone.to_string()).exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), removed).await.unwrap();
    assert!(!platform.data().join(format!("repos/{gone}.git")).exists());
    assert!(platform.repository().exists() && platform.data().join("builds").join(APP).join("x.log").exists());
    assert!(!platform.repository().join("incoming-1").exists());
    assert!(platform.data().join("repos/not-ours").exists());
    platform.wait(|state| state.forgotten.iter().all(|app| *app == gone)).await;
}
