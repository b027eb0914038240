//! Clones and fetches with the real git.

use slipway_builder::Limits;

use crate::harness::{Platform, limits};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_can_be_cloned_and_fetched() {
    let platform = Platform::start_with(Limits { packs_max: 1, ..limits() }, None, |_| {}).await;
    let repo = platform.repo("bob");
    let url = platform.url("blog.git");
    std::fs::write(repo.path(".git/info/exclude"), "copy\nempty\n").unwrap();
    let out = repo.git(&["clone", &url, "empty"]).await;
    assert!(out.is_good && out.text.contains("empty repository"), "{}", out.text);

    repo.commit("a", &"line\n".repeat(100_000));
    let noise: String =
        (0_u32..200_000).map(|n| char::from(33 + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90)).collect();
    repo.commit("b", &noise);
    repo.run(&["tag", "-a", "-m", "one", "v1"]).await;
    repo.run(&["tag", "-a", "-m", "of a tag", "v1-signed", "v1"]).await;
    repo.run(&["tag", "plain"]).await;
    repo.run(&["push", "slipway", "main", "main~1:refs/heads/side", "v1", "v1-signed", "plain"]).await;
    let out = repo.git(&["clone", "-q", &url, "copy"]).await;
    assert!(out.is_good, "{}", out.text);
    for name in ["HEAD", "refs/heads/main", "refs/remotes/origin/side:refs/heads/side", "v1", "v1-signed", "plain"] {
        let (theirs, ours) = name.split_once(':').unwrap_or((name, name));
        let theirs = repo.run(&["-C", "copy", "rev-parse", theirs]).await;
        let ours = if ours.contains("side") { "main~1" } else { ours };
        assert_eq!(theirs, repo.run(&["rev-parse", ours]).await, "{name}");
    }
    assert_eq!(std::fs::read_to_string(repo.path("copy/b")).unwrap(), noise);
    repo.run(&["-C", "copy", "fsck", "--full", "--strict"]).await;

    // A fetch brings what is new, and no more than that.
    repo.commit("c", "new");
    repo.run(&["push", "slipway", "main"]).await;
    repo.run(&["-C", "copy", "config", "fetch.unpackLimit", "1"]).await;
    repo.run(&["-C", "copy", "fetch", "-q"]).await;
    let new = repo.run(&["rev-parse", "main"]).await;
    assert_eq!(repo.run(&["-C", "copy", "rev-parse", "origin/main"]).await, new);
    repo.run(&["-C", "copy", "fsck", "--full", "--strict"]).await;
    let counted = repo.run(&["-C", "copy", "count-objects", "-v"]).await;
    let known = repo.run(&["rev-list", "--objects", "--count", "--all"]).await.parse::<u32>().unwrap();
    let packed: u32 = counted.lines().find_map(|line| line.strip_prefix("in-pack: ")).unwrap().parse().unwrap();
    // Both tag objects are in the packs besides.
    assert!(packed <= known + 2, "{packed} of {known} objects: {counted}");
    let out = repo.git(&["-C", "copy", "fetch", "-v"]).await;
    assert!(out.is_good && out.text.contains("[up to date]"), "{}", out.text);

    // Commits that only the client has are no trouble, nor is a client that has nothing in common.
    repo.commit("d", "newer");
    repo.run(&["push", "slipway", "main"]).await;
    repo.run(&["-C", "copy", "commit", "-q", "--allow-empty", "-m", "local"]).await;
    repo.run(&["-C", "copy", "pull", "-q", "--rebase"]).await;
    assert!(repo.path("copy/d").exists());
    repo.run(&["-C", "empty", "commit", "-q", "--allow-empty", "-m", "unrelated"]).await;
    repo.run(&["-C", "empty", "fetch", "-q"]).await;
    repo.run(&["-C", "empty", "fsck", "--full", "--strict"]).await;
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_that_cannot_be_served_are_told() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    let hidden = repo.run(&["rev-parse", "main"]).await;
    repo.commit("b", "2");
    repo.run(&["push", "slipway", "main"]).await;
    for (path, words) in [("nosuch.git", "There is no app 'nosuch'"), ("foreign.git", "no permission")] {
        let out = repo.git(&["clone", &platform.url(path), "copy"]).await;
        assert!(!out.is_good && out.text.contains(words), "{}", out.text);
    }
    let out = repo.git(&["clone", "--depth", "1", &platform.url("blog.git"), "copy"]).await;
    assert!(!out.is_good && out.text.contains("shallow"), "{}", out.text);

    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let shown = repo.run(&["rev-parse", "main"]).await;
    for (input, words) in [
        (line(&format!("want {hidden}\n")) + "0000", format!("ERR upload-pack: not our ref {hidden}")),
        (line(&format!("want {shown}\n")) + &line("deepen 1\n") + "0000", "leave out --depth".to_owned()),
        (line("want zzz\n") + "0000", "a want needs an object id".to_owned()),
        (line(&format!("want {shown}\n")) + "0000" + &line("hello\n"), "a have was expected".to_owned()),
        (line(&format!("want {shown}\n")) + "0000", "the client went away".to_owned()),
        ("zzzz".to_owned(), "protocol error".to_owned()),
    ] {
        let out = repo.ssh(&["git-upload-pack 'blog.git'"], input.as_bytes()).await;
        assert!(!out.is_good && out.text.contains(&words), "{words}: {}", out.text);
    }
    // A client without side bands gets the bare pack.
    let input = line(&format!("want {shown}\n")) + "0000" + &line("done\n");
    let out = repo.ssh(&["git-upload-pack 'blog.git'"], input.as_bytes()).await;
    assert!(out.is_good && out.text.contains("0008NAK\nPACK"), "{}", out.text);
}
