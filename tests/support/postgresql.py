#!/usr/bin/env python3
"""Runs a command with a PostgreSQL server of its own, whose address is in DATABASE_URL.

Usage: postgresql.py COMMAND [ARGUMENTS]. The server has a socket and no port; it and its data are gone with the command.
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Postgres:
    """A private server on a socket below `root`."""

    def __init__(self, root):
        places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        found = shutil.which("initdb")
        places += [pathlib.Path(found).parent] if found else []
        self.bin = next((place for place in places if (place / "initdb").exists()), None)
        if self.bin is None:
            sys.exit("PostgreSQL is not installed")
        self.home = root / "postgres"
        self.home.mkdir()
        self.who = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            self.who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            for folder in (root, self.home):
                folder.chmod(0o755)
            os.chown(self.home, account.pw_uid, account.pw_gid)
        data = self.home / "data"
        subprocess.run([self.bin / "initdb", "--username=slipway", "--auth=trust", "--encoding=UTF8", "--no-locale",
                        "-D", data], check=True, stdout=subprocess.DEVNULL, cwd=self.home, **self.who)
        self.child = subprocess.Popen(
            [self.bin / "postgres", "-D", data, "-k", self.home, "-c", "listen_addresses="], cwd=self.home,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.who)
        try:
            while subprocess.run([self.bin / "pg_isready", "-q", "-h", self.home]).returncode:
                if self.child.poll() is not None:
                    sys.exit("PostgreSQL did not start")
                time.sleep(0.05)
        except BaseException:
            self.__exit__()
            raise
        self.url = f"postgres://slipway@{str(self.home).replace('/', '%2F')}/postgres"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGINT)
        self.child.wait()


def main():
    with tempfile.TemporaryDirectory(prefix="slipway-postgresql-") as folder, Postgres(pathlib.Path(folder)) as server:
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "DATABASE_URL": server.url}).returncode)


if __name__ == "__main__":
    main()
