//! What config values, `app.json` and the machine change about a build.

use std::fs;

use slipway_builder::build::ToolEnv;
use slipway_builder::{BuildError, SourceBuilder};

use crate::lab::{Lab, SHA, script};

#[tokio::test(flavor = "multi_thread")]
async fn classic_buildpacks_get_their_three_directories() {
    let compile = r#"
echo "-----> Compiling"
cat "$3/GREETING" >"$1/greeting"
echo "environment: ${GREETING:-none} $SOURCE_VERSION $STACK"
echo "cached: $(cat "$2/count" 2>/dev/null)"
echo once >"$2/count"
stat -c "%a" "$3/GREETING"
"#;
    let lab = Lab::with_pack(compile, |_| {});
    let env = [("BUILDPACK_URL", "test"), ("GREETING", "s3cret-value")];
    let (built, log) = lab.built(lab.source(&[("a", "")]), &env).await;
    assert!(log.contains("-----> Test app detected\n-----> Compiling\n"), "{log}");
    assert!(log.contains(&format!("environment: none {SHA} heroku-24\n")), "{log}");
    assert!(log.contains("cached: \n") && log.contains("\n600\n"), "{log}");
    assert!(!log.contains("s3cret"), "values are not in the log: {log}");
    assert_eq!(fs::read_to_string(lab.tree(&built).join("greeting")).unwrap(), "s3cret-value");
    assert_eq!(built.procfile["web"], "./serve");
    let (_, log) = lab.built(lab.source(&[("a", "")]), &env).await;
    assert!(log.contains("cached: once\n"), "{log}");

    // Without a cache nothing comes back.
    for name in ["SLIPWAY_DISABLE_CACHE", "DEIS_DISABLE_CACHE"] {
        let (_, log) = lab.built(lab.source(&[("a", "")]), &[env[0], env[1], (name, "")]).await;
        assert!(log.contains("cached: \n"), "{name}: {log}");
    }
    lab.built(lab.source(&[("a", "")]), &env).await;
    lab.builder.forget(lab.app).await;
    assert!(!lab.cache().exists());
    lab.builder.forget(lab.app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_procfile_wins_over_the_buildpack() {
    let lab = Lab::with_pack("true", |_| {});
    let source =
        lab.source(&[("Procfile", "web: mine\nworker: w\n"), ("app.json", r#"{"buildpacks":[{"url":"test"}]}"#)]);
    let (built, log) = lab.built(source, &[]).await;
    assert_eq!(built.procfile["web"], "mine");
    assert!(log.contains("Procfile declares types     -> web, worker"), "{log}");
    assert!(!log.contains("Default types"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn buildpacks_that_do_not_fit_are_told() {
    let lab = Lab::with_pack("exit 9", |_| {});
    let (text, _) = lab.failed(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]).await;
    assert_eq!(text, "bin/compile of the buildpack failed (exit code 9); see its output above");
    let (text, _) = lab.failed(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "heroku/go")]).await;
    assert_eq!(text, "the Go buildpack does not recognise the source: it looks for go.mod");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_needs_an_engine() {
    let lab = Lab::with(|config| config.tools = ToolEnv::from_vars([("PATH".into(), "/nonexistent".into())]));
    let (result, log) = lab.build(lab.source(&[("Dockerfile", "FROM scratch\n")]), &[]).await;
    let Err(BuildError::Unavailable(text)) = result else { panic!("{result:?}") };
    assert!(log.contains("-----> Dockerfile detected"), "{log}");
    for part in ["buildah", "podman", "docker", "apt-get install", "Procfile", "SLIPWAY_STACK=buildpack"] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    let source = lab.source(&[("Dockerfile", "FROM scratch\n"), ("Procfile", "web: x\n")]);
    let (built, _) = lab.built(source, &[("DRYCC_STACK", "buildpack")]).await;
    assert_eq!(built.stack, "buildpack");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_is_built_by_the_engine_that_works() {
    let bin = tempfile::tempdir().unwrap();
    script(&bin.path().join("podman"), "#!/bin/sh\nexit 125\n");
    script(&bin.path().join("docker"), "#!/bin/sh\necho \"$@\" [$SECRET]\n");
    let path = format!("{}:/usr/bin:/bin", bin.path().display());
    // Real engines may be there as well; the first name that is looked for is buildah.
    script(&bin.path().join("buildah"), "#!/bin/sh\nexit 1\n");
    let lab = Lab::with(|config| config.tools = ToolEnv::from_vars([("PATH".into(), path.into())]));
    let files = [("Dockerfile", "FROM scratch\n"), ("Procfile", "web: x\n")];
    let env = [("SECRET", "hidden"), ("DEIS_DOCKER_BUILD_ARGS_ENABLED", "1"), ("DOCKER_HOST", "tcp://evil")];
    let (built, log) = lab.built(lab.source(&files), &env).await;
    assert_eq!(built.image, "slipway/shop:git-01234567");
    assert_eq!((built.stack.as_str(), built.dockerfile.as_str()), ("container", "true"));
    assert_eq!(built.procfile["web"], "x");
    assert!(log.contains("       build --tag slipway/shop:git-01234567 --file Dockerfile --build-arg DEIS_"), "{log}");
    assert!(log.contains("--build-arg SECRET . [hidden]"), "the value is in the environment only: {log}");
}
