"""A real PostgreSQL for tests."""
import glob
import os
import pathlib
import pwd
import subprocess

from kiln_site import Skipped, free_port, temp_folder


class Postgres:
    """initdb and a server on a free port, as `nobody` when the test runs as root."""
    kind = "PostgreSQL"

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        if not found:
            raise Skipped("there is no PostgreSQL")
        self.bin = pathlib.Path(found[-1]).parent
        self.folder = temp_folder()
        self.port = free_port()
        self.user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        (self.folder / "password").write_text("very secret\n")
        os.chmod(self.folder / "password", 0o644)
        self.call(self.bin / "initdb", "-D", self.folder / "data", "-U", "kiln", "-A", "scram-sha-256", "--pwfile", self.folder / "password", "-E", "UTF8",
                  "--no-sync")
        self.start()
        self.options = (f'postgres {{ host "127.0.0.1"; port {self.port}; database "postgres"; user "kiln"; '
                        f'password file("{self.folder}/password") }}')

    def call(self, *command):
        identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=self.folder, **identity)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        self.call(self.bin / "pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o",
                  f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off", "start")

    def stop(self):
        self.call(self.bin / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")

    def run(self, sql):
        done = subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "kiln", "-d", "postgres", "-At", "-F", "\x1f", "-c", sql],
                              env={**os.environ, "PGPASSWORD": "very secret"}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\x1f")) for line in done.stdout.splitlines() if line and not line.startswith(("INSERT", "CREATE", "DELETE"))]
