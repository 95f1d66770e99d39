"""Runs on the emulated device: the golden pairs, for every form of the models that its runtime shall run."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import distribution, version
from importlib.util import find_spec

import edge_agent
from edge_agent.inference.activity import SHIPPED_BUNDLE as ACTIVITY_BUNDLE
from edge_agent.inference.bundle import StreamingCell, read_bundle
from edge_agent.inference.choice import open_cell, open_classifier
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.recovery import SHIPPED_BUNDLE as RECOVERY_BUNDLE
from edge_agent.inference.runtime import RUNTIMES, golden_error, load

forms = []
steps = {}
chosen = {}
for path in (SHIPPED_BUNDLE, RECOVERY_BUNDLE, ACTIVITY_BUNDLE):
    bundle = read_bundle(path)
    task, interface = bundle.manifest.task, bundle.manifest.interface
    cell = isinstance(interface, StreamingCell)
    model = open_cell(bundle) if cell else open_classifier(bundle)
    chosen[task] = model.recipe
    steps[task] = len(bundle.golden_inputs)
    for variant in bundle.manifest.variants:
        if model.runtime in variant.runtimes:
            form = load(
                bundle.models[variant.recipe],
                recipe=variant.recipe,
                runtime=model.runtime,
                state_size=interface.state_size if isinstance(interface, StreamingCell) else None,
            )
            forms.append(
                {
                    "task": task,
                    "recipe": variant.recipe,
                    "error": golden_error(form, bundle),
                    "tolerance": variant.tolerance,
                }
            )

report = {
    "machine": platform.machine(),
    "python": platform.python_version(),
    "package": edge_agent.__file__,
    "runtimes": [name for name, module in RUNTIMES.items() if find_spec(module.partition(".")[0])],
    "runtime": f"{model.runtime} {version(model.runtime)}",
    "numpy": version("numpy"),
    "commands": sorted(e.name for e in distribution("heartline").entry_points),
    "tensorflow": "tensorflow" in sys.modules,
    "chosen": chosen,
    "steps": steps,
    "forms": forms,
}
sys.stdout.write(json.dumps(report))
