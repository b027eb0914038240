//! Request and response bodies of Slipway's APIs, one module a generation.
//!
//! Field names, nulls and optional fields are part of each API's contract. No domain type is used here and no rule
//! lives here; conversion to and from the domain is the API layer's.

pub mod deis_v1;
pub mod dployr_v1;
pub mod drycc_v2;
pub mod team;
