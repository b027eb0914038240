//! `images`. Source of calls: team-api.md §3.4 and §4.4.

use serde_json::{Value, json};
use slipway_client::segment;

use super::project::{VersionFound, find_version, version_path};
use super::{Team, image_config, missing, registry, text};
use crate::args::team::image::ImageCommand;
use crate::args::team::project::OfVersion;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::print;

/// Runs a command about the images of a version.
pub async fn image(cx: &Context, team: Option<&str>, command: ImageCommand) -> Result {
    let team = Team::choose(cx, team).await?;
    match command {
        ImageCommand::List { of } => {
            let of = version(&team, &of).await?;
            let answer = team.api.get(&version_path(&team, &of, "/images")).await?;
            cx.show(&answer, || {
                print::line(format_args!("=== {} {} Images", of.project.name, of.version.name))?;
                show(&answer.json()?)
            })
        }
        ImageCommand::Add { of, images, registry } => {
            let of = version(&team, &of).await?;
            let registry = registry::find(&team, &registry).await?;
            let body = json!([{"registryId": registry.id, "images": images}]);
            let text = format!("Adding {} to {} {}...", images.join(", "), of.project.name, of.version.name);
            cx.work(&text, team.api.post(&version_path(&team, &of, "/images"), &body)).await.map(drop)
        }
        ImageCommand::Tag { of, image, tag } => {
            let (of, image) = find(&team, &of, &image).await?;
            let text = format!("Setting {} to {tag}...", text(&image, "name"));
            cx.work(&text, team.api.patch(&path(&team, &of, &image), &json!({"tag": tag}))).await.map(drop)
        }
        ImageCommand::Order { of, images } => order(cx, &team, &of, &images).await,
        ImageCommand::Config(command) => image_config::config(cx, &team, command).await,
        ImageCommand::Remove { of, image } => {
            let (of, image) = find(&team, &of, &image).await?;
            let text = format!("Removing {} from {} {}...", text(&image, "name"), of.project.name, of.version.name);
            cx.work(&text, team.api.delete(&path(&team, &of, &image))).await.map(drop)
        }
    }
}

/// Writes images: name, tag, registry.
pub fn show(list: &Value) -> Result {
    let rows =
        list.as_array().into_iter().flatten().map(|it| {
            vec![text(it, "name"), text(it, "tag"), text(&it["registry"], "name"), text(&it["config"], "name")]
        });
    print::table::rows(&rows.collect::<Vec<_>>())
}

async fn version(team: &Team, of: &OfVersion) -> Result<VersionFound> {
    find_version(team, &of.project, of.version.as_deref()).await
}

async fn images(team: &Team, of: &VersionFound) -> Result<Vec<Value>> {
    Ok(team.api.get(&version_path(team, of, "/images")).await?.json()?)
}

/// The one of a list that has this id, name, or name of its container.
pub fn named<'a>(list: &'a [Value], named: &str, command: &str) -> Result<&'a Value> {
    let by = |is_it: &dyn Fn(&Value) -> bool| list.iter().find(|one| is_it(one));
    by(&|one| one["id"] == named)
        .or_else(|| by(&|one| one["name"] == named))
        .or_else(|| by(&|one| one["config"]["name"] == named))
        .ok_or_else(|| missing("image", named, list.iter().filter_map(|one| one["name"].as_str()), command))
}

/// The image of a version that has this name, with the version.
pub async fn find(team: &Team, of: &OfVersion, name: &str) -> Result<(VersionFound, Value)> {
    let of = version(team, of).await?;
    let list = images(team, &of).await?;
    let found = named(&list, name, &format!("images:list {}", of.project.name))?.clone();
    Ok((of, found))
}

/// The path of an image.
pub fn path(team: &Team, of: &VersionFound, image: &Value) -> String {
    version_path(team, of, &format!("/images/{}", segment(&text(image, "id"))))
}

async fn order(cx: &Context, team: &Team, of: &OfVersion, wanted: &[String]) -> Result {
    let of = version(team, of).await?;
    let list = images(team, &of).await?;
    let command = format!("images:list {}", of.project.name);
    let mut ids: Vec<String> = Vec::new();
    for name in wanted {
        let id = text(named(&list, name, &command)?, "id");
        if ids.contains(&id) {
            return Err(Error::new(format!("{name} is named twice")));
        }
        ids.push(id);
    }
    let rest: Vec<String> = list.iter().map(|one| text(one, "id")).filter(|id| !ids.contains(id)).collect();
    ids.extend(rest);
    let text = format!("Ordering the images of {} {}...", of.project.name, of.version.name);
    cx.work(&text, team.api.put(&version_path(team, &of, "/images/order"), &ids)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_by_id_name_or_container() {
        let list = [
            json!({"id": "1", "name": "nginx", "config": {"name": "web"}}),
            json!({"id": "2", "name": "web", "config": {"name": "api"}}),
        ];
        for (name, want) in [("1", "1"), ("nginx", "1"), ("web", "2"), ("api", "2")] {
            assert_eq!(named(&list, name, "images:list x").unwrap()["id"], want, "{name}");
        }
        assert!(named(&list, "none", "images:list x").is_err());
    }
}
