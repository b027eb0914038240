//! A build that somebody else ends.

use std::time::Duration;

use slipway_tests::{Platform, Repo, Run, eventually};

#[test]
fn a_collaborator_cancels_a_build_and_the_pusher_sees_who() {
    let platform = Platform::start();
    let (ada, bob) = (platform.user("ada"), platform.user("bob"));
    let mark = format!("sleep 600.{}", std::process::id());
    let repo = Repo::with(&[
        ("package.json", &format!("{{\"scripts\":{{\"build\":\"{mark}\"}}}}")),
        ("Procfile", "web: exec python3 server.py\n"),
    ]);
    ada.slipway(repo.path(), &["create", "slow"]).ok();
    bob.cli(&["builds:cancel", "-a", "slow"]).fails();
    ada.cli(&["perms:create", "bob", "-a", "slow"]).ok();
    bob.cli(&["builds:cancel", "-a", "slow"]).fails().says("No build of slow is under way");

    let mut push = ada.push_start(&repo);
    let is_building = || {
        let list = std::process::Command::new("pgrep").args(["-f", &format!("^{mark}")]).output().unwrap();
        !list.stdout.is_empty()
    };
    eventually("the build runs", Duration::from_mins(3), || is_building().then_some(()));
    bob.cli(&["builds:cancel", "ffffffff", "-a", "slow"]).fails().says("No build of slow is under way");
    let canceled = bob.cli(&["builds:cancel", "-a", "slow"]).ok();
    assert_eq!(canceled.stdout, format!("Canceling the build of slow... done, {}\n", &repo.head()[..7]));
    assert!(push.wait().is_ok());
    eventually("its processes are gone", Duration::from_mins(3), || (!is_building()).then_some(()));
    let push = Run::from_output("git push".to_owned(), &push.wait_with_output().unwrap());
    assert_eq!(push.code, 1, "{push}");
    drop(push.says("!     Build canceled by bob").says("pre-receive hook declined"));
    ada.slipway(repo.path(), &["builds:log"]).ok().says("Build canceled by bob");

    // The next push finds nothing in its way.
    repo.write("package.json", "{}");
    repo.write("server.py", slipway_tests::repo::SERVER);
    repo.change("text", "fast");
    ada.push(&repo).ok();
    platform.answers("slow", "text=fast");
    bob.cli(&["builds:cancel", "-a", "slow"]).fails();
}
