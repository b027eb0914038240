//! Examples for each command, shown below its help.

use clap::Command;

use crate::program;

/// Commands, and lines without the program's name. A test parses every line.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("apps:create", &["create blog", "create", "create blog --no-remote", "apps:create blog -r staging"]),
    ("apps:list", &["apps", "apps:list -l 5"]),
    ("apps:info", &["info", "info -a blog --json"]),
    ("apps:open", &["open", "open -a blog"]),
    ("apps:logs", &["logs -n 100", "logs --follow -a blog", "logs --since 10m --type web"]),
    ("apps:watch", &["watch", "apps:watch --wait -a blog"]),
    (
        "apps:run",
        &[
            "run ls -l",
            "run 'echo $PORT; ls'",
            "run -it bash",
            "run --detach ./migrate",
            "run --mount data:/data -- du -sh /data",
        ],
    ),
    ("apps:destroy", &["destroy", "destroy -a blog --confirm=blog"]),
    ("apps:transfer", &["apps:transfer ann -a blog"]),
    (
        "auth:register",
        &[
            "register https://slipway.example.com",
            "register http://127.0.0.1:8000 --username bob --email bob@example.com",
        ],
    ),
    (
        "auth:login",
        &[
            "login https://slipway.example.com",
            "login https://slipway.example.com --username bob --password-stdin",
            "login https://slipway.example.com --token-stdin -c work",
        ],
    ),
    ("auth:logout", &["logout"]),
    ("auth:whoami", &["whoami", "whoami --all"]),
    ("auth:passwd", &["passwd", "passwd --username ann"]),
    ("auth:cancel", &["auth:cancel", "auth:cancel --username ann --yes"]),
    ("auth:regenerate", &["auth:regenerate", "auth:regenerate -u ann", "auth:regenerate --all"]),
    ("autoscale:list", &["autoscale"]),
    ("autoscale:set", &["autoscale:set web --min=1 --max=5 --cpu-percent=70"]),
    ("autoscale:unset", &["autoscale:unset web"]),
    ("builds:list", &["builds", "builds:list -l 5"]),
    ("builds:create", &["pull example/blog:2", "builds:create example/blog:2 -p 'web: ./serve' -a blog"]),
    ("builds:cancel", &["builds:cancel", "builds:cancel 1b34f2c -a blog"]),
    ("builds:log", &["builds:log", "builds:log 1b34f2c"]),
    ("certs:list", &["certs"]),
    ("certs:add", &["certs:add example-com example.com.crt example.com.key"]),
    ("certs:info", &["certs:info example-com"]),
    ("certs:remove", &["certs:remove example-com"]),
    ("certs:attach", &["certs:attach example-com www.example.com"]),
    ("certs:detach", &["certs:detach example-com www.example.com"]),
    ("config:list", &["config", "config --oneline", "config:list -a blog --json"]),
    (
        "config:set",
        &[
            "config:set MODE=production",
            "config:set A=1 'GREETING=hello there' -a blog",
            "config:set SSH_KEY=deploy_key",
        ],
    ),
    ("config:unset", &["config:unset MODE", "config:unset A B -a blog"]),
    ("config:edit", &["config:edit", "config:edit -a blog"]),
    ("config:pull", &["config:pull", "config:pull -o -p production.env"]),
    ("config:push", &["config:push", "config:push -p production.env"]),
    ("git:remote", &["git:remote -a blog", "git:remote -f -r staging -a blog-staging"]),
    ("git:remove", &["git:remove -a blog", "git:remove -r staging -a blog-staging"]),
    ("keys:list", &["keys"]),
    ("keys:add", &["keys:add", "keys:add ~/.ssh/id_ed25519.pub", "keys:add laptop ~/.ssh/id_ed25519.pub"]),
    ("keys:remove", &["keys:remove laptop"]),
    ("perms:list", &["perms -a blog", "perms:list --admin"]),
    ("perms:create", &["perms:create ann -a blog", "perms:create ann --admin"]),
    ("perms:delete", &["perms:delete ann -a blog", "perms:delete ann --admin"]),
    ("ps:list", &["ps", "ps -a blog --json"]),
    ("ps:scale", &["scale web=2", "ps:scale web=2 worker=1 -a blog"]),
    ("ps:stop", &["ps:stop worker"]),
    ("ps:start", &["ps:start worker"]),
    ("ps:restart", &["restart", "ps:restart web", "ps:restart blog-web-v3-x7k2p"]),
    ("ps:exec", &["ps:exec web -- bash", "ps:exec blog-web-v3-x7k2p -- cat /etc/hosts"]),
    ("releases:list", &["releases", "releases:list -l 5"]),
    ("releases:info", &["releases:info v2"]),
    ("releases:diff", &["releases:diff v2", "releases:diff v2 v4 --values -a blog"]),
    ("releases:rollback", &["rollback", "rollback v2"]),
    ("domains:list", &["domains"]),
    ("domains:add", &["domains:add www.example.com", "domains:add '*.example.com'"]),
    ("domains:remove", &["domains:remove www.example.com"]),
    ("tls:info", &["tls"]),
    ("tls:enable", &["tls:enable"]),
    ("tls:disable", &["tls:disable"]),
    ("tls:force:enable", &["tls:force:enable"]),
    ("tls:force:disable", &["tls:force:disable"]),
    ("tls:auto:enable", &["tls:auto:enable"]),
    ("tls:auto:disable", &["tls:auto:disable"]),
    ("maintenance:info", &["maintenance"]),
    ("maintenance:on", &["maintenance:on"]),
    ("maintenance:off", &["maintenance:off"]),
    ("routing:info", &["routing"]),
    ("routing:enable", &["routing:enable"]),
    ("routing:disable", &["routing:disable"]),
    ("whitelist:list", &["whitelist"]),
    ("whitelist:add", &["whitelist:add 192.0.2.1,10.0.0.0/8"]),
    ("whitelist:remove", &["whitelist:remove 192.0.2.1"]),
    ("allowlist:list", &["allowlist"]),
    ("allowlist:add", &["allowlist:add 192.0.2.1,10.0.0.0/8"]),
    ("allowlist:remove", &["allowlist:remove 192.0.2.1"]),
    ("labels:list", &["labels"]),
    ("labels:set", &["labels:set team=frontend git_repo=https://github.com/example/blog"]),
    ("labels:unset", &["labels:unset team"]),
    ("services:list", &["services"]),
    ("services:add", &["services:add --type api --route '/api(/|$)'"]),
    ("services:remove", &["services:remove api"]),
    ("limits:list", &["limits"]),
    ("limits:set", &["limits:set web=512M worker=1G", "limits:set --cpu web=500m", "limits:set web=256M/512M"]),
    ("limits:unset", &["limits:unset web", "limits:unset --cpu web"]),
    ("tags:list", &["tags"]),
    ("tags:set", &["tags:set disk=ssd"]),
    ("tags:unset", &["tags:unset disk"]),
    ("registry:list", &["registry"]),
    ("registry:set", &["registry:set username=bob password=secret"]),
    ("registry:unset", &["registry:unset username password"]),
    ("healthchecks:list", &["healthchecks", "healthchecks:list --type worker"]),
    (
        "healthchecks:set",
        &[
            "healthchecks:set liveness httpGet 80 --path /healthz",
            "healthchecks:set readiness tcpSocket 5432 --type web --period-seconds=5",
            "healthchecks:set liveness exec --type worker -- test -f /tmp/alive",
        ],
    ),
    ("healthchecks:unset", &["healthchecks:unset liveness", "healthchecks:unset liveness readiness --type worker"]),
    ("timeouts:list", &["timeouts"]),
    ("timeouts:set", &["timeouts:set web=60 worker=300"]),
    ("timeouts:unset", &["timeouts:unset worker"]),
    ("volumes:list", &["volumes"]),
    ("volumes:create", &["volumes:create data 500M"]),
    ("volumes:expand", &["volumes:expand data 2G"]),
    ("volumes:delete", &["volumes:delete data"]),
    ("volumes:mount", &["volumes:mount data web=/data worker=/data"]),
    ("volumes:unmount", &["volumes:unmount data worker"]),
    ("resources:list", &["resources"]),
    ("resources:create", &["resources:create mysql:small db", "resources:create mysql:small db charset=utf8mb4"]),
    ("resources:describe", &["resources:describe db"]),
    ("resources:update", &["resources:update mysql:large db"]),
    ("resources:destroy", &["resources:destroy db"]),
    ("resources:bind", &["resources:bind db"]),
    ("resources:unbind", &["resources:unbind db"]),
    (
        "deploy",
        &[
            "deploy --git https://git.example.com/blog.git --branch main --runtime nodejs -a blog",
            "deploy --git https://git.example.com/api.git --runtime python --version 3.12 --run-cmd 'gunicorn app' -e MODE=live",
            "deploy --git ssh://git@git.example.com/site.git --runtime static --static-dir public --detach -a site",
        ],
    ),
    ("teams:list", &["teams", "teams --json"]),
    ("teams:create", &["teams:create 'Acme Corp'", "teams:create 'Acme Corp' --slug acme"]),
    ("teams:info", &["teams:info", "teams:info --team acme"]),
    ("teams:update", &["teams:update --name 'Acme Limited' --team acme", "teams:update --slug acme-ltd"]),
    ("teams:destroy", &["teams:destroy --team acme", "teams:destroy --team acme --confirm=acme"]),
    ("teams:leave", &["teams:leave --team acme"]),
    ("teams:switch", &["teams:switch acme"]),
    ("teams:members", &["teams:members", "teams:members --team acme"]),
    (
        "teams:invite",
        &["teams:invite ann@example.com", "teams:invite ann@example.com --first-name Ann --last-name Lee"],
    ),
    ("teams:reinvite", &["teams:reinvite ann@example.com"]),
    ("teams:role", &["teams:role ann@example.com admin"]),
    ("teams:remove", &["teams:remove ann@example.com"]),
    ("teams:accept", &["teams:accept acme"]),
    ("teams:decline", &["teams:decline acme"]),
    ("registries:list", &["registries", "registries --team acme"]),
    (
        "registries:add",
        &[
            "registries:add hub --type hub --prefix library",
            "registries:add ours --type v2 --url registry.example.com --user ci --token-from env:REGISTRY_TOKEN",
            "registries:add ghcr --type github --prefix acme --namespace organization --user bob --token-from file:token.txt",
        ],
    ),
    ("registries:info", &["registries:info ours"]),
    (
        "registries:update",
        &["registries:update ours --user ci --token-from ask", "registries:update ours --name theirs"],
    ),
    ("registries:remove", &["registries:remove ours"]),
    ("projects:list", &["projects", "projects --team acme"]),
    ("projects:create", &["projects:create shop", "projects:create shop --versioned --description 'The shop'"]),
    ("projects:info", &["projects:info shop"]),
    ("projects:update", &["projects:update shop --name store"]),
    ("projects:convert", &["projects:convert shop"]),
    ("projects:destroy", &["projects:destroy shop", "projects:destroy shop --confirm=shop"]),
    ("versions:list", &["versions:list shop", "versions:list shop --filter 1."]),
    (
        "versions:create",
        &["versions:create shop 1.0.0 --changelog 'The first one'", "versions:create shop next --rolling"],
    ),
    ("versions:info", &["versions:info shop", "versions:info shop 1.0.0"]),
    ("versions:update", &["versions:update shop 1.0.0 --changelog 'Mended'"]),
    ("versions:default", &["versions:default shop 1.0.0"]),
    ("versions:increase", &["versions:increase shop 1.0.0 1.1.0"]),
    ("versions:destroy", &["versions:destroy shop 1.0.0 --confirm=1.0.0"]),
    ("images:list", &["images:list shop", "images:list shop --version 1.0.0"]),
    ("images:add", &["images:add shop nginx:1.27 redis:7 --registry 'Docker Hub Library'"]),
    ("images:tag", &["images:tag shop nginx 1.28"]),
    ("images:order", &["images:order shop redis nginx"]),
    ("images:config:get", &["images:config:get shop nginx", "images:config:get shop nginx --yaml"]),
    (
        "images:config:set",
        &[
            "images:config:set shop nginx nginx.json",
            "images:config:set shop nginx nginx.yaml",
            "images:config:set shop nginx -",
        ],
    ),
    ("images:config:edit", &["images:config:edit shop nginx --version 1.0.0", "images:config:edit shop nginx --yaml"]),
    ("images:remove", &["images:remove shop redis"]),
    ("deployments:list", &["deployments", "deployments --project shop"]),
    ("deployments:create", &["deployments:create shop --node platform --prefix shop-live"]),
    ("deployments:info", &["deployments:info shop-live"]),
    ("deployments:update", &["deployments:update shop-live -e MODE=live --unset DEBUG --note 'Since May'"]),
    ("deployments:start", &["deployments:start shop-live", "deployments:start shop-live --image nginx --detach"]),
    ("deployments:rollback", &["deployments:rollback 3f6e1c0a"]),
    (
        "deployments:log",
        &["deployments:log shop-live", "deployments:log shop-live --follow", "deployments:log shop-live --try 1"],
    ),
    (
        "deployments:logs",
        &[
            "deployments:logs shop-live",
            "deployments:logs shop-live web -n 40",
            "deployments:logs shop-live --follow --since 10m",
        ],
    ),
    (
        "deployments:copy",
        &["deployments:copy shop-live --prefix shop-test", "deployments:copy shop-live --node other --prefix shop"],
    ),
    ("deployments:secrets:list", &["deployments:secrets:list shop-live"]),
    (
        "deployments:secrets:set",
        &[
            "deployments:secrets:set shop-live nginx PASSWORD",
            "deployments:secrets:set shop-live nginx PASSWORD --from env:PASSWORD",
        ],
    ),
    ("deployments:secrets:unset", &["deployments:secrets:unset shop-live nginx PASSWORD"]),
    ("deployments:token:create", &["deployments:token:create shop-live pipeline --days 90"]),
    ("deployments:token:revoke", &["deployments:token:revoke shop-live"]),
    ("deployments:remove", &["deployments:remove shop-live"]),
    ("nodes:list", &["nodes"]),
    ("nodes:add", &["nodes:add cellar --description 'The machine in the cellar'"]),
    ("nodes:info", &["nodes:info cellar"]),
    ("nodes:update", &["nodes:update cellar --name attic"]),
    (
        "nodes:script",
        &[
            "nodes:script cellar --type docker",
            "nodes:script cellar --type k8s --print",
            "nodes:script cellar --type docker --discard",
        ],
    ),
    (
        "nodes:join",
        &[
            "nodes:join cellar --kubeconfig cellar.yaml",
            "nodes:join cellar --kubeconfig -",
            "nodes:join attic --docker tcp://attic.example.com:2376 --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem",
        ],
    ),
    ("nodes:disconnect", &["nodes:disconnect cellar"]),
    ("nodes:audit", &["nodes:audit cellar --since 1d"]),
    (
        "nodes:logs",
        &["nodes:logs platform web --prefix shop-live", "nodes:logs platform web --prefix shop-live -n 40 --follow"],
    ),
    ("nodes:containers:list", &["nodes:containers:list platform", "nodes:containers:list platform --prefix shop-live"]),
    ("nodes:containers:start", &["nodes:containers:start platform nginx --prefix shop-live"]),
    ("nodes:containers:stop", &["nodes:containers:stop platform nginx --prefix shop-live"]),
    ("nodes:containers:restart", &["nodes:containers:restart platform nginx --prefix shop-live"]),
    ("nodes:containers:remove", &["nodes:containers:remove platform nginx --prefix shop-live"]),
    ("nodes:containers:clear", &["nodes:containers:clear platform shop-live --confirm=shop-live"]),
    ("nodes:remove", &["nodes:remove cellar"]),
    ("templates:list", &["templates"]),
    ("templates:use", &["templates:use wordpress blog", "templates:use gitea code --versioned --team acme"]),
    ("storages:list", &["storages"]),
    ("storages:add", &["storages:add files https://s3.example.com --access-key AKIA1 --secret-key-from env:S3_SECRET"]),
    ("storages:info", &["storages:info files"]),
    ("storages:update", &["storages:update files --url https://s3.example.org", "storages:update files --name old"]),
    ("storages:remove", &["storages:remove files"]),
    ("notifications:list", &["notifications"]),
    (
        "notifications:add",
        &[
            "notifications:add ops --type slack --url-from env:SLACK_URL",
            "notifications:add ops --type discord --url-from ask -e deployment-created,node-added",
        ],
    ),
    ("notifications:info", &["notifications:info ops"]),
    ("notifications:update", &["notifications:update ops --active false", "notifications:update ops -e node-added"]),
    ("notifications:test", &["notifications:test ops"]),
    ("notifications:remove", &["notifications:remove ops"]),
    ("audit", &["audit", "audit --since 2d --filter registries", "audit --team acme -l 20 --json"]),
    ("webhooks:list", &["webhooks", "webhooks:list -l 5"]),
    (
        "webhooks:create",
        &[
            "webhooks:create https://ci.example.com/hook",
            "webhooks:create https://ci.example.com/hook -e deployment.finished,deployment.failed --secret-from env:HOOK_SECRET",
        ],
    ),
    ("webhooks:info", &["webhooks:info 01JCXV2M8Q5K3T7R9W1Z4B6D8F", "webhooks:info https://ci.example.com/hook"]),
    ("webhooks:test", &["webhooks:test https://ci.example.com/hook"]),
    ("webhooks:deliveries", &["webhooks:deliveries https://ci.example.com/hook -l 5"]),
    ("webhooks:replay", &["webhooks:replay https://ci.example.com/hook 01JCXV3A7Y2N5P8S0V4X6Z9C1E"]),
    ("webhooks:remove", &["webhooks:remove https://ci.example.com/hook"]),
    ("tokens:list", &["tokens", "tokens --json"]),
    ("tokens:create", &["tokens:create pipeline", "tokens:create pipeline --days 90"]),
    ("tokens:remove", &["tokens:remove pipeline"]),
    ("users:list", &["users"]),
    ("users:enable", &["users:enable ann"]),
    ("users:disable", &["users:disable ann"]),
    ("doctor", &["doctor", "doctor -a blog"]),
    ("completions", &["completions bash", "completions zsh"]),
    ("shortcuts:list", &["shortcuts"]),
    ("version", &["version", "version --all"]),
    ("up", &["up", "up --api 127.0.0.1:8000 --domain localhost"]),
];

/// The examples of the command with this name, `config:set`, without the program's name.
pub fn of(command: &str) -> &'static [&'static str] {
    EXAMPLES.iter().find(|(name, _)| *name == command).map_or(&[], |(_, lines)| *lines)
}

/// Adds its examples to each command.
pub fn add(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, path: &str) -> Command {
    let command = command.mut_subcommands(|sub| {
        let path = if path.is_empty() { sub.get_name().to_owned() } else { format!("{path}:{}", sub.get_name()) };
        below(sub, &path)
    });
    let lines = of(path);
    if lines.is_empty() {
        return command;
    }
    let program = program::current().name();
    let text: Vec<String> = lines.iter().map(|line| format!("  {program} {line}")).collect();
    command.after_help(format!("Examples:\n{}", text.join("\n")))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;
    use crate::spelling::rewrite;
    use crate::spoken::words;

    #[test]
    fn examples_are_of_the_command_that_they_stand_below() {
        let grammar = Cli::command();
        for (name, lines) in EXAMPLES.iter().filter(|(name, _)| cfg!(feature = "up") || *name != "up") {
            assert!(!lines.is_empty(), "{name}");
            for line in *lines {
                let args = rewrite(words(line), &grammar);
                let matches = grammar
                    .clone()
                    .try_get_matches_from(std::iter::once(OsString::from("slipway")).chain(args))
                    .unwrap_or_else(|error| panic!("{line}: {error}"));
                let mut path = Vec::new();
                let mut at = &matches;
                while let Some((sub, next)) = at.subcommand() {
                    path.push(sub.to_owned());
                    at = next;
                }
                assert_eq!(path.join(":"), *name, "{line}");
            }
        }
    }

    #[test]
    fn every_command_has_examples() {
        fn look(command: &Command, path: &str, missing: &mut Vec<String>) {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                let path =
                    if path.is_empty() { sub.get_name().to_owned() } else { format!("{path}:{}", sub.get_name()) };
                if sub.has_subcommands() {
                    look(sub, &path, missing);
                } else if !EXAMPLES.iter().any(|(name, _)| *name == path) {
                    missing.push(path);
                }
            }
        }
        let mut missing = Vec::new();
        look(&Cli::command(), "", &mut missing);
        assert!(missing.is_empty(), "without examples in examples.rs: {missing:?}");
    }
}
