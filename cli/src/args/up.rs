//! `up`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// The whole platform on one machine.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Folder for everything that is kept [default: the XDG data folder]
    #[arg(long, env = "SLIPWAY_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where the API listens; port 0 is any free one
    #[arg(long, env = "SLIPWAY_API", value_name = "ADDR", default_value = "127.0.0.1:8000")]
    pub api: SocketAddr,
    /// Where git pushes arrive
    #[arg(long, env = "SLIPWAY_SSH", value_name = "ADDR", default_value = "127.0.0.1:2222")]
    pub ssh: SocketAddr,
    /// Where apps answer
    #[arg(long, env = "SLIPWAY_ROUTER", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub router: SocketAddr,
    /// Where apps answer over TLS
    #[arg(long, env = "SLIPWAY_ROUTER_TLS", value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub router_tls: SocketAddr,
    /// Domain of the platform: apps answer at NAME.DOMAIN
    #[arg(long, env = "SLIPWAY_DOMAIN", value_name = "NAME", default_value = "localhost", value_parser = domain)]
    pub domain: String,
    /// Write one line of JSON with the addresses to this file descriptor when ready
    #[arg(long, env = "SLIPWAY_READY_FD", value_name = "N")]
    pub ready_fd: Option<u32>,
    /// Log more; twice for everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

fn domain(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // An app's name of up to 63 characters and a dot go in front.
    if name.len() <= 189 && name.split('.').all(is_label) {
        Ok(name)
    } else {
        Err("it must be a domain name, for example `localhost` or `apps.example.com`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_names() {
        for (text, want) in [
            ("localhost", Some("localhost")),
            ("Apps.Example.com.", Some("apps.example.com")),
            ("", None),
            ("a..b", None),
            ("-a.b", None),
            ("a b", None),
            ("*.a", None),
            ("a/b", None),
        ] {
            assert_eq!(domain(text).ok().as_deref(), want, "{text:?}");
        }
    }
}
