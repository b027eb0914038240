//! Whole-platform tests and their harness.
