"""Runs on the emulated device: the golden pairs, for every form of the models that its runtime shall run."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import distribution, version
from importlib.util import find_spec

import edge_agent
from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.recovery import SHIPPED_BUNDLE as RECOVERY_BUNDLE
from edge_agent.inference.runtime import RUNTIMES, Cell, golden_error

forms = []
steps = {}
for path in (SHIPPED_BUNDLE, RECOVERY_BUNDLE):
    bundle = read_bundle(path)
    chosen = open_cell(bundle)
    steps[bundle.manifest.task] = len(bundle.golden_inputs)
    for variant in bundle.manifest.variants:
        if chosen.runtime in variant.runtimes:
            cell = Cell(
                bundle.models[variant.recipe],
                recipe=variant.recipe,
                runtime=chosen.runtime,
                state_size=bundle.manifest.cell.state_size,
            )
            forms.append(
                {
                    "task": bundle.manifest.task,
                    "recipe": variant.recipe,
                    "error": golden_error(cell, bundle),
                    "tolerance": variant.tolerance,
                }
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
    "steps": steps,
    "forms": forms,
}
sys.stdout.write(json.dumps(report))
