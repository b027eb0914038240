use super::World;

#[test]
fn storages() {
    let world = World::acme_with("KEY", "hunter2");
    shows!(world.bob(&[
        "storages",
        "storages:add files https://s3.example.com --access-key AK --secret-key-from env:KEY",
        "storages:add files https://s3.example.com",
        "storages:add x ''",
        "storages",
        "storages:info files",
        "storages:update files --name old --description 'of last year'",
        "storages:info old",
        "storages:info files",
        "storages:remove old",
        "storages:remove old",
    ]), @r##"
    $ storages
    === acme Storages
    $ storages:add files https://s3.example.com --access-key AK --secret-key-from env:KEY
    Adding storage files to acme... done
    $ storages:add files https://s3.example.com
    Adding storage files to acme...
    ! Error: name taken
    = 1
    $ storages:add x ''
    Adding storage x to acme...
    ! Error: url must be a host or an http or https URL
    = 1
    $ storages
    === acme Storages
    files	https://s3.example.com
    $ storages:info files
    === files Storage
    url             https://s3.example.com
    access key      AK
    secret key      set
    in use          no
    id              [uuid]
    $ storages:update files --name old --description 'of last year'
    Updating storage files... done
    $ storages:info old
    === old Storage
    url             https://s3.example.com
    access key      AK
    secret key      set
    in use          no
    id              [uuid]
    $ storages:info files
    ! Error: there is no storage files
    !
    ! hint: `slipway storages` lists them
    = 1
    $ storages:remove old
    Removing storage old from acme... done
    $ storages:remove old
    ! Error: there is no storage old
    !
    ! hint: `slipway storages` lists them
    = 1
    "##);
}
