use super::*;
use crate::container::{DeploymentStrategy, Expose, RestartPolicy};

fn parse(id: &str, file: &Value) -> Result<Template, TemplateError> {
    Template::parse(id, &file.to_string())
}

fn file(config: &Value) -> Value {
    json!({
        "name": "Own", "technologies": ["a"],
        "registries": [{"name": "hub", "type": "hub", "details": {"imageNamePrefix": "library"}}],
        "images": [{"name": "web", "registryName": "hub", "image": "nginx", "tag": "1.29", "config": config}],
    })
}

#[test]
fn the_platforms_own_are_right_and_have_pictures() {
    let all = Templates::built_in().unwrap();
    assert!(all.iter().count() >= 8);
    for template in all.iter() {
        let picture = template.picture.as_ref().unwrap_or_else(|| panic!("{} has no picture", template.id));
        assert!(picture.ends_with(&[0xff, 0xd9]) && picture.len() > 1000, "{}", template.id);
        assert!(template.description.is_some() && !template.technologies.is_empty(), "{}", template.id);
        for image in &template.images {
            assert!(image.tag.as_deref().is_some_and(|tag| tag != "latest"), "{}: a tag that stays", template.id);
            assert!(image.config.ports.as_ref().is_some_and(|ports| !ports.is_empty()), "{}", template.id);
        }
        let is_reached = |image: &TemplateImage| image.config.expose != Expose::None || image.config.use_load_balancer;
        assert!(template.images.iter().any(is_reached), "nobody could reach {}", template.id);
    }
    let wordpress = all.find("wordpress").unwrap();
    assert_eq!(wordpress.images.len(), 2);
    for image in &wordpress.images {
        assert_eq!(image.config.volumes.as_ref().unwrap().len(), 1);
        assert!(image.config.secrets.as_ref().unwrap()[0].required);
    }
    assert!(all.find("none").is_none());
}

#[test]
fn files_of_the_platform_are_all_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let stems: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let listed: BTreeSet<String> = BUILT_IN.iter().map(|(id, _, _)| (*id).to_owned()).collect();
    assert_eq!(stems, listed);
}

#[test]
fn short_forms_are_understood() {
    let template = parse("own", &file(&json!({
        "environment": [{"key": "N", "value": 3}, {"key": "B", "value": true}, {"key": "T", "value": "x"}],
        "networks": ["net"], "args": ["--a"], "restartPolicy": "unless-stopped", "deploymentStrategy": "rolling",
        "volumes": [{"name": "data", "path": "/data", "type": "rwx"}],
        "initContainers": [{"name": "init", "image": "busybox", "command": ["true"], "environment": [{"key": "A", "value": 1}]}],
        "labels": {"service": [{"key": "a", "value": 1}]},
        "logConfig": {"driver": "json-file", "options": [{"key": "max-file", "value": 3}]},
    })))
    .unwrap();
    let config = &template.images[0].config;
    let pairs: Vec<_> =
        config.environment.iter().flatten().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
    assert_eq!(pairs, [("N", "3"), ("B", "true"), ("T", "x")]);
    assert_eq!(config.restart_policy, RestartPolicy::UnlessStopped);
    assert_eq!(config.deployment_strategy, DeploymentStrategy::Rolling);
    assert_eq!(config.networks.as_ref().unwrap()[0].key, "net");
    assert!(!config.networks.as_ref().unwrap()[0].id.is_empty());
    let init = &config.init_containers.as_ref().unwrap()[0];
    assert_eq!(init.command.as_ref().unwrap()[0].key, "true");
    assert_eq!(init.environment.as_ref().unwrap()[0].value, "1");
    assert_eq!(config.labels.as_ref().unwrap().service.as_ref().unwrap()[0].value, "1");
    assert_eq!(config.log_config.as_ref().unwrap().options[0].value, "3");
    assert_eq!((template.images[0].name.as_str(), template.images[0].tag.as_deref()), ("nginx", Some("1.29")));
    for (word, expect) in [("on-failure", RestartPolicy::OnFailure), ("onFailure", RestartPolicy::OnFailure)] {
        let template = parse("own", &file(&json!({ "restartPolicy": word }))).unwrap();
        assert_eq!(template.images[0].config.restart_policy, expect, "{word}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let check = |file: &Value, expect: &str| {
        let error = parse("own", file).unwrap_err().to_string();
        assert!(error.contains("own") && error.contains(expect), "{error}");
    };
    check(&file(&json!({"expose": "expose"})), "needs a port");
    check(&file(&json!({"restartPolicy": "sometimes"})), "restartPolicy");
    check(&file(&json!({"enviroment": []})), "enviroment");
    check(&file(&json!({"volumes": [{"name": "a", "path": "relative"}]})), "must begin with /");
    for (at, value, expect) in [
        ("/name", json!(""), "name"),
        ("/images", json!([]), "images"),
        ("/images/0/name", json!("Not A Label"), "name"),
        ("/images/0/registryName", json!("none"), "registry"),
        ("/images/0/image", json!("Nginx"), "image"),
        ("/registries/0/type", json!("none"), "kind"),
        ("/registries/0/details", json!({"token": "x"}), "token"),
        ("/more", json!(1), "more"),
    ] {
        let mut bad = file(&json!({}));
        match bad.pointer_mut(at) {
            Some(place) => *place = value,
            None => bad[at.trim_start_matches('/')] = value,
        }
        check(&bad, expect);
    }
    let good = parse("own", &file(&json!({}))).unwrap();
    for picture in [&b"\x89PNG"[..], b"", b"\xff\xd8"] {
        assert!(good.clone().with_picture(picture).is_err());
    }
    let large = vec![0xff; PICTURE_MAX + 1];
    assert!(good.clone().with_picture(large).is_err());
    assert!(good.with_picture(&[0xff, 0xd8, 0xff, 0xe0][..]).is_ok());
}

#[test]
fn identities_lead_nowhere() {
    for good in ["a", "uptime-kuma", "cal.com", "A_1"] {
        assert!(is_template_id(good), "{good}");
    }
    for bad in ["", ".", "..", ".a", "a/b", "../a", "a..b", "a\\b", "a\0", "ä", &"a".repeat(65)] {
        assert!(!is_template_id(bad), "{bad:?}");
    }
}
