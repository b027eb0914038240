//! What real engines make of what they are asked.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use slipway_core::config::SecretText;
use slipway_engine::EngineError;
use slipway_engine::workload::{ContainerCommand, ContainerState, WorkloadNode, WorkloadProgress, WorkloadSpec};
use slipway_team::TeamId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bed::{Bed, Kind, until};

/// Tests on every engine: each has one run a kind.
macro_rules! engines {
    ($(async fn $name:ident($bed:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn run($bed: Bed) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn podman() {
                let Some(bed) = Bed::new(Kind::Podman).await else { return };
                run(bed).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn docker() {
                let Some(bed) = Bed::new(Kind::Docker).await else { return };
                run(bed).await;
            }
        }
    )+};
}

/// The words of a command.
fn words(words: &[&str]) -> serde_json::Value {
    words.iter().enumerate().map(|(at, word)| json!({"id": at.to_string(), "key": word})).collect()
}

fn shell(line: &str) -> serde_json::Value {
    words(&["/bin/sh", "-c", line])
}

fn rejected<T>(done: Result<T, EngineError>) -> String {
    match done {
        Err(EngineError::Rejected(reason)) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was taken"),
    }
}

engines! {
    async fn a_container_lives_from_deployment_to_removal(bed) {
        bed.registry.protect("bob", "geheim");
        let facts = bed.node.facts().await.unwrap();
        assert!(facts.version.starts_with(&format!("{:?} ", bed.kind)) && facts.address.unwrap().starts_with("unix:///"));
        let line = "echo $HOSTNAME $OWN $ONE $BOTH $ALL; id -u; cat /data/x || echo kept > /data/x; exec sleep 1000";
        let mut spec = bed.spec(json!({
            "environment": [{"key": "BOTH", "value": "container"}, {"key": "ALL", "value": "container"}],
            "commands": shell(line), "volumes": [{"name": "data", "path": "/data"}], "networkMode": "none",
            "dockerLabels": [{"key": "mine", "value": "yes"}],
        }));
        for name in ["ONE", "BOTH", "ALL"] {
            spec.environment.insert(name.to_owned(), "deployment".to_owned());
        }
        spec.secrets.insert("ALL".to_owned(), SecretText::new("the-secret"));
        assert!(rejected(bed.node.apply(&spec).await).contains("cannot fetch the image"), "nobody logged in");
        assert_eq!(bed.names(), [""; 0]);
        spec.registry = Some(bed.login());
        bed.up(&spec).await;
        let lines = bed.lines().await;
        assert!(lines.contains(&"prod-web image deployment container the-secret".to_owned()), "{lines:?}");
        assert!(lines.contains(&"0".to_owned()), "{lines:?}");
        assert_eq!(bed.node.secret_keys("prod", "web").await.unwrap(), Some(vec!["ALL".to_owned()]));
        assert_eq!(bed.node.secret_keys("prod", "other").await.unwrap(), None);
        let labels = bed.cli(&["inspect", "--format", "{{json .Config.Labels}}", "prod-web"]);
        assert!(labels.contains(r#""org.dyrectorio.container.prefix":"prod""#) && labels.contains(r#""mine":"yes""#));
        assert!(!labels.contains("the-secret"), "{labels}");

        // The same start is done once; another replaces what runs, and the files stay.
        let first = bed.id("prod-web");
        bed.node.apply(&spec).await.unwrap();
        assert_eq!(bed.id("prod-web"), first);
        spec.started_at += chrono::TimeDelta::seconds(1);
        bed.up(&spec).await;
        assert_ne!(bed.id("prod-web"), first);
        let lines = bed.lines().await;
        assert!(lines.contains(&"kept".to_owned()), "{lines:?}");
        assert_eq!(bed.names(), ["prod-web"]);

        let all = bed.node.containers(None).await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].prefix.as_str(), all[0].name.as_str(), all[0].state), ("prod", "web", ContainerState::Running));
        assert_eq!((all[0].image_tag.as_str(), all[0].ports.len()), ("1", 0));
        assert!(bed.node.containers(Some("other")).await.unwrap().is_empty());
        for (command, state) in [
            (ContainerCommand::Stop, ContainerState::Exited),
            (ContainerCommand::Stop, ContainerState::Exited),
            (ContainerCommand::Start, ContainerState::Running),
            (ContainerCommand::Restart, ContainerState::Running),
        ] {
            bed.node.command("prod", "web", command).await.unwrap();
            assert_eq!(bed.node.containers(Some("prod")).await.unwrap()[0].state, state, "{command:?}");
        }
        bed.node.delete("prod", "web").await.unwrap();
        assert!(matches!(bed.node.delete("prod", "web").await, Err(EngineError::Missing(_))));
        assert_eq!(bed.cli(&["volume", "ls", "--quiet"]), "prod.web.data");
        bed.node.delete_all("prod").await.unwrap();
        assert_eq!(bed.cli(&["volume", "ls", "--quiet"]), "");
        assert!(matches!(bed.node.delete_all("prod").await, Err(EngineError::Missing(_))));
    }

    async fn what_runs_before_comes_first_and_its_failure_leaves_what_runs(bed) {
        let image = format!("{}/team/app:1", bed.registry.host());
        let init = |name: &str, line: &str, parent: bool| {
            json!({"name": name, "image": image, "command": shell(line), "useParentConfig": parent,
                "environment": [{"key": "OWN", "value": "init"}], "volumes": [{"name": "data", "path": "/in"}]})
        };
        let config = |inits: Vec<serde_json::Value>| {
            json!({"commands": shell("cat /data/made; exec sleep 1000"), "networkMode": "none",
                "volumes": [{"name": "data", "path": "/data", "type": "ro"}], "initContainers": inits})
        };
        let mut spec = bed.spec(config(vec![
            init("one", "echo $OWN-$SHARED > /in/made", true),
            init("two", "echo $SHARED two >> /in/made", false),
        ]));
        spec.environment.insert("SHARED".to_owned(), "both".to_owned());
        bed.up(&spec).await;
        let lines = bed.lines().await;
        assert_eq!(lines, ["init-both", "two"]);
        assert_eq!(bed.names(), ["prod-web"]);
        let running = bed.id("prod-web");
        let failing = WorkloadSpec { ..bed.spec(config(vec![init("bad", "echo why not; exit 3", false)])) };
        let reason = rejected(bed.node.apply(&failing).await);
        assert!(reason.contains("bad, which runs before the container, ended with exit code 3\nwhy not"), "{reason}");
        assert_eq!(bed.id("prod-web"), running);
        assert_eq!(bed.settle("prod", "web").await, WorkloadProgress::Up);
        assert_eq!(bed.names(), ["prod-web"]);
    }

    async fn one_that_does_not_start_leaves_what_runs(bed) {
        let good = bed.spec(json!({"networkMode": "none"}));
        bed.up(&good).await;
        let running = bed.id("prod-web");
        let bad = bed.spec(json!({"networkMode": "none", "commands": words(&["/nothing/there"])}));
        assert!(rejected(bed.node.apply(&bad).await).contains("refused"));
        assert_eq!((bed.id("prod-web"), bed.names()), (running, vec!["prod-web".to_owned()]));
        assert_eq!(bed.settle("prod", "web").await, WorkloadProgress::Up);
        // Where nothing ran, what was made is there to be looked at, and the next start takes its place.
        let other = WorkloadSpec { prefix: "other".to_owned(), ..bad };
        rejected(bed.node.apply(&other).await);
        bed.up(&WorkloadSpec { prefix: "other".to_owned(), ..bed.spec(json!({"networkMode": "none"})) }).await;
    }

    async fn one_that_ends_is_told_with_its_last_lines(bed) {
        let config = json!({"networkMode": "none", "commands": shell("echo the reason >&2; exit 7")});
        bed.node.apply(&bed.spec(config)).await.unwrap();
        let WorkloadProgress::Stuck { reason, output } = bed.settle("prod", "web").await else { panic!("it runs") };
        assert_eq!((reason.as_str(), output), ("the container ended with exit code 7", vec!["the reason".to_owned()]));
        let config = json!({"networkMode": "none", "restartPolicy": "always", "commands": shell("exit 5")});
        bed.node.apply(&bed.spec(config)).await.unwrap();
        let WorkloadProgress::Stuck { reason, .. } = bed.settle("prod", "web").await else { panic!("it runs") };
        assert!(reason.contains("keeps ending") || reason.contains("exit code 5"), "{reason}");
        // One that is done is done.
        bed.up(&bed.spec(json!({"networkMode": "none", "commands": words(&["/bin/true"])}))).await;
    }

    async fn what_is_not_ours_is_left_alone(bed) {
        let spec = bed.spec(json!({"networkMode": "none", "volumes": [{"name": "data", "path": "/data"}]}));
        bed.up(&WorkloadSpec { prefix: "first".to_owned(), ..spec.clone() }).await;
        let image = spec.image.clone();
        bed.cli(&["create", "--network", "none", "--name", "prod-web", "--", &image]);
        let reason = rejected(bed.node.apply(&spec).await);
        assert!(reason.contains("that is not web of prod"), "{reason}");
        for done in [bed.node.delete("prod", "web").await, bed.node.command("prod", "web", ContainerCommand::Start).await] {
            assert!(matches!(done, Err(EngineError::Missing(_))));
        }
        assert!(matches!(bed.node.delete_all("prod").await, Err(EngineError::Missing(_))));
        bed.cli(&["rm", "--", "prod-web"]);
        bed.cli(&["volume", "create", "prod.web.data"]);
        assert!(rejected(bed.node.apply(&spec).await).contains("has a volume"));
        // Another team's, and one whose name is the same together with its prefix.
        let foreign = bed.spec(json!({"networkMode": "none"}));
        let mut ownership = foreign.ownership;
        ownership.team = TeamId::generate();
        let theirs = WorkloadSpec { prefix: "first".to_owned(), ownership, ..foreign.clone() };
        assert!(rejected(bed.node.apply(&theirs).await).contains("that is not web of first"));
        let alike = WorkloadSpec {
            prefix: "a".to_owned(),
            config: bed.spec(json!({"name": "b-web", "networkMode": "none"})).config,
            ..foreign.clone()
        };
        bed.up(&alike).await;
        let same = WorkloadSpec { prefix: "a-b".to_owned(), ..foreign };
        assert!(rejected(bed.node.apply(&same).await).contains("that is not web of a-b"));
    }

    async fn a_start_that_is_given_up_is_taken_up(bed) {
        let image = format!("{}/team/app:1", bed.registry.host());
        let init = json!([{"name": "one", "image": image, "command": words(&["/bin/true"])}]);
        let spec = || {
            bed.spec(json!({"networkMode": "none", "initContainers": init.clone(),
            "volumes": [{"name": "tmp", "path": "/scratch", "type": "tmp"}]}))
        };
        bed.up(&spec()).await;
        for millis in [5, 60, 150, 300, 500, 800, 1200] {
            let next = spec();
            // It may be done by then, too.
            let _ = timeout(Duration::from_millis(millis), bed.node.apply(&next)).await;
            bed.up(&next).await;
            assert_eq!(bed.names(), ["prod-web"], "after {millis} ms");
            let volumes = bed.cli(&["volume", "ls", "--quiet"]);
            assert_eq!(volumes.lines().count(), 1, "{volumes}");
        }
        bed.node.delete("prod", "web").await.unwrap();
        assert_eq!(bed.cli(&["volume", "ls", "--quiet"]), "");
    }

    async fn ports_and_networks_lead_to_it(bed) {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let network = format!("slipway-test-{port}");
        let spec = bed.spec(json!({
            "ports": [{"internal": 8000, "external": port}, {"internal": 8001}], "networks": words(&[&network]),
            "commands": words(&["/bin/busybox", "httpd", "-f", "-p", "8000", "-h", "/srv"]),
        }));
        bed.up(&spec).await;
        until("an answer", async || {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
            let mut answer = String::new();
            let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await;
            let _ = stream.read_to_string(&mut answer).await;
            answer.ends_with("text")
        })
        .await;
        let ports = bed.node.containers(None).await.unwrap()[0].ports.clone();
        assert!(ports.contains(&(8000, Some(port))), "{ports:?}");
        let aliases = bed.cli(&["inspect", "--format", "{{json .NetworkSettings.Networks}}", "prod-web"]);
        assert!(aliases.contains(&network) && aliases.contains("\"web\"") && aliases.contains("\"prod-web\""), "{aliases}");
        bed.node.delete("prod", "web").await.unwrap();
        assert!(!bed.cli(&["network", "ls", "--format", "{{.Name}}"]).contains(&network));
    }

    async fn output_is_followed_as_it_comes(bed) {
        for tty in [false, true] {
            let line = "echo first; while [ ! -e /data/go ]; do sleep 0.1; done; echo second; exec sleep 1000";
            let spec = bed.spec(json!({"networkMode": "none", "tty": tty, "commands": shell(line),
                "volumes": [{"name": "data", "path": "/data"}]}));
            bed.node.apply(&spec).await.unwrap();
            let mut lines = bed.node.log("prod", "web", 10, true).await.unwrap();
            let first = timeout(Duration::from_mins(3), lines.next()).await.unwrap().unwrap();
            assert_eq!((first.text.as_str(), first.source.as_str()), ("first", "web"));
            bed.cli(&["exec", "prod-web", "/bin/busybox", "touch", "/data/go"]);
            let second = timeout(Duration::from_mins(3), lines.next()).await.unwrap().unwrap();
            assert_eq!(second.text, "second");
            assert!(second.time >= first.time);
            bed.node.delete_all("prod").await.unwrap();
            assert!(timeout(Duration::from_mins(3), lines.next()).await.unwrap().is_none(), "it ends with the container");
        }
    }

    async fn an_image_of_the_node_alone_runs_without_a_registry(bed) {
        bed.cli(&["pull", "--quiet", "--", &format!("{}/team/app:1", bed.registry.host())]);
        // Podman knows both as the one, Docker as two.
        for name in ["localhost/own:7", "own:7"] {
            bed.cli(&["tag", &format!("{}/team/app:1", bed.registry.host()), name]);
        }
        for image in ["own:7", "localhost/own:7"] {
            bed.up(&WorkloadSpec { image: image.to_owned(), ..bed.spec(json!({"networkMode": "none"})) }).await;
        }
        let none = WorkloadSpec { image: "localhost/none:1".to_owned(), ..bed.spec(json!({"networkMode": "none"})) };
        assert!(rejected(bed.node.apply(&none).await).contains("has no image"));
    }
}
