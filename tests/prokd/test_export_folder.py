"""An export never takes away what no export wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from prokd.encoder.export_folder import check_destination, is_export, new_folder, remove_export
from prokd.errors import UserError


def _export(destination: Path, content: str = "w") -> Path:
    with new_folder(destination, {"signature": content}) as part:
        (part / "model.safetensors").write_text(content)
        (part / "config.json").write_text("{}")
    return destination


def test_a_new_place_an_empty_folder_and_an_older_export_take_it(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (tmp_path / "deep" / "new", empty, empty):
        assert is_export(_export(place))
    _export(empty, "newer")
    assert (empty / "model.safetensors").read_text() == "newer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty"]


def test_somebodys_folder_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    monkeypatch.chdir(mine)
    for place in (mine, Path()):
        with pytest.raises(UserError, match=r"holds thesis\.tex; nothing is removed"):
            check_destination(place)
        with pytest.raises(UserError, match="nothing is removed"):
            _export(place)
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not remove_export(mine)


def test_an_export_with_something_added_is_somebodys(tmp_path: Path) -> None:
    place = _export(tmp_path / "out")
    (place / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes\.txt"):
        _export(place, "newer")
    assert not remove_export(place)
    assert (place / "model.safetensors").read_text() == "w"


def test_an_export_that_lacks_a_file_is_no_export(tmp_path: Path) -> None:
    place = _export(tmp_path / "out")
    (place / "model.safetensors").unlink()
    assert not is_export(place)


def test_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        check_destination(tmp_path / "out")


def test_an_export_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    place = _export(tmp_path / "out")

    def fail(part: Path) -> None:
        (part / "model.safetensors").write_text("half")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"), new_folder(place, {}) as part:
        fail(part)
    assert (place / "model.safetensors").read_text() == "w"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_can_be_removed(tmp_path: Path) -> None:
    assert remove_export(_export(tmp_path / "out"))
    assert not list(tmp_path.iterdir())
