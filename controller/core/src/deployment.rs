//! Deployments of the dployr API: what was asked for of an app, and how far it is. Source: `dployr-v1.md` §4.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::{AppId, BuildId, ProcessType, ProjectId, ReleaseId, Username};

/// Time that fetching a repository may take, in seconds. Source: `dployr-v1.md` §4.4.
pub const CLONE_TIMEOUT_SECS: u64 = 300;
/// How often a deployment is handed to a builder before it is given up.
pub const CLAIMS_MAX: u32 = 4;
/// The port that a deployment has when it names none. Source: `dployr-v1.md` §4.1.
pub const PORT_DEFAULT: u16 = 3000;

/// The text is not the word of any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such word")]
pub struct UnknownWord;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or(UnknownWord)
            }
        }
    };
}

words! {
    /// Where the code comes from.
    DeploymentSource {
        /// A git repository elsewhere.
        Remote = "remote",
        /// A ready image.
        Image = "image",
    }
}

words! {
    /// What kind of process it is.
    DeploymentType {
        /// It answers requests.
        Web = "web",
        /// It does not.
        Worker = "worker",
        /// Files alone.
        Static = "static",
        /// It runs once.
        Job = "job",
    }
}

impl DeploymentType {
    /// The process type that its command is of.
    #[must_use]
    pub fn process_type(self) -> ProcessType {
        let name = match self {
            Self::Web | Self::Static => "web",
            Self::Worker => "worker",
            Self::Job => "job",
        };
        ProcessType::new(name).unwrap_or_else(|_| ProcessType::web())
    }
}

words! {
    /// How far a deployment is.
    DeploymentStatus {
        /// It is stored, nobody works on it yet.
        Pending = "pending",
        /// Somebody works on it.
        InProgress = "in_progress",
        /// It runs.
        Completed = "completed",
        /// It does not run.
        Failed = "failed",
    }
}

words! {
    /// What is to be done next for a deployment, and by whom.
    DeploymentWork {
        /// A builder is to fetch and build it.
        Build = "build",
        /// The controller is to make a release of an image.
        Image = "image",
        /// A release is being rolled out.
        Rollout = "rollout",
        /// The controller is to run the command of a job.
        Job = "job",
        /// The command of a job runs.
        JobRuns = "job_runs",
        /// Nothing.
        None = "none",
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentRequest {
    /// What it is for, possibly empty.
    pub description: String,
    /// The kind of process.
    pub kind: DeploymentType,
    /// Where the code comes from.
    pub source: DeploymentSource,
    /// Which runtime; one of [`RUNTIMES`]. Empty for images.
    pub runtime: String,
    /// Its version, possibly empty.
    pub version: String,
    /// The repository, without credentials; empty for images.
    pub remote: String,
    /// The branch; empty for the repository's own.
    pub branch: String,
    /// The commit that is wanted, if one is: 40 digits.
    pub commit_hash: String,
    /// Command of the build, possibly empty.
    pub build_cmd: String,
    /// Command of the process, possibly empty.
    pub run_cmd: String,
    /// The port that the process is said to listen on.
    pub port: u16,
    /// Directory of the repository that is built, possibly empty.
    pub working_dir: String,
    /// Directory of files that are served, possibly empty.
    pub static_dir: String,
    /// The image; empty for repositories.
    pub image: String,
    /// The domain that was asked for, possibly empty.
    pub domain: String,
    /// The path that tells whether the process is well, possibly empty.
    pub health_check: String,
    /// Names of config values that are never shown.
    pub secrets: Vec<String>,
    /// Public half of the key that a repository is reached with by SSH; empty for others.
    pub deploy_key: String,
    /// Whether nothing of an earlier build is used.
    pub is_rebuild_forced: bool,
}

/// A deployment that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The app; a deployment has its identity.
    pub app: AppId,
    /// Who asked for it last.
    pub owner: Username,
    /// The project it is in.
    pub project: Option<ProjectId>,
    /// What was asked for.
    pub request: DeploymentRequest,
    /// How far it is.
    pub status: DeploymentStatus,
    /// Why it failed; else empty.
    pub error: String,
    /// What is to be done next.
    pub work: DeploymentWork,
    /// How often it was asked for.
    pub attempt: u32,
    /// The commit that was built last, or empty.
    pub commit_hash: String,
    /// Stands for what the last good build was made of, or empty.
    pub fingerprint: String,
    /// The last good build.
    pub built: Option<BuildId>,
    /// The build that it runs or is to run.
    pub build: Option<BuildId>,
    /// The release that it is or was rolled out by.
    pub release: Option<ReleaseId>,
    /// When it was first asked for.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub updated: DateTime<Utc>,
    /// When it came to its end.
    pub finished: Option<DateTime<Utc>>,
    /// What the command of a job ended with last.
    pub exit_code: Option<i32>,
}

/// Runtimes that may be asked for. Source: `dployr-v1.md` §10.
pub const RUNTIMES: [&str; 9] = ["nodejs", "python", "golang", "php", "ruby", "dotnet", "java", "static", "docker"];

/// The runtime that a word stands for.
#[must_use]
pub fn runtime_find(word: &str) -> Option<&'static str> {
    let word = match word {
        "node" => "nodejs",
        "go" => "golang",
        ".net" => "dotnet",
        word => word,
    };
    RUNTIMES.iter().copied().find(|runtime| *runtime == word)
}

/// Whether a text is the version of a runtime: up to three numbers with dots between, or empty.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.is_empty() || (text.split('.').count() <= 3 && text.split('.').all(is_number))
}

/// Makes a name of an app from what a person calls it. Source: `dployr-v1.md` §4.1.
#[must_use]
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 50 {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Whether a text may be a branch or tag: what git takes, and nothing that could be taken for an option.
#[must_use]
pub fn is_ref_name(text: &str) -> bool {
    let is_bad = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    !text.is_empty()
        && text.len() <= 250
        && text != "@"
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains("//")
        && !text.contains(is_bad)
        && text.split('/').all(|part| {
            let is_lock = part.len() >= 5 && part.get(part.len() - 5..).is_some_and(|end| end == ".lock");
            !part.starts_with('.') && !is_lock
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs() {
        for (text, expect) in
            [("my-app", "my-app"), ("My App!", "my-app"), ("  --Ä b__c--  ", "b-c"), ("", ""), ("!!!", "")]
        {
            assert_eq!(slug(text), expect, "{text}");
        }
        assert_eq!(slug(&"ab".repeat(40)).len(), 50);
    }

    #[test]
    fn versions_are_numbers() {
        for good in ["", "20", "3.12", "1.2.3"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["lts", "3.*", "1.2.3.4", "1.", ".1", "1..2", "-1", "1.2 ", "999999"] {
            assert!(!is_version(bad), "{bad}");
        }
    }

    #[test]
    fn branches_are_no_options() {
        for good in ["main", "feature/x", "v1.0", "a-b", "ä"] {
            assert!(is_ref_name(good), "{good}");
        }
        for bad in [
            "",
            "--upload-pack=touch x",
            "-x",
            "a b",
            "a..b",
            "/a",
            "a/",
            "a.lock",
            "a.lock/b",
            "@",
            "a@{1}",
            "a\nb",
            "a\\b",
            ".a",
            "a/.b",
            "a.",
            "a//b",
            "a:b",
            "a~1",
            "a^",
            "a*",
        ] {
            assert!(!is_ref_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn words_come_back() {
        for status in DeploymentStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        assert_eq!("x".parse::<DeploymentWork>(), Err(UnknownWord));
        assert_eq!(runtime_find("node"), Some("nodejs"));
        assert_eq!(runtime_find("cobol"), None);
    }
}
