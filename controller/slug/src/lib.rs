//! Content-addressed store of built slugs on one machine.
