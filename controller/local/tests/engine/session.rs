//! Processes that somebody talks to.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use slipway_engine::session::{Input, Output, TerminalSize};
use slipway_engine::{Attach, Engine, EngineError, ExecSpec, Session};
use slipway_image::testing::TestRegistry;
use tokio::time::timeout;

use crate::bed::{Bed, PATIENCE, app, is_alive, process, run_spec, until};
use crate::image;

fn terminal(columns: u16, rows: u16) -> Attach {
    Attach { terminal: Some(TerminalSize { columns, rows }), has_input: true }
}

/// What was shown so far: stdout, stderr.
pub(crate) struct Talk {
    session: Session,
    seen: String,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Talk {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, seen: String::new(), out: String::new(), err: String::new() }
    }

    pub(crate) async fn types(&self, text: &str) {
        self.session.input.send(Input::Bytes(text.to_owned().into())).await.unwrap();
    }

    async fn next(&mut self) -> Option<Output> {
        let Ok(piece) = timeout(PATIENCE, self.session.output.next()).await else {
            panic!("nothing more came after {:?} {:?} {:?}", self.seen, self.out, self.err)
        };
        match &piece {
            Some(Output::Stdout(bytes)) => {
                self.out.push_str(&String::from_utf8_lossy(bytes));
                // A shell that reads its terminal's modes before runc changed them goes back to them: the return comes
                // from both terminals then, which nobody sees.
                self.out = self.out.replace("\r\r\n", "\r\n");
            }
            Some(Output::Stderr(bytes)) => self.err.push_str(&String::from_utf8_lossy(bytes)),
            Some(Output::Exit(_) | Output::Lost(_)) | None => {}
        }
        piece
    }

    /// Reads until stdout holds `text`, and gives what came before it.
    pub(crate) async fn sees(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.out.find(text) {
                text.clone_into(&mut self.seen);
                let rest = self.out.split_off(at + text.len());
                return std::mem::replace(&mut self.out, rest);
            }
            match self.next().await {
                Some(Output::Stdout(_) | Output::Stderr(_)) => {}
                end => panic!("{end:?} without {text:?}: {:?} {:?}", self.out, self.err),
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn ends(&mut self) -> Output {
        loop {
            match self.next().await {
                Some(Output::Stdout(_) | Output::Stderr(_)) => {}
                Some(end) => return end,
                None => panic!("no end: {:?} {:?}", self.out, self.err),
            }
        }
    }
}

fn pid_in(text: &str) -> u32 {
    let (_, rest) = text.rsplit_once("pid ").unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_on_a_terminal_knows_its_size_is_interrupted_and_ends_with_its_code() {
    let bed = Bed::new().await;
    let spec = run_spec(bed.slug(&[("file", "content")]), "exec bash --norc --noprofile");
    let mut talk = Talk::new(bed.engine.run_session(spec, terminal(101, 31)).await.unwrap());
    talk.types("PS1='> '; stty -echo; stty size; echo \"$TERM\"; cat file; echo\n").await;
    talk.sees("31 101\r\nxterm-256color\r\ncontent\r\n").await;
    // Before it asks, the shell sets the size that it read: one that was set in between would be lost.
    talk.sees("> ").await;
    let size = TerminalSize { columns: 55, rows: 12 };
    talk.session.input.send(Input::Resize(size)).await.unwrap();
    talk.types("stty size\n").await;
    talk.sees("12 55\r\n").await;
    // Ctrl-C ends what runs in front, and not the shell.
    talk.types("echo begun; sleep 1020; echo over\n").await;
    talk.sees("begun\r\n").await;
    until("the program in front", || async { any_sleeps("1020") }).await;
    talk.types("\x03").await;
    // What is typed before the signal is there would be lost with it.
    until("the program's end", || async { !any_sleeps("1020") }).await;
    talk.types("echo \"code $?\"\n").await;
    let before = talk.sees("code 130\r\n").await;
    assert!(!before.contains("over\r\n"), "{before}");
    talk.types("exit 42\n").await;
    assert_eq!(talk.ends().await, Output::Exit(42));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_input_is_told_and_background_jobs_do_not_stay() {
    let bed = Bed::new().await;
    let spec = run_spec(bed.slug(&[]), "exec bash --norc --noprofile");
    let mut talk = Talk::new(bed.engine.run_session(spec, terminal(80, 24)).await.unwrap());
    talk.types("nohup sleep 1008 >/dev/null 2>&1 & echo pid $!; printf 't%s\\n' old\n").await;
    let text = talk.sees("told\r\n").await;
    let pid = pid_in(&text);
    assert!(is_alive(pid));
    talk.session.input.send(Input::End).await.unwrap();
    assert_eq!(talk.ends().await, Output::Exit(0));
    assert!(!is_alive(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_there_are_three_pipes() {
    let bed = Bed::new().await;
    let slug = bed.slug(&[]);
    let attach = Attach { terminal: None, has_input: true };
    let spec = run_spec(slug.clone(), "tr a-z A-Z; echo err >&2; test -t 0 || exit 5");
    let mut talk = Talk::new(bed.engine.run_session(spec, attach).await.unwrap());
    talk.types("typed\n").await;
    talk.session.input.send(Input::End).await.unwrap();
    assert_eq!(talk.ends().await, Output::Exit(5));
    assert_eq!((talk.out.as_str(), talk.err.as_str()), ("TYPED\n", "err\n"));

    let silent = Attach { terminal: None, has_input: false };
    let mut talk = Talk::new(bed.engine.run_session(run_spec(slug.clone(), "cat; kill -9 $$"), silent).await.unwrap());
    assert_eq!(talk.ends().await, Output::Exit(137));

    // Much output, and a reader that takes its time.
    let spec = run_spec(slug, "head -c 3000000 /dev/zero");
    let mut talk = Talk::new(bed.engine.run_session(spec, silent).await.unwrap());
    assert_eq!(talk.ends().await, Output::Exit(0));
    assert_eq!(talk.out.len(), 3_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_last_reaches_who_is_slow_to_take_it() {
    let bed = Bed::new().await;
    // More pieces than wait for somebody to look, and less than keeps the process from ending.
    let say = "import os, time\nfor n in range(300):\n    os.write(1, b'%d\\n' % n)\n    time.sleep(0.002)\n";
    let over = bed.data.join("over");
    let line = format!("python3 say.py; touch {}", over.display());
    let silent = Attach { terminal: None, has_input: false };
    let spec = run_spec(bed.slug(&[("say.py", say)]), &line);
    let mut talk = Talk::new(bed.engine.run_session(spec, silent).await.unwrap());
    until("the end of the process", || async { over.exists() }).await;
    // The time is the point: whoever is slow takes nothing meanwhile.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(talk.ends().await, Output::Exit(0));
    assert_eq!(talk.out, (0..300).fold(String::new(), |text, n| format!("{text}{n}\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_ends_the_process() {
    let bed = Bed::new().await;
    let slug = bed.slug(&[]);
    let silent = Attach { terminal: None, has_input: false };
    for attach in [terminal(80, 24), silent] {
        let spec = run_spec(slug.clone(), "trap '' TERM; echo pid $$; sleep 1009 & wait; exec sleep 1009");
        let mut talk = Talk::new(bed.engine.run_session(spec, attach).await.unwrap());
        talk.sees("pid ").await;
        drop(talk);
        until("the process to end", || async { !any_sleeps("1009") }).await;
    }
}

fn any_sleeps(seconds: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == format!("sleep\0{seconds}\0").as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn time_runs_out_and_the_platforms_end_is_the_sessions() {
    let bed = Bed::new().await;
    let mut spec = run_spec(bed.slug(&[]), "sleep 1010");
    spec.timeout = Duration::from_millis(200);
    let mut talk = Talk::new(bed.engine.run_session(spec.clone(), terminal(80, 24)).await.unwrap());
    let Output::Lost(reason) = talk.ends().await else { panic!("not lost") };
    assert!(reason.contains("Timed out"), "{reason}");
    spec.timeout = Duration::from_mins(1);
    let mut talk = Talk::new(bed.engine.run_session(spec.clone(), terminal(80, 24)).await.unwrap());
    bed.engine.shutdown().await;
    assert_eq!(talk.ends().await, Output::Lost("the process was ended".to_owned()));
    assert!(matches!(bed.engine.run_session(spec, terminal(80, 24)).await, Err(EngineError::Unavailable { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_beside_processes() {
    let bed = Bed::new().await;
    let artifact = bed.slug(&[("bin/tool", "")]);
    let mut spec = app(artifact, vec![process("worker", "echo $$ > me; exec sleep 1011")]);
    let release = spec.release.as_mut().unwrap();
    release.env.insert("WHO".to_owned(), slipway_core::config::SecretText::new("web process"));
    let status = bed.settle(&spec).await;
    let pod = status.pods[0].name.clone();
    // A process without a check counts before it has done its first line.
    until("the process", || async { any_sleeps("1011") }).await;
    let exec = |command: &[&str], attach: Attach| {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        bed.engine.exec_session(ExecSpec { app: spec.app, name: spec.name.clone(), pod: pod.clone(), command, attach })
    };
    let silent = Attach { terminal: None, has_input: false };
    let line = "cat me; printf '%s|%s' \"$WHO\" \"$1\"; exit 3";
    let mut talk = Talk::new(exec(&["sh", "-c", line, "sh", "a $b"], silent).await.unwrap());
    assert_eq!(talk.ends().await, Output::Exit(3));
    let pid = status.pods[0].pid.unwrap();
    assert_eq!(talk.out, format!("{pid}\nweb process|a $b"));

    let mut talk = Talk::new(exec(&["bash", "--norc", "--noprofile"], terminal(90, 20)).await.unwrap());
    talk.types("stty -echo; stty size; exit 9\n").await;
    talk.sees("20 90\r\n").await;
    assert_eq!(talk.ends().await, Output::Exit(9));
    assert!(is_alive(pid), "the process beside it was ended");

    for command in [&["no-such-program"][..], &["a\0b"], &[]] {
        let refused = exec(command, silent).await;
        assert!(matches!(refused, Err(EngineError::Rejected(_))), "{command:?}: {refused:?}");
    }
    let other = ExecSpec {
        app: spec.app,
        name: spec.name.clone(),
        pod: "blog-web-v1-none".to_owned(),
        command: vec!["true".to_owned()],
        attach: silent,
    };
    let missing = bed.engine.exec_session(other).await;
    assert!(matches!(missing, Err(EngineError::Missing(_))), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_are_talked_to_as_slugs_are() {
    let (bed, registry) = (image::bed().await, TestRegistry::start().await);
    registry.image("team/app", "v1", &image::layers("text"), &json!({"Entrypoint": ["/bin/sh", "-c"]}));
    let artifact = image::image(&registry, "v1");
    let spec = image::run_image(artifact.clone(), "exec sh");
    let mut talk = Talk::new(bed.engine.run_session(spec, terminal(90, 20)).await.unwrap());
    // The runtime sets the size of the terminal inside once the program has begun.
    let sized =
        |size| format!("until [ \"$(busybox stty size 2>&1)\" = '{size}' ]; do sleep 0.1; done; busybox stty size");
    talk.types(&format!("busybox stty -echo; {}; cat /srv/index.html; echo; exit 6\n", sized("20 90"))).await;
    talk.sees("20 90\r\ntext\r\n").await;
    assert_eq!(talk.ends().await, Output::Exit(6));

    let mut spec = image::of_image(app(artifact, vec![process("worker", "exec sleep 1012")]));
    spec.release.as_mut().unwrap().env.insert("WHO".to_owned(), slipway_core::config::SecretText::new("inside"));
    let status = bed.settle(&spec).await;
    // A process without a check counts as soon as it was started, which may be before its container is there.
    until("the process in the container", || async { any_sleeps("1012") }).await;
    let exec = |command: &[&str], attach: Attach| {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let pod = status.pods[0].name.clone();
        bed.engine.exec_session(ExecSpec { app: spec.app, name: spec.name.clone(), pod, command, attach })
    };
    let silent = Attach { terminal: None, has_input: false };
    let mut talk = Talk::new(exec(&["sh", "-c", "echo $WHO; exit 4"], silent).await.unwrap());
    assert_eq!((talk.ends().await, talk.out.as_str()), (Output::Exit(4), "inside\n"));
    let mut talk = Talk::new(exec(&["sh"], terminal(91, 21)).await.unwrap());
    talk.types(&format!("busybox stty -echo; {}; sleep 1013; echo over\n", sized("21 91"))).await;
    talk.sees("21 91\r\n").await;
    until("the program in front", || async { any_sleeps("1013") }).await;
    talk.types("\x03").await;
    // What is typed before the signal is there would be lost with it.
    until("the program's end", || async { !any_sleeps("1013") }).await;
    talk.types("exit 8\n").await;
    assert_eq!(talk.ends().await, Output::Exit(8));
    assert!(!talk.out.contains("over\r\n"), "{}", talk.out);
}
