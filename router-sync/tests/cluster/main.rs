//! router-sync against a real API server: the one that `SLIPWAY_TEST_KUBECONFIG` names. Without it these tests do
//! nothing.
//!
//! Each test has namespaces and an instance name of its own, and looks at Services of its own only, so that it can share
//! a cluster with others.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]
#![expect(clippy::print_stderr, reason = "a test that was left out says so")]

mod builtin;
mod front;
mod gateway;
mod ingress;
mod pods;
mod rig;
