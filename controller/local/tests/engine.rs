//! Drives the engine with real processes.
#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails a test, and the setting for tests covers only the test functions themselves"
)]

#[path = "engine/bed.rs"]
mod bed;
#[path = "engine/crash.rs"]
mod crash;
#[path = "engine/image.rs"]
mod image;
#[path = "engine/log.rs"]
mod log;
#[path = "engine/node.rs"]
mod node;
#[path = "engine/rollout.rs"]
mod rollout;
#[path = "engine/run.rs"]
mod run;
#[path = "engine/session.rs"]
mod session;
#[path = "engine/volume.rs"]
mod volume;
