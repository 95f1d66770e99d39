"""A form of the model is used when it answers the golden pairs, on the runtime it is going to run on."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_agent.errors import BundleError
from edge_agent.inference import choice
from edge_agent.inference.bundle import Bundle, Variant
from edge_agent.inference.choice import cache_folder, open_cell, open_classifier
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.runtime import RUNTIMES

CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"


@pytest.fixture(scope="module")
def two_forms(bundle: Bundle) -> Bundle:
    """The shipped float form, under two names: a second one to fall back on."""
    first = bundle.manifest.variants[0]
    second = msgspec.structs.replace(first, recipe="second")
    models = {first.recipe: bundle.models[first.recipe], "second": bundle.models[first.recipe]}
    return dataclasses.replace(with_variants(bundle, first, second), models=models)


def with_variants(bundle: Bundle, *variants: Variant) -> Bundle:
    return dataclasses.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, variants=variants))


def crashing(folder: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a runtime that dies on import in the place of the real one, for child processes alone."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").touch()
    (folder / package / "interpreter.py").write_text(CRASH)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")


def no_child(*_: object, **__: object) -> None:
    pytest.fail("a child process was started")


def test_the_shipped_bundle_is_small_and_runs_here(bundle: Bundle) -> None:
    assert SHIPPED_BUNDLE.stat().st_size < 300_000
    assert open_cell(bundle).recipe == bundle.manifest.variants[0].recipe


def test_a_form_that_answers_wrongly_is_passed_over(two_forms: Bundle) -> None:
    first, second = two_forms.manifest.variants
    strict = with_variants(two_forms, msgspec.structs.replace(first, tolerance=-1.0), second)
    assert open_cell(strict).recipe == "second"


def test_when_no_form_answers_rightly_the_reason_is_named(bundle: Bundle) -> None:
    off = dataclasses.replace(bundle, golden_outputs=bundle.golden_outputs + np.float32(5))
    with pytest.raises(BundleError, match=r"float32 on tflite-runtime: 5 off the golden pairs"):
        open_cell(off)


def test_an_answer_that_is_not_a_number_is_wrong(bundle: Bundle) -> None:
    nan = dataclasses.replace(bundle, golden_inputs=np.full_like(bundle.golden_inputs, np.nan))
    with pytest.raises(BundleError, match="nan off"):
        open_cell(nan)


def test_a_model_that_does_not_load_is_passed_over_with_its_reason(bundle: Bundle) -> None:
    broken = dataclasses.replace(bundle, models=dict.fromkeys(bundle.models, b"no model"))
    with pytest.raises(BundleError, match=r"float32 on tflite-runtime: \w+"):
        open_cell(broken)


def test_a_runtime_that_is_not_installed_is_passed_over(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "tflite-runtime", "no_such_module")
    assert open_cell(bundle).runtime == "ai-edge-litert"


def test_without_any_runtime_the_remedy_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "RUNTIMES", dict.fromkeys(RUNTIMES, "no_such_module"))
    with pytest.raises(BundleError, match=r"tflite-runtime is not installed.*pip install"):
        open_cell(bundle)


def test_a_runtime_that_crashes_is_passed_over(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing(tmp_path, "tflite_runtime", monkeypatch)
    assert open_cell(bundle).runtime == "ai-edge-litert"


def test_where_every_runtime_crashes_it_is_said_and_nothing_else_happens(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing(tmp_path, "tflite_runtime", monkeypatch)
    crashing(tmp_path, "ai_edge_litert", monkeypatch)
    with pytest.raises(BundleError, match=r"float32 on ai-edge-litert: the runtime crashed \(SIGSEGV\)"):
        open_cell(bundle, tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_where_no_child_can_be_started_the_golden_pairs_are_answered_here(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert open_cell(bundle).recipe == "float32"
    with pytest.raises(BundleError, match="5 off the golden pairs"):
        open_cell(dataclasses.replace(bundle, golden_outputs=bundle.golden_outputs + np.float32(5)))


def test_a_choice_once_made_costs_no_child(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_cell(bundle, tmp_path / "new")
    monkeypatch.setattr(subprocess, "run", no_child)
    again = open_cell(bundle, tmp_path / "new")
    assert (again.recipe, again.runtime) == (first.recipe, first.runtime)


@pytest.mark.parametrize("change", ["processor", "numpy", "runtime", "bundle"])
def test_a_choice_holds_as_long_as_nothing_it_depends_on_changes(
    change: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_cell(bundle, tmp_path)
    before = (tmp_path / "runtime-workout.json").read_bytes()
    if change == "processor":
        monkeypatch.setattr(choice, "_processor", lambda: ["model name\t: another"])
    elif change == "numpy":
        monkeypatch.setattr(np, "__version__", "1.99.0")
    elif change == "runtime":
        monkeypatch.setattr(choice, "_installed", lambda module: f"{module}-9.9.dist-info")
    else:
        bundle = dataclasses.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, version="9.9.9"))
    children = []
    run = subprocess.run

    def counted(*args: object, **kwargs: object) -> object:
        children.append(args)
        return run(*args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", counted)
    open_cell(bundle, tmp_path)
    assert len(children) == 1
    assert (tmp_path / "runtime-workout.json").read_bytes() != before


def test_a_choice_that_no_longer_holds_is_made_again(two_forms: Bundle, tmp_path: Path) -> None:
    open_cell(two_forms, tmp_path)
    file = tmp_path / "runtime-workout.json"
    kept = json.loads(file.read_bytes())
    file.write_text(json.dumps({**kept, "recipe": "second"}))
    first, _ = two_forms.manifest.variants
    models = {**two_forms.models, "second": b"no model"}  # the manifest is the same, so the choice is believed
    assert open_cell(dataclasses.replace(two_forms, models=models), tmp_path).recipe == first.recipe
    assert json.loads(file.read_bytes()) == kept


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"here": 1}', b"\xff"])
def test_a_damaged_choice_is_made_again(content: bytes, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "runtime-workout.json").write_bytes(content)
    assert open_cell(bundle, tmp_path).recipe == "float32"
    assert json.loads((tmp_path / "runtime-workout.json").read_bytes())["recipe"] == "float32"


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert open_cell(bundle, tmp_path / "file" / "below").recipe == "float32"


def test_a_bundle_of_another_kind_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="is not a window classifier"):
        open_classifier(bundle)


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/heartline:/var/cache/other", "HOME": "/h"}, "/var/cache/heartline"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/heartline"),
        ({"HOME": "/h"}, "/h/.cache/heartline"),
        ({}, None),
    ],
)
def test_where_choices_are_kept(environ: dict[str, str], folder: str | None) -> None:
    assert cache_folder(environ) == (folder and Path(folder))
