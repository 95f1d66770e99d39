"""Model bundles: one zip file with a manifest, the model in one or more forms, and golden pairs.

    manifest.json         what the model is, what it was trained on, how good it is, what each file must hash to
    <recipe>.tflite       the model, once per quantisation recipe
    golden_inputs.npy     float32 (steps, *input): a sequence of inputs, for a cell from zero state
    golden_outputs.npy    float32 (steps, outputs): what the float model answered to it

A bundle is read whole into memory and never unpacked to disk. All of it is untrusted until its hashes are checked: the
archive holds these members and no other, each once, each a plain file with a bound on its size. No form of the model is
used before it has answered the golden pairs (`edge_agent.inference.choice`).

A model has one of two interfaces. A `StreamingCell` takes one second at a time and carries its state: two inputs, `x`
float32 (1, features) and `state` float32 (1, state_size), and two outputs, `y` float32 (1, outputs) and the next
`state`; the three sizes differ, so that a tensor is known by its shape alone. The first half of the state is the LSTM's
hidden state. A `WindowClassifier` takes a window, float32 (1, samples, channels), and answers with one logit per label,
float32 (1, labels).
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent import __version__
from edge_agent.errors import BundleError
from edge_agent.inference.archive import Members, array, refused

SCHEMA = 2
MANIFEST = "manifest.json"
GOLDEN_INPUTS = "golden_inputs.npy"
GOLDEN_OUTPUTS = "golden_outputs.npy"

MAX_BUNDLE_BYTES = 8_000_000  # the shipped ones are well under 300 kB
_MAX_STATE = 65_536  # values; a state is allocated before anything of it is checked

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes for the same content


class DataSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data set that the model was trained on.

    Attributes:
        name: the data set.
        licence: SPDX identifier.
        url: where it comes from.
        people: how many people it holds.
        hours: recorded hours used.
    """

    name: str
    licence: str
    url: str
    people: int
    hours: float


class Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One measured figure of the model or of a baseline on the same origins.

    Attributes:
        data_set: what was scored, e.g. `published-test`.
        method: `lstm`, `persistence`, `trees`, ...
        measure: what the figure is, with its unit: `mae_bpm` (mean absolute error), `macro_f1`, ...
        value: the figure.
        horizon_s: seconds ahead, for a forecast.
        interval: bounds of the 95 % bootstrap interval over people, where there is one.
    """

    data_set: str
    method: str
    measure: str
    value: float
    horizon_s: int | None = None
    interval: tuple[float, float] | None = None


class StreamingCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="streaming-cell"):
    """A recurrent model of one second at a time, whose outputs are quantiles of a change in heart rate.

    Attributes:
        contract: the feature contract that makes its input (`edge_agent.signals.features.CONTRACT`).
        features: names of the inputs, in order.
        state_size: values of carried state.
        horizons_s: seconds ahead, in the order of the outputs.
        quantiles: of the change from now in bpm, in the order of the outputs within a horizon.
    """

    contract: str
    features: tuple[str, ...]
    state_size: int
    horizons_s: tuple[int, ...]
    quantiles: tuple[float, ...]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return (len(self.features),)

    @property
    def output_size(self) -> int:
        """Values in one output."""
        return len(self.horizons_s) * len(self.quantiles)


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a classifier's logits become an answer.

    Attributes:
        temperature: the probabilities are softmax(logits / temperature).
        unknown_below: a window whose highest probability is lower is answered with `unknown`.
    """

    temperature: float
    unknown_below: float


class WindowClassifier(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="window-classifier"
):
    """A model of one window of a signal at a time, whose outputs are one logit per label.

    Attributes:
        contract: the contract that makes its windows out of a sensor's samples.
        channels: names of the channels with their units, in order.
        samples: in a window.
        sample_rate_hz: of the window.
        labels: in the order of the outputs.
        calibration: by sensor placement (`chest`, `wrist`); those that are not named are not served.
    """

    contract: str
    channels: tuple[str, ...]
    samples: int
    sample_rate_hz: float
    labels: tuple[str, ...]
    calibration: dict[str, Calibration]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return (self.samples, len(self.channels))

    @property
    def output_size(self) -> int:
        """Values in one output."""
        return len(self.labels)


Interface = StreamingCell | WindowClassifier


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One form of the model.

    Attributes:
        recipe: name of the quantisation recipe, e.g. `float32`.
        file: name of the member that holds it.
        sha256: of that member, in hex.
        runtimes: the runtimes it was verified on: `tflite-runtime`, `ai-edge-litert`.
        max_error: largest deviation from the float model over those runtimes, in the outputs' unit (bpm of a cell,
            logits of a classifier).
        tolerance: largest deviation from the golden outputs that a device accepts.
    """

    recipe: str
    file: str
    sha256: str
    runtimes: tuple[str, ...]
    max_error: float
    tolerance: float


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bundle says of itself.

    Attributes:
        schema: version of this layout.
        task: `workout`, `recovery`, `activity`.
        version: version of the model.
        interface: its inputs and outputs.
        data: what it was trained on.
        metrics: what was measured, baselines beside the model.
        sha256: of the golden members, by name.
        minimum_agent_version: the oldest agent that can run it.
        variants: forms of the model, the preferred one first.
    """

    schema: int
    task: str
    version: str
    interface: Interface
    data: tuple[DataSource, ...]
    metrics: tuple[Metric, ...]
    sha256: dict[str, str]
    minimum_agent_version: str
    variants: tuple[Variant, ...]

    @property
    def cell(self) -> StreamingCell:
        """The interface of a streaming model.

        Raises:
            BundleError: it is another kind of model.
        """
        if not isinstance(self.interface, StreamingCell):
            msg = f"the {self.task} model {self.version} is not a streaming cell; name the bundle of another model"
            raise BundleError(msg)
        return self.interface

    @property
    def classifier(self) -> WindowClassifier:
        """The interface of a classifier of windows.

        Raises:
            BundleError: it is another kind of model.
        """
        if not isinstance(self.interface, WindowClassifier):
            msg = f"the {self.task} model {self.version} is not a window classifier; name the bundle of another model"
            raise BundleError(msg)
        return self.interface


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle whose hashes hold.

    Attributes:
        manifest: what it says of itself.
        models: recipe to the bytes of that TFLite model.
        golden_inputs: float32 (steps, *input shape).
        golden_outputs: float32 (steps, outputs), as the float model answered.
    """

    manifest: Manifest
    models: dict[str, bytes]
    golden_inputs: NDArray[np.float32]
    golden_outputs: NDArray[np.float32]


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and check all that can be checked without running it.

    Raises:
        BundleError: the file cannot be read, is no bundle, or fails a check; the message names the reason.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); reinstall heartline or name another bundle"
        raise BundleError(msg) from error
    if len(content) > MAX_BUNDLE_BYTES:
        raise refused(path, f"larger than {MAX_BUNDLE_BYTES} bytes")
    return _checked(path, Members(path, content))


def write_bundle(path: Path, manifest: Manifest, models: dict[str, bytes], golden: dict[str, bytes]) -> None:
    """Write a bundle: the same content gives the same bytes.

    Args:
        path: file to write.
        manifest: with the hashes of what follows.
        models: member name to TFLite model.
        golden: member name to .npy file.
    """
    members = {MANIFEST: msgspec.json.format(msgspec.json.encode(manifest)), **models, **golden}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)


class _Schema(msgspec.Struct):
    """What is read first: another schema has other fields."""

    schema: int


def _checked(path: Path, members: Members) -> Bundle:
    manifest = _manifest(path, members.read(MANIFEST, None))
    models = {v.recipe: members.read(v.file, v.sha256) for v in manifest.variants}
    inputs, outputs = (
        array(path, name, members.read(name, manifest.sha256.get(name, ""))) for name in (GOLDEN_INPUTS, GOLDEN_OUTPUTS)
    )
    if members.unread:
        raise refused(path, f"members that the manifest does not name: {', '.join(members.unread)}")
    steps, interface = len(inputs), manifest.interface
    if inputs.shape != (steps, *interface.input_shape) or outputs.shape != (steps, interface.output_size) or not steps:
        raise refused(path, f"golden pairs of shapes {inputs.shape} and {outputs.shape} do not fit the manifest")
    return Bundle(manifest, models, inputs, outputs)


def _manifest(path: Path, text: bytes) -> Manifest:
    try:
        schema = msgspec.json.decode(text, type=_Schema).schema
        if schema != SCHEMA:
            raise refused(path, f"unknown manifest schema {schema}, this agent reads {SCHEMA}")
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refused(path, f"the manifest does not follow schema {SCHEMA} ({error})") from error
    if _version(manifest.minimum_agent_version) > _version(__version__):
        msg = (
            f"{path}: needs agent {manifest.minimum_agent_version} or newer, this is {__version__}; "
            "upgrade heartline or use an older bundle"
        )
        raise BundleError(msg)
    if not manifest.variants:
        raise refused(path, "no form of the model in it")
    if len({v.recipe for v in manifest.variants}) < len(manifest.variants):
        raise refused(path, "a form of the model is in it twice")
    if isinstance(manifest.interface, StreamingCell):
        cell = manifest.interface
        if not 0 < cell.state_size <= _MAX_STATE:
            raise refused(path, f"a state of {cell.state_size} values, 1 to {_MAX_STATE} are allowed")
        if len({len(cell.features), cell.output_size, cell.state_size}) < 3:  # noqa: PLR2004 - three tensors
            raise refused(path, "features, outputs and state have to differ in size")
    return manifest


def _version(text: str) -> tuple[int, ...]:
    """Major, minor, patch; anything else sorts above every agent, so that it is refused."""
    match = re.fullmatch(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", text)
    return tuple(map(int, match.groups())) if match else (1_000_000,)
