"""What is committed works anywhere: it names no package index and no folder of somebody's machine."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NOT_COMMITTED = re.compile(
    r"\.git|\.venv|\.stepwell|\.\w+_cache|\.hypothesis|__pycache__|node_modules|dist|build|uv\.lock|.*\.egg-info"
)
# In brackets, so that this file does not name them itself.
INDEXES = re.compile(r"pyp[i][.]org|pythonhoste[d]|npmj[s][.]org|deb[.]debia[n][.]org|--(extra-)?index-ur[l]")
FOLDERS = re.compile(r"(?<![\w.])/(roo[t]|wor[k]|hom[e]/\w+|User[s]/\w+)/\w")


def committed() -> Iterator[tuple[Path, str]]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not NOT_COMMITTED.fullmatch(name)]
        for name in files:
            if not NOT_COMMITTED.fullmatch(name):
                path = Path(folder) / name
                yield path.relative_to(ROOT), path.read_text(errors="replace")


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in committed()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def locked_versions() -> dict[str, str]:
    lock = (ROOT / "requirements.lock").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))


def test_no_committed_file_names_a_package_index() -> None:
    assert lines_that_match(INDEXES) == []


def test_no_committed_file_names_a_folder_of_a_machine() -> None:
    assert lines_that_match(FOLDERS) == []


def test_the_lock_holds_no_address_and_a_hash_for_every_package() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    hashed = re.findall(r"^[a-z0-9-]+==\S+.*\\\n +--hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert len(hashed) == len(locked_versions()) > 0


def test_the_lock_covers_what_the_project_asks_for_and_what_builds_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(line for name in ("embedded", "dev") for line in project["project"]["optional-dependencies"][name]),
    ]
    locked = locked_versions()
    missing = [
        line
        for line in asked
        if not (wanted := Requirement(line)).specifier.contains(
            locked.get(canonicalize_name(wanted.name), "0"), prereleases=True
        )
    ]
    assert missing == []
