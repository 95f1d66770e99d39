from __future__ import annotations

import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge_agent.recordings.recording import Recording
from tests.training.conftest import write_neutral
from tests.training.inspect.test_acceleration import moving, write
from training import cli

_VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """Checks that elements are closed in order, and keeps what refers to something outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.headings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.headings += tag == "h2"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, recordings: list[Recording]) -> Path:
    folder = tmp_path_factory.mktemp("own <data>")
    for recording in recordings[:3]:
        write_neutral(recording, folder / recording.person / f"{recording.session}.csv")
    write(folder / "ben" / "walk.csv", moving(3, 30), activity="walk")
    (folder / "ada" / "<b>.csv").write_text("t_s,heart_rate_bpm\n0,fast\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    out = tmp_path_factory.mktemp("out") / "inspection"
    assert cli.main(["inspect", str(folder), "--out", str(out)]) == 0
    return out


def test_one_page_shows_both_kinds_of_data_and_needs_nothing_beside_it(out: Path) -> None:
    outline = Outline()
    outline.feed((out / "inspection.html").read_text(encoding="utf-8"))
    assert not outline.open
    assert outline.headings == 2
    assert len(outline.references) == 8
    assert all(reference.startswith("data:image/png;base64,") for reference in outline.references)


def test_names_of_files_are_text_and_no_markup(out: Path) -> None:
    page = (out / "inspection.html").read_text(encoding="utf-8")
    assert "<b>.csv" not in page
    assert "&lt;b&gt;.csv" in page


def test_pictures_are_files_too_and_nobody_else_may_read_any(out: Path) -> None:
    pictures = sorted(path.name for path in out.glob("*.png"))
    kinds = ("balance", "distributions", "gaps", "traces")
    assert pictures == [f"{kind}-{name}.png" for kind in ("acceleration", "heart-rate") for name in kinds]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_the_steps_are_printed_too(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(folder), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^read +4 -> 3 recordings$", printed.out, re.MULTILINE)
    assert re.search(r"^window +750 -> 750 samples$", printed.out, re.MULTILINE)
    assert "ada/<b>.csv: heart_rate_bpm is 'fast'" in printed.err


def test_a_folder_without_data_is_an_error_with_a_reason_for_each_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "heart rate: " in error
    assert "acceleration: " in error


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(tmp_path / "nowhere")]) == 2
    assert (
        capsys.readouterr().err
        == f"edge-train: {tmp_path / 'nowhere'} is not a folder; name the one that holds the recordings\n"
    )
