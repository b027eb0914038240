use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use secrecy::SecretString;

use super::*;
use crate::cluster::settings::{DockerfileSettings, JobLimits, RegistrySettings};
use crate::cluster::task::{From, ImageTask, TaskLimits};
use crate::export::registry::Credentials;

const BUILD: &str = "0193a6b2-7c00-7000-8000-00000000abcd";

fn config() -> ClusterBuildConfig {
    ClusterBuildConfig {
        data: "/data".into(),
        namespace: "slipway-builds".to_owned(),
        stack: "r.example.org/slipway/stack:1".to_owned(),
        run: None,
        registry: RegistrySettings {
            host: "r.example.org".to_owned(),
            push_host: "registry.local:5000".to_owned(),
            prefix: "apps".to_owned(),
            is_insecure: false,
            credentials: Credentials::one("registry.local:5000", "bob", "registry-password"),
        },
        listen: "0.0.0.0:8001".parse().unwrap(),
        url: "http://slipway-source.slipway.svc".parse().unwrap(),
        limits: JobLimits::default(),
        concurrency: 8,
        dockerfile: DockerfileSettings::published(DockerfileEngine::Buildah),
        buildpacks: None,
        env: BTreeMap::from([("HTTPS_PROXY".to_owned(), "http://proxy:3128".to_owned())]),
        authorities: None,
        node_selector: BTreeMap::from([("pool".to_owned(), "builds".to_owned())]),
    }
}

/// Job and Secret of a build.
fn render(kind: &Kind, config: &ClusterBuildConfig) -> (Value, Value) {
    let task = Task {
        build: BUILD.parse().unwrap(),
        app: "0193a6b2-7c00-7000-8000-000000000001".to_owned(),
        name: "shop".to_owned(),
        sha: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        url: config.url.clone(),
        image: ImageTask {
            repository: "registry.local:5000/apps/shop".to_owned(),
            tag: "git-01234567".to_owned(),
            base: "registry.local:5000/slipway/stack:1".to_owned(),
            insecure: Vec::new(),
            from: From::Slug,
        },
        limits: TaskLimits {
            time_secs: 1,
            memory_bytes: 2,
            disk_bytes: 3,
            slug_bytes: 4,
            cache_bytes: 5,
            output_bytes: 6,
        },
    };
    let name = AppName::new("shop").unwrap();
    let job = BuildJob {
        build: task.build,
        builder: "0193a6b2-7c00-7000-8000-000000000002",
        app: task.app.parse().unwrap(),
        name: &name,
        sha: &task.sha,
        kind,
        task: &task,
    };
    let token = |text: &str| SecretString::from(text);
    let tokens = Tokens { fetch: token("fetch-1"), report: token("report-1"), steps: token("steps-1") };
    let env = BTreeMap::from([("GREETING".to_owned(), SecretText::new("a secret greeting"))]);
    let owner = OwnerReference { kind: "Job".to_owned(), name: job.object_name(), ..OwnerReference::default() };
    let secret = job.secret(config, &owner, &tokens, &env).unwrap();
    (serde_json::to_value(job.job(config).unwrap()).unwrap(), serde_json::to_value(secret).unwrap())
}

#[test]
fn jobs_are_rendered() {
    let native = Kind::Native {
        settings: NativeSettings { builder: "paketo/builder:1".to_owned(), user: 1001, group: 1000, run: None },
        previous: Some("registry.local:5000/apps/shop@sha256:1".to_owned()),
    };
    let buildkit =
        ClusterBuildConfig { dockerfile: DockerfileSettings::published(DockerfileEngine::Buildkit), ..config() };
    let arguments = vec!["GREETING".to_owned()];
    let mut whole = config();
    whole.dockerfile.storage = DockerfileStorage::Vfs;
    assert_eq!([whole.step_cache_host(), buildkit.step_cache_host()], [None, None]);
    let steps = config().step_cache_host();
    assert_eq!(steps.as_deref(), Some("slipway-source.slipway.svc"));
    for (name, kind, config) in [
        ("slug", Kind::Slug, config()),
        ("buildah", Kind::Dockerfile { arguments: arguments.clone(), steps: None }, whole),
        ("buildah_layers", Kind::Dockerfile { arguments: arguments.clone(), steps }, config()),
        ("buildkit", Kind::Dockerfile { arguments, steps: None }, buildkit),
        ("native", native, config()),
    ] {
        let (job, secret) = render(&kind, &config);
        insta::assert_json_snapshot!(format!("{name}_job"), job);
        insta::assert_json_snapshot!(format!("{name}_secret"), secret);
        // Anybody who may read Jobs reads this.
        let text = job.to_string();
        for hidden in ["fetch-1", "report-1", "steps-1", "a secret greeting", "registry-password"] {
            assert!(!text.contains(hidden), "{name}: {hidden}");
        }
    }
}

#[test]
fn authorities_go_with_every_step_that_speaks_with_others() {
    let ours = crate::authorities::tests::certificate("ours").0;
    let config = ClusterBuildConfig { authorities: Some(crate::Authorities::parse(&ours).unwrap()), ..config() };
    let settings = NativeSettings { builder: "b:1".to_owned(), user: 1001, group: 1000, run: None };
    let native = Kind::Native { settings, previous: None };
    for kind in [Kind::Slug, Kind::Dockerfile { arguments: Vec::new(), steps: None }, native] {
        let (job, secret) = render(&kind, &config);
        assert_eq!(secret["stringData"]["authorities.crt"], ours);
        let pod = &job["spec"]["template"]["spec"];
        assert!(pod["volumes"].as_array().unwrap().iter().any(|volume| volume["name"] == "authorities"));
        let steps = pod["initContainers"].as_array().unwrap().iter().chain(pod["containers"].as_array().unwrap());
        for step in steps {
            let text = step.to_string();
            assert!(text.contains("/secrets/authorities"), "{text}");
            let is_foreign = !step["command"].to_string().contains("slipway-builder");
            assert_eq!(text.contains("/etc/ssl/certs:/secrets/authorities"), is_foreign, "{text}");
        }
    }
}

#[test]
fn the_step_that_runs_the_apps_code_has_no_credentials() {
    let dockerfile = |steps: Option<&str>| Kind::Dockerfile { arguments: Vec::new(), steps: steps.map(str::to_owned) };
    for kind in [Kind::Slug, dockerfile(None), dockerfile(Some("builder:8093"))] {
        let (job, secret) = render(&kind, &config());
        // What earlier builds kept is behind a token of this build, at the builder.
        let steps = secret["stringData"]["steps.json"].as_str().unwrap_or_default();
        assert!(
            !steps.contains("registry.local")
                && steps.contains("builder:8093") == (kind == dockerfile(Some("builder:8093")))
        );
        for step in job["spec"]["template"]["spec"]["initContainers"].as_array().unwrap() {
            let text = step.to_string();
            assert!(!text.contains("report-token") && !text.contains("/secrets/registry"), "{text}");
        }
    }
}

#[test]
fn the_lifecycle_is_told_of_plain_http_and_of_another_run_image() {
    let settings = NativeSettings { builder: "b:1".to_owned(), user: 1000, group: 1000, run: Some("run:1".to_owned()) };
    let kind = Kind::Native { settings, previous: None };
    let (job, _) = render(&kind, &config());
    let command = job["spec"]["template"]["spec"]["initContainers"][1]["command"].to_string();
    // The name that Jobs use is in their task.
    assert!(command.contains("\"-run-image=registry.local:5000/slipway/stack:1\""), "{command}");
    assert!(!command.contains("-previous-image") && !command.contains("-insecure-registry"), "{command}");
}

#[test]
fn names_fit_and_requests_stay_below_limits() {
    let mut config = config();
    config.limits.memory_bytes = 1 << 20;
    let (job, _) = render(&Kind::Slug, &config);
    assert!(job["metadata"]["name"].as_str().unwrap().len() <= 63);
    let resources = &job["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(resources["requests"]["memory"], resources["limits"]["memory"]);
}
