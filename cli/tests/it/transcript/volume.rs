use super::World;

#[test]
fn volumes() {
    let world = World::new().with_build();
    shows!(world.bob(&[
        "volumes -a foo",
        "volumes:create data 500M -a foo",
        "volumes:create data 1G -a foo",
        "volumes:create Data 1G -a foo",
        "volumes:create logs 1T -a foo",
        "volumes:create logs 1G -a foo",
        "volumes:mount data web=/data -a foo",
        "volumes:mount data web=/data -a foo",
        "volumes:mount data web -a foo",
        "volumes:mount data web=/etc -a foo",
        "volumes:mount data none=/data -a foo",
        "volumes:mount logs web=/data -a foo",
        "volumes:mount none web=/data -a foo",
        "volumes -a foo",
        "volumes --json -a foo",
        "releases -a foo",
        "run --mount data:/in -a foo -- ls /in",
        "run --mount data:in -a foo -- ls",
        "volumes:expand data 1G -a foo",
        "volumes:expand data 500M -a foo",
        "volumes:delete data -a foo",
        "volumes:unmount data web -a foo",
        "volumes:unmount data web -a foo",
        "volumes:delete data -a foo",
        "volumes:delete data -a foo",
        "volumes -a foo",
    ]), @r##"
    $ volumes -a foo
    Could not find any volume
    $ volumes:create data 500M -a foo
    Creating data to foo... done
    $ volumes:create data 1G -a foo
    Creating data to foo...
    ! Error: Volume data already exists
    = 1
    $ volumes:create Data 1G -a foo
    Creating Data to foo...
    ! Error: Can only contain a-z (lowercase), 0-9 and hyphens
    = 1
    $ volumes:create logs 1T -a foo
    Creating logs to foo...
    ! Error: size: Volume size limit format: <number><unit>, where unit = M or G
    = 1
    $ volumes:create logs 1G -a foo
    Creating logs to foo... done
    $ volumes:mount data web=/data -a foo
    Mounting volume... done
    $ volumes:mount data web=/data -a foo
    Mounting volume...
    ! Error: mount path not changed
    = 1
    $ volumes:mount data web -a foo
    ! Error: 'web' does not match the pattern 'type=path', ex: web=/data
    = 1
    $ volumes:mount data web=/etc -a foo
    Mounting volume...
    ! Error: path: Nothing can be mounted there: processes need what is in it. Choose a directory of the app's own, such as /app/data.
    = 1
    $ volumes:mount data none=/data -a foo
    Mounting volume...
    ! Error: process type none is not included in profile
    = 1
    $ volumes:mount logs web=/data -a foo
    Mounting volume...
    ! Error: path /data is used by another volume
    = 1
    $ volumes:mount none web=/data -a foo
    Mounting volume...
    ! Error: No Volume matches the given query.
    = 1
    $ volumes -a foo
    === foo volumes
    --- data	500M
    web		/data
    --- logs	1G
    $ volumes --json -a foo
    {
      "count": 2,
      "next": null,
      "previous": null,
      "results": [
        {
          "app": "foo",
          "created": "[time]",
          "name": "data",
          "owner": "bob",
          "path": {
            "web": "/data"
          },
          "size": "500M",
          "updated": "[time]",
          "uuid": "[uuid]"
        },
        {
          "app": "foo",
          "created": "[time]",
          "name": "logs",
          "owner": "bob",
          "path": {},
          "size": "1G",
          "updated": "[time]",
          "uuid": "[uuid]"
        }
      ]
    }
    $ releases -a foo
    === foo Releases
    v3	[time]	bob changed volume mount for data
    v2	[time]	bob deployed example/foo:1
    v1	[time]	bob created initial release
    $ run --mount data:/in -a foo -- ls /in
    ls /in
    ! Running 'ls /in'...
    $ run --mount data:in -a foo -- ls
    ! Running 'ls'...
    ! Error: 'data:in' does not match the pattern 'volume:path', ex: data:/data
    = 1
    $ volumes:expand data 1G -a foo
    Expanding data to 1G... done
    $ volumes:expand data 500M -a foo
    Expanding data to 500M...
    ! Error: A volume can only grow: 500M is not more than 1G.
    = 1
    $ volumes:delete data -a foo
    Deleting data from foo...
    ! Error: the volume is not unmounted
    = 1
    $ volumes:unmount data web -a foo
    Unmounting volume... done
    $ volumes:unmount data web -a foo
    Unmounting volume...
    ! Error: Unable to process your request: web does not exist under volume
    = 1
    $ volumes:delete data -a foo
    Deleting data from foo... done
    $ volumes:delete data -a foo
    Deleting data from foo...
    ! Error: No Volume matches the given query.
    = 1
    $ volumes -a foo
    === foo volumes
    --- logs	1G
    "##);
}
