//! Telling people and scripts where the platform answers.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use url::Url;

use crate::error::{Error, Result};
use crate::{print, private};

/// The file, in the data directory, that is there while the platform is ready.
const FILE: &str = "ready.json";

/// Where everything answers.
#[derive(Debug)]
pub struct Ready {
    /// The API.
    pub api: SocketAddr,
    /// The builder.
    pub ssh: SocketAddr,
    /// Apps, over HTTP.
    pub router: SocketAddr,
    /// Apps, over TLS.
    pub router_tls: Option<SocketAddr>,
    /// The platform's domain.
    pub domain: String,
    /// The data directory.
    pub data: PathBuf,
}

/// Removes the file: the platform is not, or no longer, ready.
pub fn forget(data: &Path) {
    if let Err(error) = fs::remove_file(data.join(FILE))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "cannot remove {FILE}: {error}");
    }
}

/// The address by which this machine reaches a listener.
fn near(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// The URL by which this machine reaches an HTTP listener.
pub fn http_url(addr: SocketAddr) -> Result<Url> {
    Url::parse(&format!("http://{}", near(addr)))
        .map_err(|error| Error::caused(format!("cannot address {addr}"), &error))
}

impl Ready {
    /// Tells the file, the file descriptor if there is one, and the person at the terminal.
    ///
    /// # Errors
    /// When the file or the descriptor cannot be written: a script that waits for it would wait for ever.
    pub fn announce(&self, fd: Option<u32>) -> Result {
        let json = self.json();
        private::write(&self.data.join(FILE), format!("{json}\n").as_bytes())?;
        if let Some(fd) = fd {
            // Opened by name, since a number alone gives no right to a descriptor.
            OpenOptions::new()
                .append(true)
                .open(format!("/dev/fd/{fd}"))
                .and_then(|mut file| file.write_all(format!("{json}\n").as_bytes()))
                .map_err(|error| Error::caused(format!("cannot write to file descriptor {fd} (--ready-fd)"), &error))?;
        }
        // Nobody to read this is no reason to stop.
        for line in self.banner() {
            if print::line(line).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "api": format!("http://{}", near(self.api)),
            "ssh": format!("ssh://{}", near(self.ssh)),
            "router": format!("http://{}", near(self.router)),
            "router_tls": self.router_tls.map(|addr| format!("https://{}", near(addr))),
            "domain": self.domain,
            "pid": std::process::id(),
        })
    }

    fn banner(&self) -> Vec<String> {
        let api = format!("http://{}", near(self.api));
        let port = match self.router.port() {
            80 => String::new(),
            port => format!(":{port}"),
        };
        let mut lines = vec![
            format!("Slipway {} is ready.", env!("CARGO_PKG_VERSION")),
            format!("  api         {api}"),
            format!("  ssh         ssh://git@{}", near(self.ssh)),
            format!("  router      http://{} (apps: http://NAME.{}{port})", near(self.router), self.domain),
        ];
        lines.extend(self.router_tls.map(|addr| format!("  router-tls  https://{}", near(addr))));
        lines.push(format!("  data        {}", self.data.display()));
        lines.extend(
            [
                "",
                "Next, in another terminal:",
                &format!("  slipway register {api}"),
                "  slipway keys:add ~/.ssh/id_ed25519.pub",
                "  slipway create my-app         # in your app's git repository",
                "  git push slipway main",
                "",
                "Ctrl-C stops the apps and the platform; the next `slipway up` starts them again.",
            ]
            .map(str::to_owned),
        );
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_people_get_addresses_that_work() {
        let ready = Ready {
            api: "0.0.0.0:8000".parse().unwrap(),
            ssh: "127.0.0.1:2222".parse().unwrap(),
            router: "127.0.0.1:80".parse().unwrap(),
            router_tls: Some("[::]:8443".parse().unwrap()),
            domain: "localhost".to_owned(),
            data: PathBuf::from("/data"),
        };
        let json = ready.json();
        assert_eq!(json["api"], "http://127.0.0.1:8000");
        assert_eq!(json["ssh"], "ssh://127.0.0.1:2222");
        assert_eq!(json["router_tls"], "https://[::1]:8443");
        let banner = ready.banner().join("\n");
        assert!(banner.contains("slipway register http://127.0.0.1:8000"), "{banner}");
        assert!(banner.contains("http://NAME.localhost)"), "{banner}");
    }

    #[test]
    fn the_file_is_there_while_ready() {
        let dir = tempfile::tempdir().unwrap();
        let addr: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let data = dir.path().to_owned();
        let ready =
            Ready { api: addr, ssh: addr, router: addr, router_tls: None, domain: "localhost".to_owned(), data };
        ready.announce(None).unwrap();
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), ready.json());
        forget(dir.path());
        assert!(!dir.path().join(FILE).exists());
        forget(dir.path());
    }
}
