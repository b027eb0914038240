//! Pushes whose release goes on while the pusher leaves.

use slipway_builder::hook::ReleaseState;

use crate::harness::{Platform, Repo};

/// A push that is left once its release is under way.
async fn left_push(platform: &Platform, repo: &Repo) {
    platform.change(|state| state.release = Some(ReleaseState::Underway));
    let mut push = repo.spawn(&["push", "slipway", "main"]);
    platform.wait(|state| state.version > 0).await;
    push.kill_group().await;
}

/// Pushes until no other push is under way; tells what git said then.
async fn push_when_free(repo: &Repo) -> String {
    let pushing = async {
        loop {
            let text = repo.git(&["push", "slipway", "main"]).await.text;
            if !text.contains("Another git push is ongoing") {
                return text;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(2), pushing).await.expect("the push never ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ref_moves_when_the_release_succeeds_without_its_pusher() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    left_push(&platform, &repo).await;
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(!out.is_good && out.text.contains("Another git push is ongoing"), "{}", out.text);
    platform.change(|state| state.release = Some(ReleaseState::Succeeded));
    let text = push_when_free(&repo).await;
    assert!(text.contains("Everything up-to-date"), "{text}");
    platform.wait(|state| state.version == 2).await;
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ref_stays_when_the_release_fails_without_its_pusher() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    left_push(&platform, &repo).await;
    platform.change(|state| state.release = Some(ReleaseState::Failed));
    let text = push_when_free(&repo).await;
    assert!(text.contains("Release v3 failed") && text.contains("pre-receive hook declined"), "{text}");
    assert!(!platform.repository().join("refs/heads/main").exists());
    platform.change(|state| state.release = None);
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good, "{}", out.text);
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_push_moves_all_refs_or_none() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    let refs = ["push", "--atomic", "slipway", "main", "main:side", "main:refs/tags/one"];
    platform.change(|state| state.release = Some(ReleaseState::Failed));
    let out = repo.git(&refs).await;
    assert!(!out.is_good && out.text.contains("atomic push failed"), "{}", out.text);
    assert_eq!(std::fs::read_dir(platform.repository().join("refs/heads")).unwrap().count(), 0);
    // Without the flag what does not deploy is kept.
    let out = repo.git(&["push", "slipway", "main", "main:side"]).await;
    assert!(!out.is_good && out.text.contains("[new branch]"), "{}", out.text);
    platform.change(|state| state.release = None);
    let out = repo.git(&["push", "--atomic", "slipway", "main", ":side", "main:refs/tags/one"]).await;
    assert!(out.is_good, "{}", out.text);
    // A refused command keeps the others from being built.
    repo.commit("b", "2");
    platform.change(|state| state.version = 10);
    let out = repo.git(&["push", "--atomic", "slipway", "main", "main:master"]).await;
    assert!(!out.is_good && !out.text.contains("coffee"), "{}", out.text);
    platform.wait(|state| state.version == 10).await;
    platform.check_repository();
}
