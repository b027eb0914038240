//! The spellings of a command: `config:set` and `config set`, shortcuts such as `create`, and a group by itself.
//!
//! Arguments are rewritten to the one form that the parser knows, before it sees them.

use std::ffi::OsString;

use clap::Command;
use clap::builder::Resettable;
use strsim::osa_distance;

use crate::program;

/// Shortcuts and what they stand for. Source: drycc-v2.md §6.2.
pub const SHORTCUTS: [(&str, &[&str]); 26] = [
    ("create", &["apps", "create"]),
    ("destroy", &["apps", "destroy"]),
    ("info", &["apps", "info"]),
    ("open", &["apps", "open"]),
    ("logs", &["apps", "logs"]),
    ("run", &["apps", "run"]),
    ("watch", &["apps", "watch"]),
    ("transfer", &["apps", "transfer"]),
    ("register", &["auth", "register"]),
    ("login", &["auth", "login"]),
    ("logout", &["auth", "logout"]),
    ("passwd", &["auth", "passwd"]),
    ("whoami", &["auth", "whoami"]),
    ("cancel", &["auth", "cancel"]),
    ("regenerate", &["auth", "regenerate"]),
    ("pull", &["builds", "create"]),
    ("rollback", &["releases", "rollback"]),
    ("scale", &["ps", "scale"]),
    ("restart", &["ps", "restart"]),
    ("sharing", &["perms", "list"]),
    ("sharing:list", &["perms", "list"]),
    ("sharing:add", &["perms", "create"]),
    ("sharing:remove", &["perms", "delete"]),
    ("perms:add", &["perms", "create"]),
    ("perms:remove", &["perms", "delete"]),
    ("auth:token", &["auth", "regenerate"]),
];

/// What a group by itself means.
pub const DEFAULTS: [(&str, &str); 37] = [
    ("allowlist", "list"),
    ("apps", "list"),
    ("auth", "whoami"),
    ("autoscale", "list"),
    ("builds", "list"),
    ("certs", "list"),
    ("config", "list"),
    ("deployments", "list"),
    ("domains", "list"),
    ("healthchecks", "list"),
    ("keys", "list"),
    ("labels", "list"),
    ("limits", "list"),
    ("maintenance", "info"),
    ("perms", "list"),
    ("nodes", "list"),
    ("notifications", "list"),
    ("projects", "list"),
    ("ps", "list"),
    ("registries", "list"),
    ("registry", "list"),
    ("releases", "list"),
    ("resources", "list"),
    ("routing", "info"),
    ("services", "list"),
    ("shortcuts", "list"),
    ("storages", "list"),
    ("tags", "list"),
    ("teams", "list"),
    ("templates", "list"),
    ("timeouts", "list"),
    ("tls", "info"),
    ("tokens", "list"),
    ("users", "list"),
    ("volumes", "list"),
    ("webhooks", "list"),
    ("whitelist", "list"),
];

/// Options of all commands, or of all about a team, that take a value in the next argument.
const WITH_VALUE: [&str; 5] = ["-a", "--app", "-c", "--config", "--team"];

/// What asks for help, where it stands before a command's name.
pub const HELP: [&str; 3] = ["help", "--help", "-h"];

/// Rewrites the arguments after the program's name.
pub fn rewrite(mut args: Vec<OsString>, commands: &Command) -> Vec<OsString> {
    if args.len() > 1 && HELP.iter().any(|help| args[0] == *help) {
        args[0] = "help".into();
    }
    let Some(at) = first_word(&args, 0) else { return args };
    let Some(word) = args[at].to_str() else { return args };
    let mut parts: Vec<String> = match SHORTCUTS.iter().find(|(name, _)| *name == word) {
        Some((_, long)) => long.iter().map(|part| (*part).to_owned()).collect(),
        // `deis help config:set` is not a command, but a colon elsewhere is no separator either: only known groups.
        None => match word.split_once(':') {
            Some((group, _)) if commands.find_subcommand(group).is_some() => {
                word.split(':').map(str::to_owned).collect()
            }
            _ => vec![word.to_owned()],
        },
    };
    let mut rest = args[at + 1..].to_vec();
    if word == "help" {
        rest = rest
            .iter()
            .flat_map(|arg| match arg.to_str() {
                Some(text) => match SHORTCUTS.iter().find(|(name, _)| *name == text) {
                    Some((_, long)) => long.iter().map(OsString::from).collect(),
                    None => text.split(':').map(OsString::from).collect(),
                },
                None => vec![arg.clone()],
            })
            .collect();
    }
    if word == "version" {
        // Every other command has the app there. Source: drycc-v2.md §6.2.
        rest = rest.into_iter().map(|arg| if arg == "-a" { "--all".into() } else { arg }).collect();
    }
    let is_upstream = program::current().is_upstream();
    if is_upstream && parts == ["apps", "run"] {
        rest = options_first(rest);
    }
    if let [group] = parts.as_slice() {
        let default = DEFAULTS.iter().find(|(name, _)| name == group).map(|(_, verb)| *verb);
        if let (Some(verb), Some(command)) = (default, commands.find_subcommand(group))
            && !names_a_verb(&rest, command)
        {
            // These two of upstream's groups list nothing by themselves.
            parts.push(if is_upstream && group == "auth" { "--help" } else { verb }.to_owned());
        } else if is_upstream && group == "git" && rest.is_empty() {
            parts.push("--help".to_owned());
        }
    }
    let mut out = args[..at].to_vec();
    out.extend(parts.into_iter().map(OsString::from));
    out.extend(rest);
    out
}

/// Upstream's client takes its own options among the words of a one-off command too, up to a `--`.
fn options_first(rest: Vec<OsString>) -> Vec<OsString> {
    let (mut options, mut words) = (Vec::new(), Vec::new());
    let mut rest = rest.into_iter().peekable();
    while let Some(arg) = rest.next_if(|arg| arg != "--") {
        let text = arg.to_string_lossy();
        if WITH_VALUE.contains(&text.as_ref()) && rest.peek().is_some() {
            options.push(arg);
            options.extend(rest.next());
        } else if text.starts_with("--app=") || text.starts_with("--config=") {
            options.push(arg);
        } else {
            words.push(arg);
        }
    }
    options.into_iter().chain(words).chain(rest).collect()
}

/// The grammar with every spelling of a command as a command of its own, for shells that complete them. Those with a
/// colon are hidden: they show where nothing else fits.
pub fn every(commands: Command) -> Command {
    // The parser keeps names for ever; this is done once, and the program ends.
    let kept = |name: String| -> &'static str { name.leak() };
    let mut more = Vec::new();
    for (prefix, group) in commands.get_subcommands().flat_map(|group| {
        std::iter::once(group.get_name()).chain(group.get_all_aliases()).map(move |name| (name, group))
    }) {
        for (name, verb) in below(prefix, group) {
            let options = group.get_arguments().filter(|option| option.is_global_set()).cloned();
            more.push(verb.clone().name(kept(name)).alias(Resettable::Reset).args(options).hide(true));
        }
    }
    for (name, path) in SHORTCUTS {
        let found = path.iter().try_fold(&commands, |command, part| command.find_subcommand(part));
        more.extend(found.map(|command| command.clone().name(name).alias(Resettable::Reset).hide(name.contains(':'))));
    }
    commands.subcommands(more)
}

/// All commands below a group, each by the group's name and a colon.
fn below<'a>(prefix: &str, group: &'a Command) -> Vec<(String, &'a Command)> {
    let mut all = Vec::new();
    for verb in group.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = format!("{prefix}:{}", verb.get_name());
        all.extend(below(&name, verb));
        all.push((name, verb));
    }
    all
}

/// The group of commands that the words name, and the first of them that is none of its commands.
pub fn wrong_word(words: &[OsString], commands: &Command) -> Option<(String, String)> {
    let mut group = commands;
    let mut path = String::new();
    let mut at = 0;
    while let Some(next) = first_word(words, at) {
        let word = words[next].to_string_lossy().into_owned();
        at = next + 1;
        match group.find_subcommand(&word) {
            Some(command) => {
                group = command;
                path = if path.is_empty() { word } else { format!("{path}:{word}") };
            }
            // `help` is a command that no grammar lists.
            None if word == "help" && path.is_empty() => {}
            None => return Some((path, word)),
        }
    }
    None
}

/// The spelling nearest to an unknown command, when one is near.
pub fn suggest(word: &str, commands: &Command) -> Option<String> {
    let mut known: Vec<String> = SHORTCUTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for group in commands.get_subcommands().filter(|command| !command.is_hide_set()) {
        known.push(group.get_name().to_owned());
        known.extend(below(group.get_name(), group).into_iter().map(|(name, _)| name));
    }
    nearest(word, known)
}

/// The name that may have been meant by a word: the nearest, when one is near.
pub fn nearest<Name: AsRef<str> + Ord>(word: &str, known: impl IntoIterator<Item = Name>) -> Option<Name> {
    let (far, name) = known.into_iter().map(|name| (osa_distance(word, name.as_ref()), name)).min()?;
    (far <= 1 + word.chars().count() / 4).then_some(name)
}

/// Whether what follows a group's name says which command of the group is meant, or asks for help.
fn names_a_verb(rest: &[OsString], group: &Command) -> bool {
    if rest.iter().take_while(|arg| *arg != "--").any(|arg| arg == "-h" || arg == "--help") {
        return true;
    }
    match first_word(rest, 0) {
        // An unknown word is left to the parser, which suggests the right one, unless it is the value of an option.
        Some(0) => true,
        Some(_) => rest.iter().filter_map(|arg| arg.to_str()).any(|arg| group.find_subcommand(arg).is_some()),
        None => false,
    }
}

/// The place of the first argument that is neither an option nor a global option's value.
fn first_word(args: &[OsString], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(arg) = args.get(at) {
        let text = arg.to_string_lossy();
        if text == "--" {
            return None;
        }
        if WITH_VALUE.contains(&text.as_ref()) {
            at += 2;
        } else if text.len() > 1 && text.starts_with('-') {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    fn check(args: &str, want: &str) {
        let args: Vec<OsString> = args.split_whitespace().map(OsString::from).collect();
        let got = rewrite(args.clone(), &Cli::command());
        let got: Vec<&str> = got.iter().filter_map(|arg| arg.to_str()).collect();
        assert_eq!(got.join(" "), want, "{args:?}");
    }

    #[test]
    fn spellings() {
        check("config:set A=1:2", "config set A=1:2");
        check("config set A=1", "config set A=1");
        check("-a foo config:set A=1", "-a foo config set A=1");
        check("--json apps:list", "--json apps list");
        check("create foo", "apps create foo");
        check("sharing:add bob", "perms create bob");
        check("run ls -l", "apps run ls -l");
        check("config", "config list");
        check("config -a foo", "config list -a foo");
        check("config -a list", "config list -a list");
        check("config -a foo set A=1", "config -a foo set A=1");
        check("config --oneline", "config list --oneline");
        check("certs", "certs list");
        check("certs:attach foo a.b", "certs attach foo a.b");
        check("registries --team info", "registries list --team info");
        check("registries --team acme info hub", "registries --team acme info hub");
        check("releases -l 5", "releases list -l 5");
        check("config frobnicate", "config frobnicate");
        check("config --help", "config --help");
        check("config -h", "config -h");
        check("ps:scale web=1", "ps scale web=1");
        check("help config:set", "help config set");
        check("help run", "help apps run");
        check("--help ps:scale", "help ps scale");
        check("-h run", "help apps run");
        check("shortcuts", "shortcuts list");
        check("http://x", "http://x");
        check("version -a", "version --all");
        check("--version", "--version");
        check("", "");
    }

    #[test]
    fn options_among_the_words_of_a_command() {
        for (args, want) in [
            ("env -a foo", "-a foo env"),
            ("echo --app=foo x", "--app=foo echo x"),
            ("-a foo -- ls -a x", "-a foo -- ls -a x"),
            ("ls -l -a", "ls -l -a"),
        ] {
            let args = options_first(args.split(' ').map(OsString::from).collect());
            assert_eq!(args.join(OsStr::new(" ")), want);
        }
    }

    #[test]
    fn near_misses_are_recognised() {
        for (word, want) in [
            ("destory", Some("destroy")),
            ("confg:set", Some("config:set")),
            ("app", Some("apps")),
            ("ps:scael", Some("ps:scale")),
            ("config:st", Some("config:set")),
            ("tls:force:enble", Some("tls:force:enable")),
            ("frobnicate", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, &Cli::command()).as_deref(), want, "{word}");
        }
    }

    #[test]
    fn every_shortcut_and_default_exists() {
        let command = Cli::command();
        let longs = SHORTCUTS.iter().map(|(_, long)| long.to_vec());
        for path in longs.chain(DEFAULTS.iter().map(|(group, verb)| vec![*group, *verb])) {
            let found = path.iter().try_fold(&command, |command, name| command.find_subcommand(name));
            assert!(found.is_some(), "{path:?}");
        }
    }
}
