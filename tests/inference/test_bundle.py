"""A bundle is refused, with its reason, unless every check holds."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.errors import BundleError
from edge_agent.inference.archive import MAX_MEMBER_BYTES, MAX_MEMBERS, MAX_TOTAL_BYTES, sha256
from edge_agent.inference.bundle import (
    GOLDEN_INPUTS,
    GOLDEN_OUTPUTS,
    MANIFEST,
    MAX_BUNDLE_BYTES,
    SCHEMA,
    Calibration,
    Manifest,
    Metric,
    StreamingCell,
    Variant,
    WindowClassifier,
    read_bundle,
    write_bundle,
)
from tests.fuzz_bundles import mutated

MODEL = b"not run here"
VARIANT = Variant(
    recipe="float32",
    file="float32.tflite",
    sha256=sha256(MODEL),
    runtimes=("tflite-runtime",),
    max_error=0.0,
    tolerance=0.01,
)


def npy(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


GOLDEN = {
    GOLDEN_INPUTS: npy(np.zeros((5, 2), np.float32)),
    GOLDEN_OUTPUTS: npy(np.zeros((5, 3), np.float32)),
}


def cell(**changes: object) -> StreamingCell:
    right = StreamingCell(
        contract="workout-1", features=("a", "b"), state_size=8, horizons_s=(10,), quantiles=(0.1, 0.5, 0.9)
    )
    return msgspec.structs.replace(right, **changes)


def classifier() -> WindowClassifier:
    return WindowClassifier(
        contract="activity-1",
        channels=("acc_x_mps2", "acc_y_mps2", "acc_z_mps2"),
        samples=125,
        sample_rate_hz=25.0,
        labels=("still", "walk"),
        calibration={"wrist": Calibration(temperature=1.4, unknown_below=0.6)},
    )


def manifest(**changes: object) -> Manifest:
    right = Manifest(
        schema=SCHEMA,
        task="workout",
        version="0.1.0",
        interface=cell(),
        data=(),
        metrics=(),
        sha256={name: sha256(content) for name, content in GOLDEN.items()},
        minimum_agent_version="0.1.0",
        variants=(VARIANT,),
    )
    return msgspec.structs.replace(right, **changes)


def write(path: Path, of: Manifest | None = None, golden: dict[str, bytes] | None = None) -> Path:
    write_bundle(path, of or manifest(), {"float32.tflite": MODEL}, golden or GOLDEN)
    return path


def test_a_right_bundle_is_read_whole(tmp_path: Path) -> None:
    bundle = read_bundle(write(tmp_path / "b.zip"))
    assert bundle.manifest == manifest()
    assert bundle.models == {"float32": MODEL}
    assert bundle.golden_inputs.shape == (5, 2)
    assert bundle.golden_outputs.shape == (5, 3)


def test_a_classifier_of_windows_is_read_like_a_streaming_cell(tmp_path: Path) -> None:
    golden = {
        GOLDEN_INPUTS: npy(np.zeros((4, 125, 3), np.float32)),
        GOLDEN_OUTPUTS: npy(np.zeros((4, 2), np.float32)),
    }
    written = manifest(
        task="activity",
        interface=classifier(),
        metrics=(Metric("wrist, unseen people", "cnn", "macro_f1", 0.93, interval=(0.91, 0.95)),),
        sha256={name: sha256(content) for name, content in golden.items()},
    )
    bundle = read_bundle(write(tmp_path / "b.zip", written, golden))
    assert bundle.manifest == written
    assert bundle.manifest.classifier == classifier()
    assert bundle.golden_inputs.shape == (4, 125, 3)


def test_a_model_of_another_kind_is_refused_by_who_needs_the_first() -> None:
    with pytest.raises(BundleError, match=r"the activity model 0\.1\.0 is not a streaming cell"):
        _ = manifest(task="activity", interface=classifier()).cell
    with pytest.raises(BundleError, match=r"the workout model 0\.1\.0 is not a window classifier"):
        _ = manifest().classifier


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.zip").read_bytes() == write(tmp_path / "b.zip").read_bytes()


def swap(name: str, content: bytes) -> Callable[[Path], None]:
    """Replace or add a member after the bundle was written."""

    def rewrite(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, old in {**members, name: content}.items():
                archive.writestr(member, old)

    return rewrite


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def drop_everything(path: Path) -> None:
    zipfile.ZipFile(path, "w").close()


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(MAX_BUNDLE_BYTES))


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile says that it is there already
        archive.writestr(MANIFEST, "{}")


def link(path: Path) -> None:
    info = zipfile.ZipInfo("link.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")


def many(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(MAX_MEMBERS):
            archive.writestr(f"m{i}.txt", "")


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for i in range(1 + MAX_TOTAL_BYTES // MAX_MEMBER_BYTES):
            archive.writestr(f"m{i}.txt", bytes(MAX_MEMBER_BYTES))


def compress(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("m.txt", "x")


def patch(field: int, value: bytes) -> Callable[[Path], None]:
    """Overwrite bytes of the first entry of the central directory."""

    def overwrite(path: Path) -> None:
        content = bytearray(path.read_bytes())
        begin = content.index(b"PK\x01\x02") + field
        content[begin : begin + len(value)] = value
        path.write_bytes(content)

    return overwrite


def name_with_null(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"float32.tflite", b"float32\0tflite"))


# Offsets are those of a central directory header, PKWARE APPNOTE 4.3.12.
DAMAGE = {
    "truncated": (truncate, "not a whole zip"),
    "not a zip": (lambda path: path.write_bytes(b"MZ" * 500), "not a whole zip"),
    "removed": (lambda path: path.unlink(), "cannot be read"),
    "a folder": (replace_by_folder, "cannot be read"),
    "empty": (drop_everything, "manifest.json is missing"),
    "model exchanged": (swap("float32.tflite", b"another"), "float32.tflite does not have the hash"),
    "golden pairs exchanged": (swap(GOLDEN_INPUTS, b"another"), "golden_inputs.npy does not have the hash"),
    "manifest is not JSON": (swap(MANIFEST, b"{"), "does not follow schema"),
    "manifest is not text": (swap(MANIFEST, b"\xff\xfe"), "does not follow schema"),
    "manifest is endlessly deep": (swap(MANIFEST, b'{"schema":2,"a":' + b"[" * 200_000), "does not follow schema"),
    "member over the limit": (swap(MANIFEST, b" " * (MAX_MEMBER_BYTES + 1)), "unpacks to more than"),
    "file over the limit": (append, f"larger than {MAX_BUNDLE_BYTES} bytes"),
    "members over the limit together": (bomb, f"unpacks to more than {MAX_TOTAL_BYTES} bytes"),
    "members over the limit in number": (many, f"at most {MAX_MEMBERS} are allowed"),
    "a member that is there twice": (twice, "manifest.json' is there twice"),
    "a member that nobody named": (swap("extra.txt", b""), "does not name: extra.txt"),
    "a member with a path": (swap("../escaped.txt", b"x"), "no plain file name"),
    "a member with a path from the root": (swap("/etc/cron.d/x.txt", b"x"), "no plain file name"),
    "a member with a drive": (swap("C:\\x.txt", b"x"), "no plain file name"),
    "a member that is a folder": (swap("folder/", b""), "no plain file name"),
    "a member with a null in its name": (name_with_null, "no plain file name|not a whole zip"),
    "a symbolic link": (link, "link.txt' is a symbolic link"),
    "an encrypted member": (patch(8, b"\x01\x00"), "manifest.json' is encrypted"),
    "a compression nobody asked for": (compress, "compressed by an unknown method"),
    "a size that lies low": (patch(24, b"\x10\x00\x00\x00"), "manifest.json is damaged|another size"),
    "a size that lies high": (patch(24, b"\x00\x00\x00\x40"), "unpacks to more than"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_refuses_a_damaged_file(damage: str, tmp_path: Path) -> None:
    apply, reason = DAMAGE[damage]
    path = write(tmp_path / "b.zip")
    apply(path)
    with pytest.raises(BundleError, match=reason) as caught:
        read_bundle(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": 1}, "unknown manifest schema 1"),
        ({"schema": 3}, "unknown manifest schema 3"),
        ({"minimum_agent_version": "99.0.0"}, "needs agent 99.0.0 or newer"),
        ({"minimum_agent_version": "newest"}, "needs agent newest or newer"),
        ({"variants": ()}, "no form of the model"),
        ({"variants": (VARIANT, VARIANT)}, "in it twice"),
        ({"interface": cell(state_size=3)}, "have to differ"),
        ({"interface": cell(state_size=0)}, "a state of 0 values"),
        ({"interface": cell(state_size=10**12)}, "a state of 1000000000000 values"),
        ({"interface": cell(features=("a", "b", "c", "d"))}, "do not fit the manifest"),
        ({"interface": cell(horizons_s=(10, 30))}, "do not fit the manifest"),
        ({"interface": classifier()}, "do not fit the manifest"),
        ({"sha256": {}}, "does not have the hash"),
    ],
)
def test_refuses_a_manifest_that_does_not_hold(changes: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=reason):
        read_bundle(write(tmp_path / "b.zip", manifest(**changes)))


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}]), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"text", "is not an array"),
        (pickled(), "float32 values in rows"),
        (npy(np.full((5, 2), np.nan, np.float32)), "finite float32"),
        (npy(np.zeros((5, 2), np.float32))[:-3], "is not an array"),
        (npy(np.zeros((5, 2), np.float32)).replace(b"(5, 2)", b"(5**9,2)"), "is not an array"),
        (npy(np.zeros((5, 2), np.float32)).replace(b"(5, 2), }" + b" " * 9, b"(9999999999999, 2)}"), "is not an array"),
        (npy(np.zeros((5, 2), np.float64)), "float32 values in rows"),
        (npy(np.asfortranarray(np.zeros((5, 2), np.float32))), "float32 values in rows"),
    ],
)
def test_refuses_golden_pairs_that_are_no_plain_numbers(content: bytes, reason: str, tmp_path: Path) -> None:
    golden = {**GOLDEN, GOLDEN_INPUTS: content}
    hashes = {name: sha256(member) for name, member in golden.items()}
    with pytest.raises(BundleError, match=reason):
        read_bundle(write(tmp_path / "b.zip", manifest(sha256=hashes), golden))


@given(st.randoms(use_true_random=False))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_a_mutated_bundle_is_read_rightly_or_refused(tmp_path: Path, random: Random) -> None:
    """`python -m tests.fuzz_bundles` does the same many more times."""
    path = write(tmp_path / "b.zip")
    path.write_bytes(mutated(path.read_bytes(), random))
    try:
        bundle = read_bundle(path)
    except BundleError:
        return
    assert bundle.models == {"float32": MODEL}
    assert not bundle.golden_inputs.any()
