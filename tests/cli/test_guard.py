"""Another package of the same name must not run in place of ours."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from stepwell import guard


def finder(places: dict[str, Path | None]) -> guard.Finder:
    """Return a look-up that answers with these folders."""

    def find(name: str) -> ModuleSpec | None:
        place = places[name]
        return None if place is None else ModuleSpec(name, None, origin=str(place / name / "__init__.py"))

    return find


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return (tmp_path / "ours").resolve()


@pytest.fixture
def places(home: Path) -> dict[str, Path | None]:
    return dict.fromkeys(guard.PACKAGES, home)


def test_our_packages_side_by_side_pass(home: Path, places: dict[str, Path | None]) -> None:
    guard.check(finder(places), home)


def test_this_installation_passes() -> None:
    guard.check()


def test_a_strangers_package_is_refused_naming_both_paths(
    home: Path, places: dict[str, Path | None], tmp_path: Path
) -> None:
    places["api"] = tmp_path.resolve() / "theirs"

    with pytest.raises(SystemExit) as refused:
        guard.check(finder(places), home)

    assert str(tmp_path / "theirs" / "api") in str(refused.value)
    assert str(home / "api") in str(refused.value)


def test_a_missing_package_is_named(home: Path, places: dict[str, Path | None]) -> None:
    places["bridges"] = None

    with pytest.raises(SystemExit, match="'bridges' is missing"):
        guard.check(finder(places), home)


def test_a_folder_without_code_counts_as_a_stranger(home: Path, places: dict[str, Path | None], tmp_path: Path) -> None:
    def find(name: str) -> ModuleSpec | None:
        spec = finder(places)(name)
        if name == "bench":
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(tmp_path / "elsewhere" / "bench")]
        return spec

    with pytest.raises(SystemExit, match="elsewhere"):
        guard.check(find, home)
