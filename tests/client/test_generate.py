"""The client without `await` is made from the one with it, and is as the generator makes it."""

import shutil
from pathlib import Path

import pytest

from stepwell.client import generate


def test_the_blocking_client_is_made_from_the_awaited_one() -> None:
    assert generate.stale() == []


def test_the_check_names_what_was_changed_added_or_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Path(shutil.copytree(generate.TARGET, tmp_path / "blocking"))
    monkeypatch.setattr(generate, "TARGET", target)
    (target / "tasks.py").write_text((target / "tasks.py").read_text() + "# by hand\n")
    (target / "extra.py").write_text("")
    (target / "signals.py").unlink(missing_ok=True)
    (target / "client.py").unlink()

    assert generate.main(["--check"]) == 1
    told = capsys.readouterr().out
    assert [name for name in ("tasks.py", "extra.py", "client.py", "caller.py") if name in told] == [
        "tasks.py",
        "extra.py",
        "client.py",
    ]
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_nothing_of_await_is_left() -> None:
    for path in generate.TARGET.glob("*.py"):
        text = path.read_text().replace("awaited/", "").replace("`await`", "").replace("`awaited`", "")
        assert [word for word in ("await", "async", "Async") if word in text] == [], path.name
