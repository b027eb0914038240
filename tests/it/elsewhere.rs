//! What the guides name that is elsewhere, on this machine: a registry, a repository, somebody who is told, Heroku's program.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use slipway_image::testing::{TestRegistry, busybox_layers, layer};
use slipway_tests::{GitHttp, Platform, Repo};

use crate::webhook::{Manner, listener, receive};

/// What an image runs that the guides deploy: it serves `/srv` on the port that is its last argument, else on its own, and
/// exits on SIGTERM.
const SERVE: &str = "#!/bin/busybox sh\ntrap 'exit 0' TERM\nfor port in ${PORT:-8080} \"$@\"; do :; done\n\
                     echo listening on $port\n\
                     busybox httpd -f -p \"$port\" -h /srv & wait $!\n";

/// What Heroku's program prints of an app's configuration.
const HEROKU: &str = "#!/bin/sh\n[ \"$*\" = 'config --shell' ] || exit 1\n\
                      echo SECRET_KEY_BASE=0a1b2c\necho \"DATABASE_URL='postgres://blog@db.internal/blog'\"\n";

/// All of it; it ends with the test.
pub struct Elsewhere {
    registry: TestRegistry,
    repository: GitHttp,
    hook: String,
    _kept: (tokio::runtime::Runtime, Repo),
}

impl Elsewhere {
    /// Starts it, with programs in `bin`.
    pub fn start(bin: &Path) -> Self {
        let heroku = bin.join("heroku");
        std::fs::write(&heroku, HEROKU).unwrap();
        std::fs::set_permissions(heroku, std::fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let registry = runtime.block_on(TestRegistry::start());
        for (name, tag, program) in
            [("library/python", "3.12-slim", "bin/python"), ("redis", "7", "serve"), ("web", "1.5", "serve")]
        {
            let mut layers = busybox_layers("<p>an image\n");
            layers.push(layer(&[(program, 0o755, SERVE.as_bytes())]));
            registry.image(name, tag, &layers, &json!({"Entrypoint": ["/serve"], "Env": ["PATH=/bin"]}));
        }
        let repo = Repo::with(&[("index.html", "<p>from elsewhere\n")]);
        let repository = GitHttp::serve(&repo);
        let (calls, address) = listener();
        receive(calls, vec![Manner::Answer("204 No Content")]);
        Self { registry, repository, hook: format!("http://{address}/slipway"), _kept: (runtime, repo) }
    }

    /// What is written, and what it is here.
    pub fn places(&self, platform: &Platform) -> Vec<(&'static str, String)> {
        vec![
            ("https://git.example.com/acme/blog.git", self.repository.url()),
            ("https://ci.example.com/slipway", self.hook.clone()),
            ("docker.io/library", format!("{}/library", self.registry.host())),
            ("registry.example.com", self.registry.host()),
            ("/var/lib/slipway", platform.data().to_str().unwrap().to_owned()),
        ]
    }
}
