//! One-off processes, and what processes see.

use std::collections::BTreeMap;
use std::time::Duration;

use slipway_core::config::SecretText;
use slipway_engine::spec::Limit;
use slipway_engine::{Engine, EngineError, RUN_OUTPUT_MAX_BYTES};
use slipway_slug::SlugManifest;
use tokio::time::timeout;

use crate::bed::{Bed, PATIENCE, is_alive, run_spec, until};

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_output_come_back() {
    let bed = Bed::new().await;
    let slug = bed.slug(&[("file", "content")]);
    for (command, exit_code, output) in [
        ("echo out; echo err >&2; exit 7", 7, "out\nerr\n"),
        ("cat file", 0, "content"),
        ("kill -9 $$", 137, ""),
        ("A=1 B='two words'; echo \"$A $B\" && echo \"$0\" | wc -l", 0, "1 two words\n1\n"),
        ("$(exit 3)", 3, ""),
        ("'", 1, ""),
    ] {
        let outcome = bed.engine.run(run_spec(slug.clone(), command)).await.unwrap();
        let text = String::from_utf8_lossy(&outcome.output).into_owned();
        if command == "'" {
            assert!(outcome.exit_code != 0 && text.contains("unexpected EOF"), "{outcome:?}");
            continue;
        }
        assert_eq!((outcome.exit_code, text.as_str()), (exit_code, output), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_see_their_own_environment_and_nothing_else() {
    let bed = Bed::with(|config| {
        config.env.insert("GIVEN".to_owned(), "engine".to_owned());
    })
    .await;
    let manifest = SlugManifest {
        env: BTreeMap::from([("BUILT".to_owned(), "{slug}/lib".to_owned()), ("BOTH".to_owned(), "pack".to_owned())]),
        path: vec!["{slug}/bin".to_owned()],
        ..SlugManifest::default()
    };
    let profile = [(".profile.d/a.sh", "export PROFILE=\"a $BUILT\"\n")];
    let slug = bed.slug_with(&profile, &manifest);
    let mut spec = run_spec(slug, "env");
    let value = "multi\nline $HOME `id` ${x} \"'";
    for (name, value) in [("BOTH", "user"), ("ODD", value), ("PORT", "1"), ("GIVEN", "user")] {
        spec.env.insert(name.to_owned(), SecretText::new(value));
    }
    spec.command = "env -0".to_owned();
    let outcome = bed.engine.run(spec.clone()).await.unwrap();
    let text = String::from_utf8(outcome.output.to_vec()).unwrap();
    let env: BTreeMap<&str, &str> = text.split('\0').filter_map(|entry| entry.split_once('=')).collect();
    let names: Vec<&str> = env.keys().copied().filter(|name| !["_", "OLDPWD", "SHLVL"].contains(name)).collect();
    let expect =
        ["BOTH", "BUILT", "GIVEN", "HOME", "LANG", "ODD", "PATH", "PORT", "PROFILE", "PWD", "SLIPWAY_ENGINE", "TMPDIR"];
    assert_eq!(names, expect);
    assert_eq!(env["GIVEN"], "engine");
    let home = env["HOME"];
    assert_eq!((env["BOTH"], env["ODD"], env["PWD"]), ("user", value, home));
    assert_eq!(env["BUILT"], format!("{home}/lib"));
    assert_eq!(env["PROFILE"], format!("a {home}/lib"));
    assert!(env["PATH"].starts_with(&format!("{home}/bin:/usr/local/sbin:")), "{}", env["PATH"]);
    until("the copy to be removed", || async { !std::path::Path::new(home).exists() }).await;
    bed.wait_log(spec.app, "run.abcde: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_refused_by_name() {
    let bed = Bed::new().await;
    let slug = bed.slug(&[]);
    let mut spec = run_spec(slug.clone(), "true");
    spec.env.insert("BAD".to_owned(), SecretText::new("se\0cret"));
    let Err(EngineError::Rejected(reason)) = bed.engine.run(spec).await else { panic!("not refused") };
    assert!(reason.contains("BAD") && !reason.contains("cret"), "{reason}");
    let nul = bed.engine.run(run_spec(slug.clone(), "true\0")).await;
    assert!(matches!(nul, Err(EngineError::Rejected(_))), "{nul:?}");
    let mut huge = run_spec(slug, "true");
    huge.env.insert("HUGE".to_owned(), SecretText::new("x".repeat(1024 * 1024)));
    assert!(bed.engine.run(huge).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_runs_out_and_nothing_is_left() {
    let bed = Bed::new().await;
    let mut spec = run_spec(bed.slug(&[]), "sleep 1004 & echo pid $!; sleep 1005");
    // On a busy machine a second may be over before the shell has begun.
    for seconds in [1, 10, 60] {
        spec.timeout = Duration::from_secs(seconds);
        let outcome = bed.engine.run(spec.clone()).await;
        assert!(matches!(outcome, Err(EngineError::TimedOut(after)) if after == seconds), "{outcome:?}");
        let log = bed.log(spec.app).await;
        if let Some((_, pid)) = log.lines().find_map(|line| line.split_once("pid ")) {
            assert!(!is_alive(pid.parse().unwrap()));
            return;
        }
    }
    panic!("it never began");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_future_ends_the_process() {
    let bed = Bed::new().await;
    let spec = run_spec(bed.slug(&[]), "echo pid $$; exec sleep 1006");
    let mut running = Box::pin(bed.engine.run(spec.clone()));
    let started = async {
        bed.wait_log(spec.app, "pid ").await;
    };
    tokio::select! {
        outcome = &mut running => panic!("ended early: {outcome:?}"),
        () = started => {}
    }
    let log = bed.log(spec.app).await;
    let pid = log.lines().find_map(|line| line.split_once("pid ")).unwrap().1.parse().unwrap();
    assert!(is_alive(pid));
    drop(running);
    until("the process to end", || async { !is_alive(pid) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_capped() {
    let bed = Bed::new().await;
    let spec = run_spec(bed.slug(&[]), "head -c 5000000 /dev/zero | tr '\\0' x; echo");
    let outcome = timeout(PATIENCE, bed.engine.run(spec)).await.unwrap().unwrap();
    assert_eq!((outcome.exit_code, outcome.output.len()), (0, RUN_OUTPUT_MAX_BYTES));
    assert!(outcome.output.ends_with(b"[output cut]\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_limited() {
    let bed = Bed::new().await;
    let slug = bed.slug(&[]);
    let limit = Some(Limit { request: None, limit: 100 * 1024 * 1024 });
    let take = |mib: u32| format!("python3 -c 'len(bytearray({mib} * 1024 * 1024))'");
    for (mib, is_good) in [(20, true), (400, false)] {
        let mut spec = run_spec(slug.clone(), &take(mib));
        spec.memory = limit;
        let outcome = bed.engine.run(spec).await.unwrap();
        assert_eq!(outcome.exit_code == 0, is_good, "{mib}: {outcome:?}");
    }
    let limits = bed.engine.run(run_spec(slug, "ulimit -c; ulimit -n")).await.unwrap();
    let text = String::from_utf8_lossy(&limits.output).into_owned();
    assert!(text.starts_with("0\n") && text.lines().nth(1).unwrap() >= "1024", "{text}");
}
