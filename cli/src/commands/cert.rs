//! `certs`. Source of calls and texts: drycc-v2.md §2.8 and §6.2.

use std::fs;
use std::path::Path;

use chrono::Utc;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use slipway_client::segment;
use slipway_wire::drycc_v2::{Cert, Page};

use super::cert_date;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::{print, program};

/// No certificate or key is longer; what is longer is another file.
const FILE_MAX_BYTES: u64 = 1024 * 1024;

const LIST_HINT: &str = "`slipway certs` lists your certificates";

fn path(name: &str) -> String {
    format!("/v2/certs/{}", segment(name))
}

/// Lists certificates.
pub async fn list(cx: &Context, limit: Option<u32>) -> Result {
    let answer = cx.api()?.get(&format!("/v2/certs/?limit={}", cx.limit(limit))).await?;
    cx.show(&answer, || {
        let page: Page<Cert> = answer.json()?;
        let is_upstream = program::current().is_upstream();
        if page.results.is_empty() {
            return print::line("No certs");
        }
        let head = ["Name", "Common Name", "SubjectAltName", "Expires", "Fingerprint", "Domains", "Updated", "Created"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(page.results.into_iter().map(|cert| {
            vec![
                cert.name,
                cert.common_name.unwrap_or_default(),
                cert.san.join(","),
                if is_upstream { cert_date::until(&cert.expires, Utc::now()) } else { cert.expires },
                short(&cert.fingerprint),
                cert.domains.join(","),
                date(cert.updated),
                date(cert.created),
            ]
        }));
        if is_upstream {
            print::table::ruled(&rows)?;
        } else {
            print::table::rows(&rows)?;
        }
        let shown = rows.len() - 1;
        if page.count > shown as u64 && !is_upstream {
            print::note(format_args!("{shown} of {} are shown; --limit shows more", page.count));
        }
        Ok(())
    })
}

/// The first and last bytes of a fingerprint, as upstream's client shows it.
fn short(fingerprint: &str) -> String {
    match (fingerprint.get(..5), fingerprint.len().checked_sub(5).and_then(|from| fingerprint.get(from..))) {
        (Some(first), Some(last)) => format!("{first}[...]{last}"),
        _ => fingerprint.to_owned(),
    }
}

/// Adds a certificate.
pub async fn add(cx: &Context, name: &str, certificate: &Path, key: &Path) -> Result {
    let api = cx.api()?;
    let order = "give the certificate first, then the key: `slipway certs:add NAME CERTIFICATE KEY`";
    let (chain, key) = (read_public(certificate, order)?, SecretString::from(read(key)?));
    let progress = cx.progress("Adding SSL endpoint...")?;
    let body = json!({"name": name, "certificate": chain, "key": key.expose_secret()});
    let answer = api.post("/v2/certs/", &body).await?;
    progress.done("done")?;
    cx.show(&answer, || Ok(()))
}

/// What a file of certificates holds. A private key is never sent in a field that is not kept secret; `hint` says where it
/// is to be given instead.
pub fn read_public(file: &Path, hint: &str) -> Result<String> {
    let text = read(file)?;
    if text.contains("PRIVATE KEY") {
        let upstreams = program::current().is_upstream().then(|| "Could not load certificate".to_owned());
        let text = upstreams.unwrap_or_else(|| format!("{} holds a private key", file.display()));
        return Err(Error::new(text).hint(hint));
    }
    Ok(text)
}

/// What a PEM file holds.
pub fn read(file: &Path) -> Result<String> {
    let cannot = |error: std::io::Error| Error::unreadable(file, &error);
    let size = fs::metadata(file).map_err(cannot)?.len();
    let not_pem = || {
        Error::new(format!("{} is not in PEM form", file.display()))
            .hint("a PEM file is text that begins with -----BEGIN; `openssl x509 -inform der -in FILE` makes one of a DER file")
    };
    if size > FILE_MAX_BYTES {
        return Err(not_pem());
    }
    let text = String::from_utf8(fs::read(file).map_err(cannot)?).map_err(|_| not_pem())?;
    if text.contains("-----BEGIN ") { Ok(text) } else { Err(not_pem()) }
}

/// Shows a certificate.
pub async fn info(cx: &Context, name: &str) -> Result {
    let answer = cx.api()?.get(&path(name)).await.map_err(|error| error.hint(LIST_HINT))?;
    cx.show(&answer, || {
        let cert: Cert = answer.json()?;
        let or_none = |text: String, none: &str| if text.is_empty() { none.to_owned() } else { text };
        print::line(format_args!("=== {} Certificate", cert.name))?;
        let of_certificate = [
            ("Common Name(s):", cert.common_name.unwrap_or_default()),
            ("Expires At:", date(cert.expires)),
            ("Starts At:", date(cert.starts)),
            ("Fingerprint:", cert.fingerprint),
            ("Subject Alt Name:", or_none(cert.san.join(","), "N/A")),
            ("Issuer:", cert.issuer),
            ("Subject:", cert.subject),
        ];
        let of_platform = [
            ("Connected Domains:", or_none(cert.domains.join(","), "No connected domains")),
            ("Owner:", cert.owner),
            ("Created:", date(cert.created)),
            ("Updated:", date(cert.updated)),
        ];
        let show = |(name, value): &(&str, String)| print::line(format!("{name:19} {value}").trim_end());
        of_certificate.iter().try_for_each(show)?;
        print::line("")?;
        of_platform.iter().try_for_each(show)
    })
}

/// A time as it is, for upstream's client only its day.
fn date(time: String) -> String {
    if program::current().is_upstream() { cert_date::day(&time) } else { time }
}

/// Removes a certificate.
pub async fn remove(cx: &Context, name: &str) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(&format!("Removing {name}..."))?;
    api.delete(&path(name)).await.map_err(|error| error.hint(LIST_HINT))?;
    progress.done("done")
}

/// Has a certificate served for a domain.
pub async fn attach(cx: &Context, name: &str, domain: &str) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(&format!("Attaching certificate {name} to domain {domain}..."))?;
    api.post(&format!("{}/domain/", path(name)), &json!({"domain": domain})).await?;
    progress.done("done")
}

/// Stops to have a certificate served for a domain.
pub async fn detach(cx: &Context, name: &str, domain: &str) -> Result {
    let api = cx.api()?;
    let progress = cx.progress(&format!("Detaching certificate {name} from domain {domain}..."))?;
    api.delete(&format!("{}/domain/{}", path(name), segment(domain))).await?;
    progress.done("done")
}
