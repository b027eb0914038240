use super::World;

impl World {
    /// Does as bob what a test begins with.
    #[track_caller]
    pub fn bob_does(&self, lines: &[&str]) {
        succeeded(&self.bob(lines));
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
}

#[track_caller]
fn succeeded(said: &str) {
    assert!(!said.lines().any(|line| line.starts_with("= ")), "{said}");
}
