"""What a `.keras` file says of its model, read without loading it: Keras takes seconds, and its layers may run code."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converters.errors import ConversionError

_RECURRENT = {"RNN", "LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
_MAX_CONFIG_BYTES = 4_000_000


def recurrent_loops(path: Path) -> list[str]:
    """Names of the recurrent layers that convert to a WHILE loop: those that are not unrolled.

    Raises:
        ConversionError: the file is no Keras model.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open("config.json") as member:
            config = json.loads(member.read(_MAX_CONFIG_BYTES))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        msg = f"{path}: not a Keras model ({reason}); train it again with edge-train"
        raise ConversionError(msg) from error
    return [
        str(layer["config"].get("name", layer["class_name"]))
        for layer in _layers(config)
        if layer["class_name"] in _RECURRENT and not layer["config"].get("unroll")
    ]


def _layers(node: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - parsed JSON
    if isinstance(node, dict):
        if isinstance(node.get("config"), dict) and "class_name" in node:
            yield node
        for value in node.values():
            yield from _layers(value)
    elif isinstance(node, list):
        for value in node:
            yield from _layers(value)
