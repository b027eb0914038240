//! Trees and settings that were made to do harm, or by mistake.

use std::fs;
use std::os::unix::fs::symlink;

use slipway_builder::BuildError;

use crate::lab::Lab;

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_recognises_is_told() {
    let lab = Lab::new();
    let (text, _) = lab.failed(lab.source(&[("README", "")]), &[]).await;
    for part in ["No buildpack recognises", "requirements.txt", "package.json", "go.mod", "Procfile", "Dockerfile"] {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    let (text, _) = lab.failed(lab.source(&[("requirements.txt", "")]), &[]).await;
    assert!(text.contains("there is nothing to run") && text.contains("web: gunicorn app:app"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_procfiles_name_the_line() {
    let lab = Lab::new();
    let many = (0..10_000).map(|n| format!("t{n}: x")).collect::<Vec<_>>().join("\n");
    for (procfile, expect) in [
        ("web exec x\n", "Procfile, line 1: expected 'type: command'"),
        ("web: a\r\nweb: b\r\n", "Procfile, line 2: 'web' is there twice"),
        ("a: b\0", "Procfile, line 1: "),
        (many.as_str(), "more than 100 process types"),
        ("", "there is nothing to run"),
    ] {
        let (text, _) = lab.failed(lab.source(&[("Procfile", procfile)]), &[]).await;
        assert!(text.contains(expect), "{text}");
    }
    let (built, _) = lab.built(lab.source(&[("Procfile", "\u{feff}# c\r\n\r\nweb: run\r\n")]), &[]).await;
    assert_eq!(built.procfile["web"], "run");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_lead_nowhere() {
    let lab = Lab::new();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("python")).unwrap();
    fs::write(outside.path().join("kept"), "x").unwrap();

    let source = lab.source(&[("Procfile", "web: x")]);
    symlink(outside.path().join("kept"), source.join("evil")).unwrap();
    let (text, _) = lab.failed(source, &[]).await;
    assert!(text.contains("evil: the link leads out of the app"), "{text}");

    // Directories that builds write to.
    for (fixture, name) in [("rust", "bin"), ("python", ".slipway")] {
        let source = lab.fixture(fixture);
        symlink(outside.path(), source.join(name)).unwrap();
        let (text, _) = lab.failed(source, &[]).await;
        assert!(text.contains(name), "{text}");
    }
    let source = lab.fixture("failing-build");
    symlink(outside.path(), source.join("node_modules")).unwrap();
    let (_, log) = lab.failed(source, &[]).await;
    assert!(log.contains("node_modules is in the repository"), "{log}");

    // A manifest that is a link is none.
    let source = lab.source(&[]);
    symlink("/etc/passwd", source.join("Procfile")).unwrap();
    let (text, _) = lab.failed(source, &[]).await;
    assert!(text.contains("No buildpack recognises"), "{text}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2, "nothing was written or removed there");
    assert!(outside.path().join("kept").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_repository_itself_never_gets_into_the_slug() {
    let lab = Lab::new();
    let source = lab.source(&[("Procfile", "web: x"), (".git/config", "secret"), (".profile.d/a.sh", "export A=1")]);
    let (built, _) = lab.built(source, &[]).await;
    assert!(!lab.tree(&built).join(".git").exists());
    assert!(lab.tree(&built).join(".profile.d/a.sh").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_not_asked_for_buildpacks() {
    let lab = Lab::new();
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/pack.git", server.local_addr().unwrap().port());
    let (text, _) = lab.failed(lab.source(&[("a", "")]), &[("BUILDPACK_URL", &url)]).await;
    assert!(text.starts_with("BUILDPACK_URL: the buildpack cannot be fetched"), "{text}");
    let (text, _) = lab.failed(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "file:///etc")]).await;
    assert_eq!(text, "BUILDPACK_URL: only https addresses are fetched");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_config_values_do_no_harm() {
    let lab = Lab::with_pack("env; ls \"$3\"", |_| {});
    let env = [
        ("BUILDPACK_URL", "test"),
        ("A", "line\nline"),
        ("B", "nul\0nul"),
        ("../../escape", "x"),
        ("PATH", "/nowhere"),
        ("LD_PRELOAD", "/nowhere.so"),
    ];
    let (_, log) = lab.built(lab.source(&[("a", "")]), &env).await;
    assert!(!log.contains("escape"), "{log}");
    let with_packs = [("A", "line\nline"), ("B", "nul\0nul"), ("a=b", "x"), ("PATH", "/nowhere"), ("HOME", "/nowhere")];
    let (result, log) = lab.build(lab.fixture("failing-build"), &with_packs).await;
    assert!(matches!(result, Err(BuildError::Failed(text)) if text.contains("exit code 3")), "{log}");
}
