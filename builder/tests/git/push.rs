//! Pushes with the real `git` and `ssh`, against a builder with a controller and a source builder in memory.

use std::time::Duration;

use crate::harness::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_push_deploys_and_a_second_costs_only_what_is_new() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("Procfile", "web: true\n");
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good, "{}", out.text);
    for line in [
        "remote: Starting build... but first, coffee!",
        "remote: -----> Building",
        "remote: Build complete.",
        "remote: Launching App...",
        "remote: Done, blog:v2 deployed to Slipway",
        "remote: http://blog.localhost",
        "[new branch]",
    ] {
        assert!(out.text.contains(line), "{line} is missing in: {}", out.text);
    }
    let again = repo.git(&["push", "slipway", "main"]).await;
    assert!(again.is_good && again.text.contains("Everything up-to-date"), "{}", again.text);
    repo.commit("a", "b");
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good && out.text.contains("blog:v3"), "{}", out.text);
    repo.run(&["commit", "--amend", "-qm", "other"]).await;
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(!out.is_good, "{}", out.text);
    let out = repo.git(&["push", "--force", "slipway", "main"]).await;
    assert!(out.is_good && out.text.contains("forced update"), "{}", out.text);
    platform.check_repository();
    assert!(platform.wait_for_logs(3).await.iter().all(|state| state == "succeeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_refs_are_stored_and_may_go() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    let out = repo.git(&["push", "slipway", "main:feature", "main:refs/tags/v1"]).await;
    assert!(out.is_good && out.text.contains("pushed to 'feature', which does not deploy"), "{}", out.text);
    assert!(!out.text.contains("coffee"), "{}", out.text);
    let out = repo.git(&["push", "slipway", "main", "main:master"]).await;
    assert!(!out.is_good && out.text.contains("only one branch deploys"), "{}", out.text);
    let out = repo.git(&["push", "slipway", ":feature", ":v1", ":main"]).await;
    assert!(out.is_good, "{}", out.text);
    assert!(!repo.git(&["push", "slipway", ":nothing"]).await.is_good);
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_leaves_the_ref_and_may_be_pushed_again() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("FAIL", "no compiler");
    for _ in 0..2 {
        let out = repo.git(&["push", "slipway", "main"]).await;
        assert!(!out.is_good && out.text.contains("pre-receive hook declined"), "{}", out.text);
        assert!(out.text.contains("!     no compiler"), "{}", out.text);
    }
    repo.run(&["rm", "-q", "FAIL"]).await;
    repo.commit("ok", "");
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good, "{}", out.text);
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_wrong_apps_are_told() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    for (remote, words) in [
        ("nosuch.git", "There is no app 'nosuch'"),
        ("foreign.git", "no permission to push to the app 'foreign'"),
        ("../../etc.git", "No repo given"),
    ] {
        let out = repo.git(&["push", &platform.url(remote), "main"]).await;
        assert!(!out.is_good && out.text.contains(words), "{}", out.text);
    }
    let stranger = platform.repo("stranger");
    stranger.commit("a", "1");
    let out = stranger.git(&["push", "slipway", "main"]).await;
    assert!(!out.is_good && out.text.contains("Permission denied (publickey)"), "{}", out.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_push_is_refused_and_a_killed_one_is_cancelled() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("HANG", "");
    let mut first = repo.spawn(&["push", "slipway", "main"]);
    platform.wait(|state| state.running == 1).await;
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(!out.is_good && out.text.contains("fatal: remote error: Another git push is ongoing"), "{}", out.text);
    first.kill_group().await;
    platform.wait(|state| state.running == 0).await;
    repo.run(&["rm", "-q", "HANG"]).await;
    repo.commit("ok", "");
    let out = tokio::time::timeout(Duration::from_mins(2), repo.git(&["push", "slipway", "main"])).await.unwrap();
    assert!(out.is_good, "{}", out.text);
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_cancels_a_build_and_the_pusher_is_told() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("HANG", "");
    let push = repo.git(&["push", "slipway", "main"]);
    let cancel = async {
        platform.wait(|state| state.running == 1).await;
        platform.cancel("Build canceled by ann");
        platform.wait(|state| state.running == 0).await;
    };
    let (out, ()) = tokio::join!(push, cancel);
    assert!(!out.is_good && out.text.contains("!     Build canceled by ann"), "{}", out.text);
    assert!(out.text.contains("pre-receive hook declined"), "{}", out.text);
    platform.wait(|state| state.logs == ["canceled"]).await;
    repo.run(&["rm", "-q", "HANG"]).await;
    repo.commit("ok", "");
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good, "{}", out.text);
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_offers_nothing_else() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    let out = repo.ssh(&["ping"], b"").await;
    assert!(out.is_good && out.text == "pong\n", "{}", out.text);
    let out = repo.ssh(&[], b"").await;
    assert!(!out.is_good && out.text.contains("Hi bob!"), "{}", out.text);
    let out = repo.ssh(&["-s", "sftp"], b"").await;
    assert!(!out.is_good, "{}", out.text);
    let out = repo.ssh(&["rm -rf /"], b"").await;
    assert!(!out.is_good && out.text.contains("only git push"), "{}", out.text);
    assert!(repo.ssh(&["ping"], b"").await.is_good);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_packs_are_refused_and_leave_nothing() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    let line = |old: &str, new: &str| {
        let text = format!("{old} {new} refs/heads/main\0report-status\n");
        format!("{:04x}{text}0000", text.len() + 4).into_bytes()
    };
    let (zero, id) = ("0".repeat(40), "1".repeat(40));
    for (pack, words) in [
        (&b""[..], "unpack the pack is missing"),
        (b"PUCK\0\0\0\x02\0\0\0\x01xxxxxxxxxxxxxxxxxxxxxxxx", "unpack what was sent is not a pack"),
        (b"PACK\0\0\0\x02\0\0\0\x01xx", "unpack "),
        (b"PACK\0\0\0\x02\xff\xff\xff\xffxx", "unpack the pack claims too many objects"),
        (
            b"PACK\0\0\0\x02\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e",
            "missing necessary objects",
        ),
    ] {
        let mut input = line(&zero, &id);
        input.extend_from_slice(pack);
        let out = repo.ssh(&["git-receive-pack 'blog.git'"], &input).await;
        assert!(!out.is_good && out.text.contains(words), "{words}: {}", out.text);
        assert!(out.text.contains("ng refs/heads/main "), "{}", out.text);
    }
    platform.check_repository();
}
