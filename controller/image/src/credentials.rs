//! User names and passwords of registries.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use serde_json::Value;

/// User names and passwords, by registry. `Debug` shows the registries alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, (String, String)>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Credentials {
    /// Those of a `config.json` in Docker's form; an empty text holds none.
    ///
    /// # Errors
    /// What is wrong with it; the text holds nothing of the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            auths: BTreeMap<String, Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            #[serde(default)]
            auth: String,
            #[serde(default)]
            username: String,
            #[serde(default)]
            password: String,
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // The parser's own words may quote the file.
        let file: File = serde_json::from_str(text)
            .map_err(|error| format!("the registry credentials are no Docker config.json (line {})", error.line()))?;
        let mut all = BTreeMap::new();
        for (registry, entry) in file.auths {
            let host = registry.trim_start_matches("https://").trim_start_matches("http://");
            let host = host.split('/').next().unwrap_or_default().to_owned();
            let pair = if entry.auth.is_empty() {
                (entry.username, entry.password)
            } else {
                let plain = base64::engine::general_purpose::STANDARD.decode(entry.auth.trim()).ok();
                let plain = plain.and_then(|bytes| String::from_utf8(bytes).ok());
                let pair = plain.as_deref().and_then(|text| text.split_once(':'));
                let (user, password) =
                    pair.ok_or_else(|| format!("the registry credentials for {host} are not base64 of user:password"))?;
                (user.to_owned(), password.to_owned())
            };
            all.insert(host, pair);
        }
        Ok(Self(all))
    }

    /// One registry's.
    #[must_use]
    pub fn one(registry: &str, user: &str, password: &str) -> Self {
        Self(BTreeMap::from([(registry.to_owned(), (user.to_owned(), password.to_owned()))]))
    }

    /// With those for `from` also used for `to`, another address of the same registry.
    #[must_use]
    pub fn also_for(mut self, from: &str, to: &str) -> Self {
        if let Some(pair) = self.0.get(from).cloned() {
            self.0.entry(to.to_owned()).or_insert(pair);
        }
        self
    }

    /// As a `config.json` in Docker's form.
    #[must_use]
    pub fn to_docker_config(&self) -> String {
        let auths: serde_json::Map<String, Value> = self
            .0
            .iter()
            .map(|(registry, (user, password))| {
                let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
                (registry.clone(), serde_json::json!({ "auth": auth }))
            })
            .collect();
        serde_json::json!({ "auths": auths }).to_string()
    }

    pub(crate) fn pair(&self, registry: &str) -> Option<&(String, String)> {
        self.0.get(registry)
    }

    /// Those for one registry, in the form of its client.
    #[must_use]
    pub fn auth(&self, registry: &str) -> RegistryAuth {
        match self.pair(registry) {
            Some((user, password)) => RegistryAuth::Basic(user.clone(), password.clone()),
            None => RegistryAuth::Anonymous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_written_and_kept_secret() {
        let both = Credentials::one("r.example.org", "bob", "s3cret").also_for("r.example.org", "10.0.0.1:5000");
        let text = both.to_docker_config();
        assert_eq!(Credentials::parse(&text).unwrap(), both);
        assert!(!format!("{both:?}").contains("s3cret"));
        let index = r#"{"auths":{"https://index.docker.io/v1/":{"username":"a","password":"b"}}}"#;
        assert_eq!(Credentials::parse(index).unwrap(), Credentials::one("index.docker.io", "a", "b"));
        assert_eq!(Credentials::parse(" ").unwrap(), Credentials::default());
        for bad in ["[", r#"{"auths":{"x":{"auth":"s3cret!"}}}"#, r#"{"auths":["s3cret"]}"#] {
            let error = Credentials::parse(bad).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
