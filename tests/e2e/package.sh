#!/usr/bin/env python3
"""The Debian package: made, installed, upgraded, removed and purged in a root of its own (an overlay over this machine's that is
thrown away), and what it installs works. Needs root, mount namespaces and dpkg; else it is skipped.

    package.sh SOURCE BUILD
"""
import pathlib
import sys

source, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
sys.path.insert(0, str(source / "tests/support"))
from kiln_site import *  # noqa: E402,F403

MEGABYTE = 1 << 20


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def make_package(folder):
    run(["cmake", "--build", str(build), "--target", "kiln", "kiln_package_files"])
    run(["cpack", "-G", "DEB", "-B", str(folder), "--config", str(build / "CPackConfig.cmake")], cwd=build)
    return next(folder.glob("*.deb"))


def next_version(package, folder):
    """The same with a later number: what an upgrade brings."""
    run(["dpkg-deb", "--raw-extract", str(package), str(folder / "tree")])
    control = folder / "tree/DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 99.0.0", control.read_text()))
    run(["dpkg-deb", "-Znone", "--build", str(folder / "tree"), str(folder / "next.deb")])
    return folder / "next.deb"


SCRIPT = r"""
set -eu
dpkg --purge kiln >/dev/null 2>&1 || true
rm -rf /etc/kiln /var/lib/kiln
say() { echo "== $*"; }

say install
dpkg --install FIRST
getent passwd kiln
[ "$(stat -c %U:%G:%a /var/lib/kiln)" = kiln:kiln:700 ]
[ "$(stat -c %U:%G:%a /etc/kiln/kiln.conf)" = root:kiln:640 ]
kiln version
kiln check /etc/kiln
[ -x /usr/bin/kiln ] && [ -f /lib/systemd/system/kiln.service ] && [ -f /usr/share/bash-completion/completions/kiln ]
[ -f /usr/share/man/man1/kiln.1.gz ] && [ -f /usr/share/kiln/monitoring/kiln.rules.yml ] && [ -f /usr/share/doc/kiln/sbom.cdx.json ]
bash -c 'source /usr/share/bash-completion/completions/kiln; COMP_WORDS=(kiln hl7 v); COMP_CWORD=2; _kiln; [[ " ${COMPREPLY[*]} " == *" validate "* ]]'

say serve
su -s /bin/sh kiln -c 'exec kiln run /etc/kiln' 2>/tmp/kiln.log & engine=$!
for i in $(seq 200); do grep -q 'ready (' /tmp/kiln.log && break; sleep 0.1; done
grep -q 'ready (' /tmp/kiln.log || { cat /tmp/kiln.log; exit 1; }
[ -S /var/lib/kiln/kiln.sock ]
pkill -TERM -P $engine 2>/dev/null || kill -TERM $engine
wait $engine

say upgrade
echo "// mine" >> /etc/kiln/kiln.conf
dpkg --install SECOND
grep -q "// mine" /etc/kiln/kiln.conf
dpkg-query -W -f '${Version}\n' kiln

say remove
dpkg --remove kiln
[ ! -e /usr/bin/kiln ] && [ -f /etc/kiln/kiln.conf ] && [ -d /var/lib/kiln/journal ]

say purge
dpkg --purge kiln
[ ! -e /etc/kiln/kiln.conf ] && [ -d /var/lib/kiln/journal ]
say done
"""


def the_package_is_installed_upgraded_removed_and_purged():
    if os.geteuid() != 0 or not shutil.which("dpkg") or not shutil.which("cpack") or not shutil.which("unshare"):
        raise Skipped("needs root, dpkg, cpack and unshare")
    folder = temp_folder()
    probe = subprocess.run(["unshare", "--mount", "sh", "-c",
                            f"mkdir -p {folder}/o && mount -t tmpfs none {folder}/o && mkdir {folder}/o/u {folder}/o/w {folder}/o/r && "
                            f"mount -t overlay -o lowerdir=/,upperdir={folder}/o/u,workdir={folder}/o/w none {folder}/o/r"],
                           capture_output=True)
    if probe.returncode != 0:
        raise Skipped("this machine does not let overlays be mounted")
    for name in ("a", "b"):
        (folder / name).mkdir()
    first = make_package(folder / "a")
    second = next_version(first, folder / "b")
    size = first.stat().st_size
    unpacked = int(run(["dpkg-deb", "--field", str(first), "Installed-Size"])) * 1024
    print(f"        {first.name}: {size / MEGABYTE:.1f} MB, installed {unpacked / MEGABYTE:.1f} MB; {run(['dpkg-deb', '--field', str(first), 'Depends']).strip()}")
    assert unpacked < 45 * MEGABYTE and size < 30 * MEGABYTE
    assert "/etc/kiln/kiln.conf" in run(["dpkg-deb", "--info", str(first), "conffiles"])
    (folder / "script").write_text(SCRIPT.replace("FIRST", "/package/first.deb").replace("SECOND", "/package/second.deb"))
    outer = (f"set -e; mount -t tmpfs none {folder}/o; mkdir {folder}/o/u {folder}/o/w {folder}/o/r; "
             f"mount -t overlay -o lowerdir=/,upperdir={folder}/o/u,workdir={folder}/o/w none {folder}/o/r; cd {folder}/o/r; mkdir -p package; "
             f"cp {first} package/first.deb; cp {second} package/second.deb; cp {folder}/script package/script; "
             "mount -t proc none proc; mount --bind /dev dev; mount -t tmpfs none tmp; chmod 1777 tmp; mount -t tmpfs none run; "
             "chroot . /bin/sh /package/script")
    print("        " + run(["unshare", "--mount", "--pid", "--fork", "sh", "-c", outer]).strip().replace("\n", "\n        "))


def the_unit_is_well_formed():
    if not shutil.which("systemd-analyze"):
        raise Skipped("systemd-analyze is not here")
    unit = temp_folder() / "kiln.service"
    unit.write_text((source / "engine/package/kiln.service").read_text().replace("/usr/bin/kiln ", "/bin/true "))  # not installed here
    run(["systemd-analyze", "verify", "--man=no", str(unit)])


sys.exit(run_cases([the_package_is_installed_upgraded_removed_and_purged, the_unit_is_well_formed]))
