//! Where built images are, told in the variables that the builder has.

use slipway_image::{BuiltImages, Credentials};

use super::ConfigError;

pub(super) fn built_images(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<BuiltImages>, ConfigError> {
    let Some(text) = var("SLIPWAY_REGISTRY") else { return Ok(None) };
    let expected = "host and port of a registry, without https:// and path; a prefix may follow";
    let text = text.trim().to_owned();
    let (host, prefix) = match text.split_once('/') {
        Some((host, prefix)) => (host.to_owned(), prefix.trim_matches('/').to_owned()),
        None => (text, var("SLIPWAY_REGISTRY_PREFIX").map_or_else(|| "apps".to_owned(), |text| text.trim().to_owned())),
    };
    let reached = var("SLIPWAY_REGISTRY_PUSH").map_or_else(|| host.clone(), |text| text.trim().to_owned());
    for (name, host) in [("SLIPWAY_REGISTRY", &host), ("SLIPWAY_REGISTRY_PUSH", &reached)] {
        if host.is_empty() || host.contains(['/', ' ', '@']) || host.ends_with(':') {
            return Err(ConfigError::Malformed { name, expected });
        }
    }
    let name = "SLIPWAY_REGISTRY_INSECURE";
    let is_insecure = match var(name).as_deref().map(str::trim) {
        None | Some("0" | "false" | "no" | "off") => false,
        Some("1" | "true" | "yes" | "on") => true,
        Some(_) => return Err(ConfigError::Malformed { name, expected: "true or false" }),
    };
    let credentials = match (var("SLIPWAY_REGISTRY_USERNAME"), var("SLIPWAY_REGISTRY_PASSWORD")) {
        (Some(user), Some(password)) => Credentials::one(&reached, &user, &password),
        _ => Credentials::default(),
    };
    Ok(Some(BuiltImages { host, reached, prefix, is_insecure, credentials }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Option<BuiltImages>, ConfigError> {
        built_images(&|name| vars.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_registry_is_read_as_the_builder_reads_it() {
        assert_eq!(read(&[]).unwrap(), None);
        let made = read(&[("SLIPWAY_REGISTRY", "r.example.org")]).unwrap().unwrap();
        assert_eq!((made.reached.as_str(), made.prefix.as_str(), made.is_insecure), ("r.example.org", "apps", false));
        let made = read(&[
            ("SLIPWAY_REGISTRY", "r.example.org/team/apps"),
            ("SLIPWAY_REGISTRY_PUSH", "10.0.0.1:5000"),
            ("SLIPWAY_REGISTRY_PREFIX", "other"),
            ("SLIPWAY_REGISTRY_INSECURE", "1"),
            ("SLIPWAY_REGISTRY_USERNAME", "bob"),
            ("SLIPWAY_REGISTRY_PASSWORD", "s3cret"),
        ]);
        let made = made.unwrap().unwrap();
        assert_eq!((made.host.as_str(), made.prefix.as_str()), ("r.example.org", "team/apps"));
        assert!(made.is_insecure && made.credentials == Credentials::one("10.0.0.1:5000", "bob", "s3cret"));
        assert!(!format!("{made:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value) in [
            ("SLIPWAY_REGISTRY", "https://r.example.org"),
            ("SLIPWAY_REGISTRY_PUSH", "a b"),
            ("SLIPWAY_REGISTRY_INSECURE", "maybe"),
        ] {
            let error = read(&[(name, value), ("SLIPWAY_REGISTRY", "r.example.org")]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
