//! What git itself would not send, written to the command by hand; and much of what it does send.

use std::fmt::Write as _;

use crate::harness::{Platform, Repo};

const ZERO: &str = "0000000000000000000000000000000000000000";

/// A push of one ref, by hand.
fn push(old: &str, new: &str, name: &[u8], pack: &[u8]) -> Vec<u8> {
    let mut line = format!("{old} {new} ").into_bytes();
    line.extend_from_slice(name);
    line.extend_from_slice(b"\0report-status\n");
    let mut out = format!("{:04x}", line.len() + 4).into_bytes();
    out.extend_from_slice(&line);
    out.extend_from_slice(b"0000");
    out.extend_from_slice(pack);
    out
}

async fn send(repo: &Repo, input: &[u8]) -> String {
    let out = repo.ssh(&["git-receive-pack 'blog.git'"], input).await;
    out.text
}

/// A pack of exactly what `list` names.
async fn pack(repo: &Repo, options: &[&str], list: &str) -> Vec<u8> {
    let args = [&["pack-objects", "-q", "--stdout"], options].concat();
    repo.pipe(&args, list.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn incomplete_packs_are_refused() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    repo.commit("b", "2");
    let commit = repo.run(&["rev-parse", "main"]).await;
    let parent = repo.run(&["rev-parse", "main~1"]).await;
    let objects = repo.run(&["rev-list", "--objects", "--no-object-names", "main"]).await;
    for name in ["main^{tree}", "main:a", "main~1", "main~1^{tree}"] {
        let missing = repo.run(&["rev-parse", name]).await;
        let rest: Vec<&str> = objects.lines().filter(|id| *id != missing).collect();
        let pack = pack(&repo, &[], &(rest.join("\n") + "\n")).await;
        let text = send(&repo, &push(ZERO, &commit, b"refs/heads/side", &pack)).await;
        assert!(text.contains(&format!("names {missing}, which is missing")), "{name}: {text}");
        assert!(text.contains("ng refs/heads/side unpacker error"), "{name}: {text}");
    }
    // A whole pack that does not hold what the ref shall point at.
    let whole = pack(&repo, &["--revs"], &format!("{parent}\n")).await;
    let text = send(&repo, &push(ZERO, &commit, b"refs/heads/side", &whole)).await;
    assert!(text.contains("ng refs/heads/side missing necessary objects"), "{text}");
    // And refs at what no ref may point at.
    let tree = repo.run(&["rev-parse", "main^{tree}"]).await;
    let whole = pack(&repo, &["--revs"], &format!("{commit}\n")).await;
    let text = send(&repo, &push(ZERO, &tree, b"refs/heads/side", &whole)).await;
    assert!(text.contains("ng refs/heads/side only commits and tags"), "{text}");
    platform.check_repository();
    assert_eq!(std::fs::read_dir(platform.repository().join("objects/pack")).unwrap().count(), 0);
    let text = send(&repo, &push(ZERO, &commit, b"refs/heads/side", &whole)).await;
    assert!(text.contains("ok refs/heads/side"), "{text}");
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_packs_are_refused() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", &"some text\n".repeat(500));
    let commit = repo.run(&["rev-parse", "main"]).await;
    let good = pack(&repo, &["--revs"], &format!("{commit}\n")).await;
    for cut in [1, 11, 12, 13, 40, good.len() / 2, good.len() - 20, good.len() - 1] {
        let text = send(&repo, &push(ZERO, &commit, b"refs/heads/side", &good[..cut])).await;
        assert!(!text.contains("unpack ok") && !text.contains("ok refs/heads/side"), "{cut}: {text}");
    }
    for at in (12..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let text = send(&repo, &push(ZERO, &commit, b"refs/heads/side", &bad)).await;
        assert!(text.contains("ng refs/heads/side unpacker error"), "{at}: {text}");
        // Reasons are for strangers: no paths of this machine.
        assert!(!text.contains("incoming-"), "{at}: {text}");
    }
    let mut longer = good.clone();
    longer[11] += 1;
    let text = send(&repo, &push(ZERO, &commit, b"refs/heads/side", &longer)).await;
    assert!(text.contains("ng refs/heads/side unpacker error"), "{text}");
    platform.check_repository();
    assert_eq!(std::fs::read_dir(platform.repository().join("objects/pack")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn thin_packs_are_completed_or_refused() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    let mut text = String::new();
    for n in 0..2000 {
        writeln!(text, "line {n} of a file that is worth a delta").unwrap();
    }
    repo.commit("a", &text);
    let base = repo.run(&["rev-parse", "main"]).await;
    repo.commit("a", &(text + "one more\n"));
    let commit = repo.run(&["rev-parse", "main"]).await;
    let thin = pack(&repo, &["--thin", "--revs", "--delta-base-offset"], &format!("{commit}\n^{base}\n")).await;
    assert!(thin.len() < 1000, "it is not thin: {} bytes", thin.len());
    let text = send(&repo, &push(ZERO, &commit, b"refs/heads/side", &thin)).await;
    assert!(text.contains("ng refs/heads/side unpacker error"), "{text}");
    repo.run(&["push", "slipway", &format!("{base}:refs/heads/side")]).await;
    let text = send(&repo, &push(&base, &commit, b"refs/heads/side", &thin)).await;
    assert!(text.contains("unpack ok") && text.contains("ok refs/heads/side"), "{text}");
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_names_and_stale_values_are_refused() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    let commit = repo.run(&["rev-parse", "main"]).await;
    let good = pack(&repo, &["--revs"], &format!("{commit}\n")).await;
    let names: [&[u8]; 9] = [
        b"refs/heads/../../config",
        b"refs/../x",
        b"HEAD",
        b"main",
        b"refs/heads/a..b",
        b"refs/heads/a.lock",
        b"refs/heads/a b",
        b"refs/heads/\x01",
        b"refs/heads/\xff",
    ];
    for name in names {
        let text = send(&repo, &push(ZERO, &commit, name, &good)).await;
        let shown = String::from_utf8_lossy(name);
        assert!(text.contains(&format!("ng {shown} ")), "{shown}: {text}");
    }
    let text = send(&repo, &push(&commit, &commit, b"refs/heads/side", &good)).await;
    assert!(text.contains("ng refs/heads/side the ref was changed meanwhile"), "{text}");
    let long = [b"refs/heads/".to_vec(), vec![b'x'; 300]].concat();
    let text = send(&repo, &push(ZERO, &commit, &long, &good)).await;
    assert!(text.contains("the name is too long"), "{text}");
    // What cannot be read at all is told as such.
    for input in [&b"zzzz"[..], b"0003", b"0009hello", b"fff1", b"0008abcd0000", &b"0".repeat(100_000)] {
        let out = repo.ssh(&["git-receive-pack 'blog.git'"], input).await;
        assert!(out.text.contains("protocol error") || out.is_good, "{input:?}: {}", out.text);
    }
    platform.check_repository();
    assert!(!platform.repository().join("refs/heads/side").exists());
}

/// Commits without a work tree, in a moment.
async fn history(repo: &Repo, commits: usize) {
    let mut input = String::new();
    for n in 0..commits {
        let (text, from) = (format!("entry {n}\n"), if n == 0 { "from main^0\n" } else { "" });
        writeln!(
            input,
            "commit refs/heads/main\ncommitter T <t@example.com> {} +0000\ndata 1\nx\n{from}M 100644 inline history\n\
             data {}\n{text}",
            1_700_000_000 + n,
            text.len()
        )
        .unwrap();
    }
    repo.pipe(&["fast-import", "--quiet", "--force"], input.as_bytes()).await;
    repo.run(&["reset", "-q", "--hard", "main"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_histories_are_taken() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    history(&repo, 6700).await;
    assert!(repo.run(&["rev-list", "--objects", "--count", "main"]).await.parse::<u32>().unwrap() > 20_000);
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good, "{}", out.text);
    repo.commit("b", "2");
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good, "{}", out.text);
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn shallow_clones_are_refused_unless_nothing_is_missing() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    repo.commit("a", "1");
    let parent = repo.run(&["rev-parse", "main"]).await;
    repo.commit("b", "2");
    std::fs::write(repo.path(".git/shallow"), repo.run(&["rev-parse", "main"]).await + "\n").unwrap();
    assert!(!repo.run(&["log", "--format=%H"]).await.contains(&parent));
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(!out.is_good && out.text.contains("git fetch --unshallow"), "{}", out.text);
    let shallow = std::fs::read(repo.path(".git/shallow")).unwrap();
    std::fs::remove_file(repo.path(".git/shallow")).unwrap();
    repo.run(&["push", "slipway", "main"]).await;
    std::fs::write(repo.path(".git/shallow"), shallow).unwrap();
    repo.commit("c", "3");
    repo.run(&["push", "slipway", "main"]).await;
    platform.check_repository();
}

#[tokio::test(flavor = "multi_thread")]
async fn submodules_are_left_out_with_a_warning() {
    let platform = Platform::start().await;
    let repo = platform.repo("bob");
    let elsewhere = "1".repeat(40);
    repo.run(&["update-index", "--add", "--cacheinfo", &format!("160000,{elsewhere},vendor/lib")]).await;
    repo.run(&["commit", "-qm", "submodule"]).await;
    let out = repo.git(&["push", "slipway", "main"]).await;
    assert!(out.is_good && out.text.contains("submodule 'vendor/lib' is left out"), "{}", out.text);
}
