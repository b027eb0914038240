//! The use cases and the reconciler together, over a real database and an engine in memory.

mod account;
mod autoscale;
mod bed;
mod certificate;
mod deploy;
mod deploy_hook;
mod deploy_log;
mod health;
mod leadership;
mod lifecycle;
mod notification;
mod probe;
mod reconcile;
mod team_deployment;
mod webhook;
