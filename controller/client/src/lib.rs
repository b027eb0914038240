//! Typed HTTP client for the controller.

pub mod hooks;
