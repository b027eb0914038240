use super::World;

#[test]
fn templates() {
    let world = World::acme();
    shows!(world.bob(&[
        "templates",
        "templates:use wordpress blog",
        "templates:use wordpress blog",
        "templates:use none other",
        "templates:use gitea code --versioned --description Ours",
        "templates:use gitea code2 --team none",
        "projects",
        "projects:info code",
        "images:list blog",
    ]), @r##"
    $ templates
    === Templates
    drupal	Drupal	Drupal,PHP,PostgreSQL
    ghost	Ghost	Ghost,Node.js,MySQL
    gitea	Gitea	Gitea,Go,SQLite
    grafana	Grafana with Prometheus	Grafana,Prometheus,Go
    minecraft	Minecraft server	Minecraft,Java
    miniflux	Miniflux	Miniflux,Go,PostgreSQL
    nextcloud	Nextcloud	Nextcloud,PHP,MariaDB,Redis
    uptime-kuma	Uptime Kuma	Uptime Kuma,Node.js,SQLite
    vaultwarden	Vaultwarden	Vaultwarden,Rust,SQLite
    wordpress	WordPress	WordPress,PHP,MariaDB
    $ templates:use wordpress blog
    Creating project blog in acme from wordpress... done
    $ templates:use wordpress blog
    Creating project blog in acme from wordpress...
    ! Error: name taken
    = 1
    $ templates:use none other
    Creating project other in acme from none...
    ! Error: There is no such template.
    = 1
    $ templates:use gitea code --versioned --description Ours
    Creating project code in acme from gitea... done
    $ templates:use gitea code2 --team none
    ! Error: there is no team none
    !
    ! hint: `slipway teams` lists them
    = 1
    $ projects
    === acme Projects
    blog	versionless
    code	versioned	Ours
    $ projects:info code
    === code Project
    type             versioned
    description      Ours
    id               [uuid]
    updated          [time]
    === Versions (*=default)
    *1.0.0	incremental
    $ images:list blog
    === blog rolling Images
    mariadb	11.4	Docker Hub Library	wordpress-db
    wordpress	6.8-apache	Docker Hub Library	wordpress
    "##);
}
