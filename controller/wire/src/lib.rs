//! Request and response bodies of Slipway's APIs, one module a generation.
