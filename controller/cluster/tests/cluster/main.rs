//! The engine on a real cluster.
//!
//! Ignored unless asked for: `SLIPWAY_TEST_KUBECONFIG=… cargo test -p slipway-cluster -- --ignored`, with
//! `SLIPWAY_TEST_IMAGE`, an image with busybox (default `127.0.0.1:5000/base/busybox:1`). Every app has a name of its
//! own; other things on the cluster are left alone.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod bed;
mod deploy;
mod foreign;
mod volume;
mod workload;
