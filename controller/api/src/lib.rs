//! The HTTP APIs over the service layer.
