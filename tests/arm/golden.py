"""Runs on the emulated device: the golden pairs, for every form of the model that its runtime shall run."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import distribution, version
from importlib.util import find_spec

import edge_agent
from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.runtime import RUNTIMES, Cell, golden_error_bpm, open_cell

bundle = read_bundle(SHIPPED_BUNDLE)
chosen = open_cell(bundle)
forms = []
for variant in bundle.manifest.variants:
    if chosen.runtime in variant.runtimes:
        cell = Cell(
            bundle.models[variant.recipe],
            recipe=variant.recipe,
            runtime=chosen.runtime,
            state_size=bundle.manifest.state_size,
        )
        error_bpm = golden_error_bpm(cell, bundle)
        forms.append(
            {"recipe": variant.recipe, "error_bpm": error_bpm, "tolerance_bpm": variant.tolerance_bpm},
        )

report = {
    "machine": platform.machine(),
    "python": platform.python_version(),
    "package": edge_agent.__file__,
    "runtimes": [name for name, module in RUNTIMES.items() if find_spec(module.partition(".")[0])],
    "runtime": f"{chosen.runtime} {version(chosen.runtime)}",
    "numpy": version("numpy"),
    "commands": sorted(e.name for e in distribution("heartline").entry_points),
    "tensorflow": "tensorflow" in sys.modules,
    "chosen": chosen.recipe,
    "steps": len(bundle.golden_inputs),
    "forms": forms,
}
sys.stdout.write(json.dumps(report))
