use super::World;

impl World {
    /// Does as bob what a test begins with.
    #[track_caller]
    pub fn bob_does(&self, lines: &[&str]) {
        succeeded(&self.bob(lines));
    }

    /// Writes files into the folder that bob works in.
    pub fn bob_has(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            std::fs::write(self.bob.work().join(name), text).unwrap();
        }
    }

    /// The team acme, and a variable of bob's environment.
    pub fn acme_with(name: &str, value: &str) -> Self {
        let mut world = Self::acme();
        world.bob.set_env(name, value);
        world
    }

    /// Bob's team acme, which ann is in.
    pub fn acme() -> Self {
        let world = Self::new();
        world.bob_does(&["teams:create 'Acme Corp' --slug acme", "teams:invite ann@y.z"]);
        succeeded(&world.ann(&["teams:accept acme"]));
        world
    }

    /// The team acme with the registry ours, and the project shop with images of it, several in one line.
    pub fn shop(images: &str) -> Self {
        let world = Self::acme();
        world.bob_does(&["projects:create shop", "registries:add ours --type unchecked --url registry.example.com"]);
        if !images.is_empty() {
            world.bob_does(&[&format!("images:add shop {images} --registry ours")]);
        }
        world
    }

    /// A deployment of shop with the prefix live on the platform's own node, which nobody has started.
    pub fn with_deployment(self) -> Self {
        self.bob_does(&["deployments:create shop --node Platform --prefix live"]);
        self
    }
}

#[track_caller]
fn succeeded(said: &str) {
    assert!(!said.lines().any(|line| line.starts_with("= ")), "{said}");
}
