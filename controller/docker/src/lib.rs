//! Container engines as nodes of teams: Docker or Podman, reached over a socket of this machine or over TLS.
//!
//! [`plan`] says, purely, what an engine is asked to make of a container of a deployment (its parts: [`mount`],
//! [`network`], [`route`]); [`replace`] makes it, in place of what was there; [`node`] does the rest. [`client`] speaks to
//! the engine. The engine is somebody else's: what it answers is bounded in size and time and believed as little as
//! possible, and what on it does not have our labels is never touched.
//!
//! Source: `team-api.md` §8; Docker Engine API 1.41, which Podman speaks too.

mod answer;
mod client;
mod endpoint;
mod failure;
mod frame;
mod mount;
mod network;
mod node;
mod plan;
mod progress;
mod replace;
mod route;
mod settings;

pub use endpoint::DockerEndpoint;
pub use node::DockerNode;
pub use settings::DockerSettings;

#[cfg(test)]
mod tests;
