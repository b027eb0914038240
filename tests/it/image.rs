//! Image deploys: `slipway pull` and what comes after, with a registry in this process and this machine's runtime.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::json;
use slipway_image::testing::{TestRegistry, layer};
use slipway_tests::{Platform, Repo, eventually};

/// An image that serves `text` on its port, and exits on SIGTERM.
pub fn image(registry: &TestRegistry, tag: &str, text: &str) -> String {
    let program = ["/usr/bin/busybox", "/bin/busybox"].iter().find_map(|path| std::fs::read(path).ok());
    let Some(program) = program else { panic!("busybox is missing: install the package busybox-static") };
    let serve = "#!/bin/busybox sh\ntrap 'exit 0' TERM\nbusybox httpd -f -p 127.0.0.1:$PORT -h /srv & wait $!\n";
    let layers = [
        layer(&[("bin/busybox", 0o755, &program), ("serve", 0o755, serve.as_bytes())]),
        layer(&[("srv/index.html", 0o644, text.as_bytes())]),
        link("bin/sh", "busybox"),
    ];
    registry.image("team/site", tag, &layers, &json!({"Entrypoint": ["/serve"], "Env": ["FROM=image"]}));
    format!("{}/team/site:{tag}", registry.host())
}

fn link(name: &str, target: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, name, target).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn an_image_is_pulled_scaled_configured_and_rolled_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(TestRegistry::start());
    let mut platform = Platform::start_with(&[], &[("SLIPWAY_ALLOW_PRIVATE_ADDRESSES", "1")]);
    let user = platform.user("ada");
    user.cli(&["create", "site", "--no-remote"]).ok();
    let first = image(&registry, "v1", "first");
    user.cli(&["pull", &first, "-a", "site"]).ok();
    platform.answers("site", "first");
    user.cli(&["ps:list", "-a", "site"]).ok().says("site-cmd-v2-").says("up (v2)");
    user.cli(&["run", "-a", "site", "--", "echo $FROM $DRYCC_APP; exit 3"]).says("image site");
    user.cli(&["releases", "-a", "site"]).ok().says(&format!("ada deployed {first}"));

    // The tag moves on; the build does not, in whatever release it is and whatever happens to the platform.
    image(&registry, "v1", "moved");
    user.cli(&["config:set", "-a", "site", "A=1"]).ok();
    platform.answers("site", "first");
    platform.kill();
    platform.launch();
    platform.answers("site", "first");
    user.cli(&["pull", &first, "-a", "site"]).ok();
    platform.answers("site", "moved");
    user.cli(&["releases:rollback", "v3", "-a", "site"]).ok();
    eventually("the rollback serves", Duration::from_mins(3), || {
        platform.get("site", "/").body.contains("first").then_some(())
    });

    registry.protect("bob", "geheim");
    let second = image(&registry, "v2", "second");
    let refused = user.cli(&["pull", &second, "-a", "site"]).fails().says("credentials").never_says("geheim");
    assert!(refused.code != 0);
    platform.answers("site", "first");
    // Upstream wants it said for private registries; on one machine each process gets a port of its own all the same.
    user.cli(&["config:set", "-a", "site", "PORT=8080"]).ok();
    user.cli(&["registry:set", "-a", "site", "username=bob", "password=geheim"]).ok();
    user.cli(&["pull", &second, "-a", "site"]).ok();
    platform.answers("site", "second");
    assert!(!platform.log().contains("geheim"));

    user.cli(&["pull", "Not/An Image", "-a", "site"]).fails();
    user.cli(&["destroy", "-a", "site", "--confirm=site"]).ok();
    let containers = platform.data().join("engine/containers");
    eventually("no container is left", Duration::from_mins(3), || {
        (std::fs::read_dir(&containers).unwrap().count() == 0).then_some(())
    });
}

#[test]
fn private_registries_are_refused_unless_allowed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(TestRegistry::start());
    let image = image(&registry, "v1", "first");
    let platform = Platform::start();
    let user = platform.user("ada");
    user.cli(&["create", "site", "--no-remote"]).ok();
    user.cli(&["pull", &image, "-a", "site"]).fails().says("SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1");
    assert!(registry.asked().is_empty());
}

#[test]
fn a_dockerfile_is_built_and_run() {
    let platform = Platform::start();
    let user = platform.user("ada");
    let dockerfile = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY serve /serve\nCOPY site /srv\nCMD [\"/serve\"]\n";
    let serve = "#!/bin/busybox sh\ntrap 'exit 0' TERM\nbusybox httpd -f -p 127.0.0.1:$PORT -h /srv & wait $!\n";
    let repo = Repo::with(&[("Dockerfile", dockerfile), ("serve", serve), ("site/index.html", "from a Dockerfile")]);
    let program = ["/usr/bin/busybox", "/bin/busybox"].iter().find(|path| std::path::Path::new(path).exists());
    let Some(program) = program else { panic!("busybox is missing: install the package busybox-static") };
    std::fs::copy(program, repo.file("busybox")).unwrap();
    std::fs::set_permissions(repo.file("serve"), std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.commit("The program");
    user.deploy(&repo, "boxed").says("Dockerfile detected").says("Done, boxed:v2");
    platform.answers("boxed", "from a Dockerfile");
    user.slipway(repo.path(), &["ps:list"]).ok().says("boxed-cmd-v2-");

    repo.change("site/index.html", "a second one");
    user.push(&repo).ok().says("boxed:v3");
    platform.answers("boxed", "a second one");
    user.slipway(repo.path(), &["releases:rollback"]).ok();
    platform.answers("boxed", "from a Dockerfile");
}
