//! The engine for one machine: supervised processes, log files, health checks.
