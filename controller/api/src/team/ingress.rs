//! How the older generation says where requests to a container come in: `ingress` in place of `routing`, with the host's
//! name in two parts, and neither a path nor its stripping. Source: `team-api.md` §4.4 and §5.

use serde_json::{Map, Value, json};
use slipway_team::container::part::Routing;

/// Networks of a container engine that the newer generation does not know; it has them as a bridge.
const BRIDGES: [&str; 3] = ["overlay", "ipvlan", "macvlan"];

/// Puts `ingress` in place of `routing`.
pub(super) fn to_wire(members: &mut Map<String, Value>, routing: Option<&Routing>) {
    members.remove("routing");
    let ingress = routing.filter(|routing| routing.domain.is_some() || routing.upload_limit.is_some()).map(|routing| {
        let domain = routing.domain.as_deref().unwrap_or_default();
        let (name, host) = domain.split_once('.').unwrap_or(("", domain));
        json!({"name": name, "host": host, "uploadLimit": routing.upload_limit})
    });
    members.insert("ingress".to_owned(), ingress.unwrap_or_default());
}

/// Takes `ingress` for `routing` in a patch. What `ingress` cannot say stays as `old` has it.
pub(super) fn from_wire(members: &mut Map<String, Value>, old: Option<&Routing>) {
    members.remove("routing");
    if members.get("networkMode").and_then(Value::as_str).is_some_and(|mode| BRIDGES.contains(&mode)) {
        members.insert("networkMode".to_owned(), json!("bridge"));
    }
    let Some(ingress) = members.remove("ingress") else { return };
    let routing = match ingress {
        Value::Object(ingress) => {
            let part = |name: &str| ingress.get(name).and_then(Value::as_str).filter(|part| !part.is_empty());
            let parts: Vec<&str> = [part("name"), part("host")].into_iter().flatten().collect();
            let domain = (!parts.is_empty()).then(|| parts.join("."));
            json!({
                "domain": domain,
                "uploadLimit": ingress.get("uploadLimit"),
                "path": old.and_then(|old| old.path.as_deref()),
                "stripPath": old.and_then(|old| old.strip_path),
            })
        }
        // Nothing clears it; what is of another kind is refused as such.
        other => other,
    };
    members.insert("routing".to_owned(), routing);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn hosts_are_taken_apart_and_put_together() {
        for (domain, name, host) in
            [("shop.example.com", "shop", "example.com"), ("localhost", "", "localhost"), ("a.b", "a", "b")]
        {
            let routing =
                Routing { domain: Some(domain.to_owned()), path: Some("/x".to_owned()), ..Routing::default() };
            let mut members = map(json!({"routing": {"domain": domain}, "tty": true}));
            to_wire(&mut members, Some(&routing));
            let ingress = json!({"name": name, "host": host, "uploadLimit": null});
            assert_eq!(members, map(json!({"ingress": ingress, "tty": true})));
            from_wire(&mut members, Some(&routing));
            let expect = json!({"domain": domain, "path": "/x", "stripPath": null, "uploadLimit": null});
            assert_eq!(members, map(json!({"routing": expect, "tty": true})));
        }
        let mut members = map(json!({"routing": null}));
        to_wire(&mut members, None);
        assert_eq!(members, map(json!({"ingress": null})));
        to_wire(&mut members, Some(&Routing { path: Some("/x".to_owned()), ..Routing::default() }));
        assert_eq!(members["ingress"], Value::Null);
    }

    #[test]
    fn a_patch_is_told_in_the_newer_words() {
        let mut members = map(json!({"routing": {"domain": "x"}, "networkMode": "macvlan"}));
        from_wire(&mut members, None);
        assert_eq!(members, map(json!({"networkMode": "bridge"})));
        let mut members = map(json!({"ingress": null, "networkMode": "host"}));
        from_wire(&mut members, None);
        assert_eq!(members, map(json!({"routing": null, "networkMode": "host"})));
    }
}
