//! The API through its front door: real routes, a real service layer and database, an engine in memory.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod access;
mod addition;
mod bad_input;
mod certs;
mod conformance;
mod convention;
mod coverage;
mod deis_v1;
mod dployr_hostile;
mod dployr_login;
mod dployr_process;
mod dployr_route;
mod dployr_v1;
mod examples;
mod examples_v1;
mod golden;
mod golden_2020;
mod golden_routing;
mod golden_v1;
mod golden_volume;
mod old_client;
mod openapi;
mod query_count;
mod routing;
mod serve;
mod session;
mod team;
mod world;
