//! Settings of what concerns teams.

/// Settings of what concerns teams.
#[derive(Debug, Clone)]
pub struct TeamSettings {
    /// Where clients reach the API, without a slash at its end. Default `http://localhost`.
    pub public_url: String,
}

impl Default for TeamSettings {
    fn default() -> Self {
        Self { public_url: "http://localhost".to_owned() }
    }
}
