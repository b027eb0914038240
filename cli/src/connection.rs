//! What it means that there is no connection, or that what answers is no controller, and how to mend it. Libraries tell it
//! in texts only, each system's in its own.

use slipway_cause::chain;
use slipway_client::{ClientError, StatusCode};
use url::Url;

use crate::error::Error;
use crate::{program, settings};

/// Why there is no connection to `url`.
pub fn failed(url: &str, error: &ClientError) -> Error {
    let text = chain(error);
    if let Some(error) = from_tls(url, &text) {
        return error;
    }
    let cause = last_cause(error);
    let says = |parts: &[&str]| parts.iter().any(|part| text.to_ascii_lowercase().contains(part));
    let advice = if says(&["dns error"]) {
        "look for a mistake in the address, and whether this machine is on the network"
    } else if says(&["timed out", "deadline has elapsed"]) {
        "check the address and the port; a firewall in between may let nothing through"
    } else if says(&["proxy authorization required"]) {
        "the proxy wants a name and a password, which go into its address: http://NAME:PASSWORD@HOST:PORT"
    } else {
        "check the address and that the controller runs; `slipway up` starts one on this machine, `slipway login URL` changes the address"
    };
    let proxy = proxy_of(url).map(|proxy| format!("; {proxy}")).unwrap_or_default();
    Error::new(format!("cannot connect to {url}: {cause}")).hint(format!("{advice}{proxy}"))
}

/// That what answers at `url` is no controller, with what it did instead. Source of the text: drycc-v2.md §1.8.
pub fn no_controller(url: &str, answer: Option<&ClientError>) -> Error {
    let advice = match answer {
        Some(ClientError::Api(api)) if api.status.is_redirection() => {
            match api.headers.get("location").and_then(|to| to.to_str().ok()) {
                Some(to) => format!("it redirects to {to}; the controller's address may begin like that"),
                None => "it redirects to another address".to_owned(),
            }
        }
        Some(ClientError::Api(api)) if api.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "the proxy wants a name and a password, which go into its address: http://NAME:PASSWORD@HOST:PORT"
                .to_owned()
        }
        Some(ClientError::Api(api)) if api.status.is_server_error() => {
            format!("it answered {}; if the address is right, try again when the controller runs", api.status)
        }
        Some(ClientError::Transport { source, .. }) if source.is_request() && !url.starts_with("https://") => {
            // Whatever hangs up on plain HTTP wants TLS.
            "check the address; it may begin with https:// instead".to_owned()
        }
        Some(ClientError::Transport { .. } | ClientError::TooLong { .. }) => {
            "check the address and the port; what answers there is something else".to_owned()
        }
        Some(_) | None => "check the address; it is the one that `slipway up` prints after `api`".to_owned(),
    };
    let program = program::current();
    let mut text = format!("{url} does not appear to be a valid {} controller.", program.title());
    if program.is_upstream() {
        text += "\nMake sure that the Controller URI is correct, the server is running and\nyour ";
        text += program.name();
        text += " version is correct.";
    }
    Error::new(text).hint(advice)
}

/// The innermost cause: what the layers around it say is that there is no connection.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// That an address may be reached through a proxy, which may be what is wrong.
fn proxy_of(url: &str) -> Option<String> {
    let host = Url::parse(url).ok()?.host_str()?.to_owned();
    let is_local = host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]";
    let (variable, proxy) = settings::proxy(url.starts_with("https://")).filter(|_| !is_local)?;
    Some(format!("{variable} names the proxy {proxy}: check that, or name {host} in NO_PROXY"))
}

/// What a failure to connect means when it is about TLS.
fn from_tls(url: &str, text: &str) -> Option<Error> {
    let lower = text.to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if !url.starts_with("https://") {
        return None;
    }
    // The numbers are Windows' (winerror.h), which says the rest in the user's language.
    let (text, hint) = if says(&["has expired", "certificate expired", "certificate is expired", "-2146762495"]) {
        (
            format!("the certificate of {url} has expired"),
            "who runs the controller must renew it; look at this machine's clock, too",
        )
    } else if says(&["not yet valid"]) {
        (format!("the certificate of {url} is not valid yet"), "this machine's clock may be slow")
    } else if says(&["hostname mismatch", "ip address mismatch", "name does not match", "-2146762481"]) {
        (
            format!("the certificate of {url} is for another name"),
            "use the name that the certificate is for; who runs the controller knows it",
        )
    } else if says(&[
        "self-signed",
        "self signed",
        "local issuer",
        "untrusted",
        "not trusted",
        "unable to verify",
        "-2146762487",
        "-2146762486",
    ]) {
        (
            format!("the certificate of {url} is of nobody that this machine trusts"),
            "set SSL_CERT_FILE to the file of its authority's certificate (PEM), or log in with --ssl-verify=false",
        )
    } else if says(&["wrong version number", "packet length too long", "record layer", "unexpected message"]) {
        (format!("{url} does not speak TLS"), "the address may begin with http:// instead")
    } else {
        return None;
    };
    Some(Error::new(text).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        from_tls("https://a", text).map(|error| match error {
            Error::Failed { text, .. } => text,
            Error::Exit(_) | Error::BrokenPipe => String::new(),
        })
    }

    #[test]
    fn certificates_are_told_apart_in_the_words_of_each_system() {
        for (text, want) in [
            ("certificate verify failed:ssl_client.c (certificate has expired)", "has expired"),
            ("The certificate is not valid. (os error -2146762495)", "has expired"),
            ("“a” certificate is expired", "has expired"),
            ("certificate is not yet valid", "is not valid yet"),
            ("(Hostname mismatch)", "is for another name"),
            ("Der CN-Name stimmt nicht überein. (os error -2146762481)", "is for another name"),
            ("“a” certificate name does not match input", "is for another name"),
            ("(self-signed certificate)", "is of nobody that this machine trusts"),
            ("(unable to get local issuer certificate)", "is of nobody that this machine trusts"),
            ("Zertifikatkette. (os error -2146762487)", "is of nobody that this machine trusts"),
            ("“a” certificate is not trusted", "is of nobody that this machine trusts"),
        ] {
            assert_eq!(said(text), Some(format!("the certificate of https://a {want}")), "{text}");
        }
        assert_eq!(said("Connection refused"), None);
    }
}
