//! The containers of teams' deployments on a cluster.
//!
//! [`objects`] says, purely, what is written for a container (its parts: [`pod`], [`route`]); [`node`] writes it, waits,
//! lists and removes. Nothing here shares objects with apps: the two have namespaces of their own, and neither touches
//! what the other made.

pub mod kubeconfig;
pub mod node;
pub mod objects;
mod pod;
mod progress;
mod route;
#[cfg(test)]
mod tests;

pub use node::ClusterNode;
pub use objects::WorkloadSettings;
