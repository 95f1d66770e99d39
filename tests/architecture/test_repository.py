"""The repository speaks of the product, not of the machine it was written on."""

from __future__ import annotations

import os
import re

from tests.architecture.imports import PACKAGES, REPOSITORY

TEXT = {".cfg", ".csv", ".json", ".md", ".py", ".service", ".sh", ".sql", ".toml", ".txt", ".yml", ""}
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:work|root|home/\w+|Users/\w+)/")


def test_no_file_names_a_path_of_one_machine() -> None:
    folders = (*PACKAGES, "tests", "docs", ".ci")
    files = [file for folder in folders for file in (REPOSITORY / folder).rglob("*")]
    files += [file for file in REPOSITORY.iterdir() if file.name != ".git"]  # a file in a linked worktree
    texts = {file for file in files if file.is_file() and file.suffix in TEXT}
    assert REPOSITORY / "Makefile" in texts
    found = {str(file): match[0] for file in texts if (match := MACHINE_PATH.search(file.read_text(encoding="utf-8")))}
    assert not found


def test_what_is_run_directly_is_executable() -> None:
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)
    assert os.access(REPOSITORY / "tests" / "arm" / "device.sh", os.X_OK)
