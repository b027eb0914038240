//! The Slipway controller: APIs, desired state and reconcilers.
