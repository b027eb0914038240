//! The installed platform.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use slipway_tests::platform::{Answer, Endpoints};
use slipway_tests::{Repo, Run, User, eventually};

/// Within which every app must have settled after something was killed, however busy the machine is: mostly it is seconds.
pub const SETTLED: Duration = Duration::from_mins(3);

/// The platform that `tests/cluster/run` installed.
pub struct Installed {
    pub endpoints: Endpoints,
    pub namespace: String,
    pub release: String,
    pub registry: String,
    /// Identities of pods that were killed.
    killed: Mutex<Vec<String>>,
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests are run by tests/cluster/run"))
}

impl Installed {
    /// What the variables say.
    pub fn find() -> Self {
        let address = |name: &str| variable(name).parse().unwrap();
        Self {
            endpoints: Endpoints {
                api: address("SLIPWAY_TEST_API"),
                ssh: address("SLIPWAY_TEST_SSH"),
                router: address("SLIPWAY_TEST_ROUTER"),
                router_tls: address("SLIPWAY_TEST_ROUTER_TLS"),
            },
            namespace: variable("SLIPWAY_TEST_NAMESPACE"),
            release: variable("SLIPWAY_TEST_RELEASE"),
            registry: variable("SLIPWAY_TEST_REGISTRY"),
            killed: Mutex::default(),
        }
    }

    /// A new user with a key. The name is another at each call: the platform may have seen earlier runs.
    pub fn user(&self, name: &str) -> User {
        User::register_at(self.endpoints, &unique(name))
    }

    /// The administrator, whom `tests/cluster/run` registered before anybody else.
    pub fn operator(&self) -> User {
        User::login_at(self.endpoints, "operator")
    }

    /// Runs kubectl.
    #[expect(clippy::unused_self, reason = "it is this platform's cluster")]
    pub fn kubectl(&self, args: &[&str]) -> Run {
        let config = variable("SLIPWAY_TEST_KUBECONFIG");
        Run::of(Command::new("kubectl").arg("--kubeconfig").arg(config).args(args))
    }

    /// A field of an object, by JSON path; empty when it is not there.
    pub fn field(&self, namespace: &str, object: &str, path: &str) -> String {
        let output = format!("jsonpath={path}");
        self.kubectl(&["-n", namespace, "get", object, "--ignore-not-found", "-o", &output]).ok().stdout
    }

    /// Names of the pods of a part that are not on their way out.
    pub fn pods(&self, part: &str) -> Vec<String> {
        let selector = format!("app.kubernetes.io/component={part}");
        let template =
            "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}";
        let found = self.kubectl(&["-n", &self.namespace, "get", "pods", "-l", &selector, "-o", template]).ok();
        found.stdout.split_whitespace().map(str::to_owned).collect()
    }

    /// Names of the pods of an app.
    pub fn pods_of(&self, app: &str) -> Vec<String> {
        let template = "go-template={{range .items}}{{.metadata.name}} {{end}}";
        let found = self.kubectl(&["-n", app, "get", "pods", "-l", "heritage=slipway", "-o", template]).ok();
        found.stdout.split_whitespace().map(str::to_owned).collect()
    }

    /// Kills a pod at once, as the loss of its node would: nothing in it can tidy up.
    pub fn kill(&self, pod: &str) {
        let pod = format!("pod/{pod}");
        let identity = self.field(&self.namespace, &pod, "{.metadata.uid}");
        self.killed.lock().unwrap().extend((!identity.is_empty()).then_some(identity));
        self.kubectl(&["-n", &self.namespace, "delete", &pod, "--force", "--grace-period=0", "--wait=false"]);
    }

    /// Whether a pod that was killed is not gone yet, as far as the cluster knows.
    fn has_killed(&self) -> bool {
        let template = "go-template={{range .items}}{{.metadata.uid}} {{end}}";
        let there = self.kubectl(&["-n", &self.namespace, "get", "pods", "-o", template]).ok().stdout;
        self.killed.lock().unwrap().iter().any(|killed| there.contains(killed.as_str()))
    }

    /// Whether as many pods of a part are ready as there are to be. The part's own status lags behind.
    fn is_whole(&self, part: &str, object: &str) -> bool {
        let selector = format!("app.kubernetes.io/component={part}");
        let template = "go-template={{range .items}}{{range .status.conditions}}\
                        {{if and (eq .type \"Ready\") (eq .status \"True\")}}+{{end}}{{end}}{{end}}";
        let ready = self.kubectl(&["-n", &self.namespace, "get", "pods", "-l", &selector, "-o", template]).ok().stdout;
        ready.len().to_string() == self.field(&self.namespace, object, "{.spec.replicas}")
    }

    /// Waits until all replicas of the platform's parts are ready, without those that were killed.
    pub fn ready(&self) {
        eventually("those that were killed are gone", SETTLED, || (!self.has_killed()).then_some(()));
        for (part, kind) in [("controller", "deployment"), ("router", "deployment"), ("builder", "statefulset")] {
            let object = format!("{kind}/{}-{part}", self.release);
            self.kubectl(&["-n", &self.namespace, "rollout", "status", &object, "--timeout=120s"]).ok();
            eventually("the part is whole", SETTLED, || self.is_whole(part, &object).then_some(()));
        }
        eventually("the API answers", SETTLED, || {
            let url = format!("http://{}/readiness", self.endpoints.api);
            reqwest::blocking::get(url).is_ok_and(|answer| answer.status() == 200).then_some(())
        });
        // As long as a node port leads nowhere, old kube-proxies take its connections themselves and never answer: who
        // comes too early waits for ever.
        eventually("the builder answers", SETTLED, || self.greeting().ok().filter(|text| text == b"SSH-2.0-"));
    }

    /// How the builder's SSH server begins.
    fn greeting(&self) -> std::io::Result<[u8; 8]> {
        let mut connection = TcpStream::connect_timeout(&self.endpoints.ssh, Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut text = [0; 8];
        connection.read_exact(&mut text)?;
        Ok(text)
    }

    /// `GET path` of an app through the router.
    pub fn get(&self, app: &str, path: &str) -> Result<Answer, reqwest::Error> {
        let response = reqwest::blocking::Client::builder()
            .timeout(Duration::from_mins(1))
            .build()?
            .get(format!("http://{}{path}", self.endpoints.router))
            .header("Host", format!("{app}.cluster.test"))
            .send()?;
        Ok(Answer { status: response.status().as_u16(), body: response.text()? })
    }

    /// Waits until an app answers 200 with a body that holds `text`.
    pub fn answers(&self, app: &str, text: &str) -> Answer {
        let start = Instant::now();
        loop {
            let last = match self.get(app, "/") {
                Ok(answer) if answer.status == 200 && answer.body.contains(text) => return answer,
                Ok(answer) => format!("{} {}", answer.status, answer.body),
                Err(error) => error.to_string(),
            };
            if start.elapsed() > SETTLED {
                let pods = self.kubectl(&["-n", app, "get", "pods,deployments,services", "-o", "wide"]);
                panic!("{app} should answer {text:?}, and last did {last}\n{pods}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// An app of `user` from an image of the registry, started with `command` as its process `web`.
    pub fn app_from_image<'a>(&'a self, user: &'a User, name: &str, image: &str, procfile: &str) -> App<'a> {
        let app = self.app(user, name);
        // The controller's pod does not reach the nodes' loopback, which a lab's registry is named after: it cannot ask.
        app.cli(&["config:set", "PORT=8000"]).ok();
        app.image(image, procfile).ok();
        app
    }

    /// An app without anything in it.
    pub fn app<'a>(&'a self, user: &'a User, name: &str) -> App<'a> {
        let name = unique(name);
        user.cli(&["create", &name, "--no-remote"]).ok();
        App { platform: self, user, name }
    }

    /// An image whose processes serve files with a small server of Debian's busybox.
    pub fn busybox(&self) -> String {
        format!("{}/base/busybox:1", self.registry)
    }
}

/// A name that no earlier run has used.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{name}-{:x}{:x}", since.as_secs() % 0x100_0000, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// An app that is destroyed at the end of its test.
pub struct App<'a> {
    platform: &'a Installed,
    pub user: &'a User,
    pub name: String,
}

impl App<'_> {
    /// A Procfile line for a server that answers `text` and the variable GREETING.
    pub fn serve(text: &str) -> String {
        format!(
            // The first process of a container hears SIGTERM only if it asks to.
            "web: (mkdir -p /tmp/www && echo \"text={text} greeting=$GREETING release=$WORKFLOW_RELEASE\" \
             >/tmp/www/index.html && echo serving && exec httpd -f -p $PORT -h /tmp/www) & \
             trap 'kill $!; exit 0' TERM; wait"
        )
    }

    /// Deploys an image with a Procfile.
    pub fn image(&self, image: &str, procfile: &str) -> Run {
        self.user.cli(&["pull", image, "-a", &self.name, "--procfile", procfile])
    }

    /// Asks the dployr API as the app's user, who must be answered well.
    pub fn v1(&self, method: &str, path: &str, body: Option<&serde_json::Value>) -> serde_json::Value {
        let body = body.map(ToString::to_string);
        let (status, text) = self.user.api(method, path, body.as_deref().map(str::as_bytes));
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Deploys the app through the dployr API, waits until that has succeeded, and gives the deployment.
    pub fn deploys(&self, body: &serde_json::Value) -> serde_json::Value {
        self.v1("POST", "/v1/deployments", Some(body));
        let path = format!("/v1/deployments/{}", self.name);
        let done = eventually("the deployment is at its end", Duration::from_mins(5), || {
            let found = self.v1("GET", &path, None);
            matches!(found["status"].as_str(), Some("completed" | "failed")).then_some(found)
        });
        assert_eq!(done["status"], "completed", "{done}");
        done
    }

    /// Runs `slipway ARGS -a APP`.
    pub fn cli(&self, args: &[&str]) -> Run {
        let mut all = args.to_vec();
        let before = all.iter().position(|arg| *arg == "--").unwrap_or(all.len());
        all.splice(before..before, ["-a", &self.name]);
        self.user.cli(&all)
    }

    /// Runs `slipway ARGS -a APP` at a terminal, as a person does, who types `typed` when there is `prompt`.
    pub fn at_a_terminal(&self, args: &[&str], prompt: &str, typed: &str) -> Run {
        let before = args.iter().position(|arg| *arg == "--").unwrap_or(args.len());
        let mut words = vec![variable("SLIPWAY_TEST_BINARY")];
        words.extend(args[..before].iter().map(|arg| (*arg).to_owned()));
        words.extend(["-a".to_owned(), self.name.clone()]);
        words.extend(args[before..].iter().map(|arg| (*arg).to_owned()));
        let line: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        let mut script = self.user.command("script", self.user.home());
        script.args(["-q", "-e", "-c", &line.join(" "), "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (mut seen, mut piece, mut has_typed) = (Vec::new(), [0; 4096], false);
        loop {
            let count = output.read(&mut piece).unwrap();
            if count == 0 {
                break;
            }
            seen.extend_from_slice(&piece[..count]);
            if !has_typed && String::from_utf8_lossy(&seen).contains(prompt) {
                input.write_all(typed.as_bytes()).unwrap();
                has_typed = true;
            }
        }
        let output = Output { status: child.wait().unwrap(), stdout: seen, stderr: Vec::new() };
        Run::from_output(slipway_tests::run::line(&script), &output)
    }

    /// Gives `repo` the remote of this app.
    pub fn remote(&self, repo: &Repo) {
        self.user.slipway(repo.path(), &["git:remote", "-a", &self.name, "--force"]).ok();
    }

    /// The newest release: version and state.
    pub fn release(&self) -> (u64, String) {
        let newest = self.user.releases(&self.name).into_iter().next().unwrap();
        (newest["version"].as_u64().unwrap(), newest["state"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until nothing of the app is under way: the newest release has ended, well or not, all its pods are ready
    /// and none of another release is left. Gives its state.
    pub fn settled(&self, what: &str) -> String {
        self.settled_since(Instant::now(), what)
    }

    /// As [`Self::settled`], within [`SETTLED`] from `start` on.
    pub fn settled_since(&self, start: Instant, what: &str) -> String {
        loop {
            let last = match self.is_settled() {
                Ok(state) => return state,
                Err(why) => why,
            };
            if start.elapsed() > SETTLED {
                let pods = self.platform.kubectl(&["-n", &self.name, "get", "pods,deployments", "-o", "wide"]);
                panic!("{} had not settled within {SETTLED:?} after {what}: {last}\n{pods}", self.name);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn is_settled(&self) -> Result<String, String> {
        let (status, body) = self.try_api(&format!("/v2/apps/{}/releases/", self.name))?;
        if status != 200 {
            return Err(format!("{status} {body}"));
        }
        let page: serde_json::Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let newest = &page["results"][0];
        let state = newest["state"].as_str().unwrap_or_default().to_owned();
        if !["succeeded", "failed", "canceled", "superseded"].contains(&state.as_str()) {
            return Err(format!("the newest release is {newest}"));
        }
        let run = self.platform.kubectl(&["-n", &self.name, "get", "deployments", "-o", "json"]);
        if run.code != 0 {
            return Err(run.stderr);
        }
        let list: serde_json::Value = serde_json::from_str(&run.stdout).map_err(|error| error.to_string())?;
        for item in list["items"].as_array().unwrap() {
            let wanted = item["spec"]["replicas"].as_u64().unwrap_or(1);
            let number = |name: &str| item["status"][name].as_u64().unwrap_or(0);
            let is_seen = item["status"]["observedGeneration"] == item["metadata"]["generation"];
            if !is_seen || number("readyReplicas") != wanted || number("replicas") != wanted {
                return Err(format!("a Deployment is at {}", item["status"]));
            }
        }
        Ok(state)
    }

    fn try_api(&self, path: &str) -> Result<(u16, String), String> {
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
        let answer = client
            .get(format!("http://{}{path}", self.platform.endpoints.api))
            .header("Authorization", format!("token {}", self.user.try_token()?))
            .send()
            .map_err(|error| error.to_string())?;
        Ok((answer.status().as_u16(), answer.text().map_err(|error| error.to_string())?))
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        if std::thread::panicking() {
            let logs = self.platform.kubectl(&["-n", name, "get", "all,events"]);
            eprintln!("-- {name}:\n{}", logs.stdout);
        }
        let confirm = format!("--confirm={name}");
        // The platform gives up waiting after half a minute, not removing.
        let start = Instant::now();
        loop {
            let run = self.user.cli(&["destroy", "-a", name, &confirm]);
            if run.code == 0 || run.stderr.contains("No App matches") {
                return;
            }
            if start.elapsed() > 2 * SETTLED {
                assert!(std::thread::panicking(), "{run}");
                return;
            }
        }
    }
}
