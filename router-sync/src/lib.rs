//! Routes to apps: the built-in router.
