//! Typed HTTP client for the controller.
