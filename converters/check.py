"""Checks a bundle beyond what a device does: every form on every runtime it names, and the licences of its data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from converters.compare import Environments
from converters.errors import ConversionError
from converters.measure import measure
from edge_agent.inference.bundle import StreamingCell, read_bundle


def check(path: Path, environments: Environments) -> Iterator[str]:
    """Check a bundle; what was found right is said line by line.

    Args:
        path: of the bundle.
        environments: where each runtime is run, or why it cannot be.

    Raises:
        BundleError: it fails one of the checks that a device makes.
        ConversionError: it fails one of the others.
    """
    bundle = read_bundle(path)
    manifest = bundle.manifest
    yield f"{manifest.task} {manifest.version}, schema {manifest.schema}: every member has the hash it should have"
    yield f"needs agent {manifest.minimum_agent_version} or newer"
    unlicensed = [source.name for source in manifest.data if not source.licence.strip()]
    if unlicensed or not manifest.data:
        what = f"no licence is stated for {', '.join(unlicensed)}" if unlicensed else "it does not say what it learned"
        msg = f"{path}: {what}; train the model again with edge-train, which states the licences of its data"
        raise ConversionError(msg)
    yield "trained on " + ", ".join(f"{source.name} ({source.licence})" for source in manifest.data)
    interface = manifest.interface
    state_size = interface.state_size if isinstance(interface, StreamingCell) else None
    for variant in manifest.variants:
        for runtime in variant.runtimes:
            where = f"{variant.recipe} on {runtime}"
            environment = environments.get(runtime, "no such runtime is known")
            if isinstance(environment, str):
                msg = f"{path}: {where} cannot be checked ({environment})"
                raise ConversionError(msg)
            try:
                model = bundle.models[variant.recipe]
                measured = measure(model, environment, [bundle.golden_inputs], state_size=state_size)
            except ConversionError as error:
                msg = f"{path}: {where}: {error}; convert the model again"
                raise ConversionError(msg) from error
            off = float(np.abs(measured.answers[0] - bundle.golden_outputs).max())
            if not off <= variant.tolerance:
                msg = (
                    f"{path}: {where} is {off:.3g} off the golden pairs, {variant.tolerance:.3g} allowed; "
                    "convert the model again"
                )
                raise ConversionError(msg)
            yield f"{where} ({environment.versions}): {off:.2g} off the golden pairs, {variant.tolerance:.2g} allowed"
