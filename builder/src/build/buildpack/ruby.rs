//! Ruby with Bundler.

use async_trait::async_trait;

use super::{Buildpack, Compile, Compiled, Suspect};
use crate::build::BuildError;
use crate::build::process::Tool;
use crate::build::source::Source;
use crate::build::{cache, tree};

/// Ruby: `Gemfile` and `Gemfile.lock`; gems go to `vendor/bundle`.
pub struct Ruby;

#[async_trait]
impl Buildpack for Ruby {
    fn id(&self) -> &'static str {
        "ruby"
    }

    fn name(&self) -> &'static str {
        "Ruby"
    }

    fn looks_for(&self) -> &'static str {
        "Gemfile"
    }

    fn detect(&self, source: &Source) -> Option<String> {
        source.has_file("Gemfile").then(|| "Gemfile".to_owned())
    }

    async fn compile(&self, cx: &Compile<'_>) -> Result<Compiled, BuildError> {
        let Some(ruby) = cx.runner.find("ruby") else {
            return Err(BuildError::Unavailable(
                "Ruby is not installed on this machine: apt-get install ruby-full ruby-bundler".to_owned(),
            ));
        };
        let Some(bundle) = cx.runner.find("bundle") else {
            return Err(BuildError::Unavailable(
                "Bundler is not installed on this machine: apt-get install ruby-bundler".to_owned(),
            ));
        };
        let Some(lock) = cx.source.bytes("Gemfile.lock")? else {
            return Err(BuildError::Failed(
                "There is no Gemfile.lock in the repository: run bundle lock and commit it".to_owned(),
            ));
        };
        let version = cx.capture(cx.tool(ruby).arg("--version"), "ruby --version").await?;
        cx.step(&format!("Using {version}")).await;
        // Gems are put where the lock file's versions belong; anything committed there would be in the way.
        cx.source.own_dir("vendor")?;
        cx.source.remove("vendor/bundle")?;
        let gems = cx.source.dir().join("vendor/bundle");
        let key = cache::key([version.as_bytes(), &lock]);
        let (home, _) = cx.cache_part("bundle-home")?;
        let tool = || -> Tool {
            cx.tool(bundle.clone())
                .env("BUNDLE_PATH", "vendor/bundle")
                .env("BUNDLE_DEPLOYMENT", "true")
                .env("BUNDLE_WITHOUT", "development:test")
                .env("BUNDLE_APP_CONFIG", cx.scratch.join("bundle-config"))
                .env("BUNDLE_USER_HOME", &home)
                .env("BUNDLE_SILENCE_ROOT_WARNING", "true")
        };
        if cx.cache.restore("gems", &key, &gems).await {
            cx.step("Restored the gems from the cache (Gemfile.lock is unchanged)").await;
        } else {
            cx.step("Running: bundle install").await;
            cx.run_cached(&["bundle-home"], "bundle install", Suspect::Always, || {
                tool().args(["install", "--jobs", "4"])
            })
            .await?;
            tree::remove(&gems.join("cache"))
                .map_err(|error| BuildError::Internal(format!("removing gems: {error}")))?;
            cx.cache.store("gems", &key, &gems).await;
        }
        let lock = String::from_utf8_lossy(&lock);
        let has = |gem: &str| lock.lines().any(|line| line.trim_start().split(' ').next() == Some(gem));
        let is_rails = has("railties") && cx.source.has_file("config/environment.rb");
        if is_rails && cx.source.has_dir("app/assets") {
            cx.step("Running: rake assets:precompile").await;
            let rake = tool().env_default("RAILS_ENV", "production").env_default("SECRET_KEY_BASE_DUMMY", "1").args([
                "exec",
                "rake",
                "assets:precompile",
            ]);
            cx.run(rake, "rake assets:precompile").await?;
        }
        let mut done = Compiled::default()
            .env("BUNDLE_PATH", "{slug}/vendor/bundle")
            .env("BUNDLE_DEPLOYMENT", "true")
            .env("BUNDLE_WITHOUT", "development:test")
            .env("LANG", "C.UTF-8")
            .env("RACK_ENV", "production");
        "web: bundle exec puma -p $PORT".clone_into(&mut done.procfile_hint);
        if is_rails {
            done = done.env("RAILS_ENV", "production").env("RAILS_LOG_TO_STDOUT", "enabled");
            done = done.env("RAILS_SERVE_STATIC_FILES", "enabled");
            return Ok(done.web("bundle exec rails server -b 0.0.0.0 -p $PORT -e $RAILS_ENV"));
        }
        if !cx.source.has_file("config.ru") {
            return Ok(done);
        }
        Ok(done.web(if has("puma") {
            "bundle exec puma -b tcp://0.0.0.0:$PORT"
        } else {
            "bundle exec rackup config.ru -o 0.0.0.0 -p $PORT"
        }))
    }
}
