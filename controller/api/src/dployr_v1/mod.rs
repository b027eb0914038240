//! The dployr API, `/v1`: how its refusals look. Source: `dployr-v1.md`.

pub mod error;
