"""The machine's image: Debian's kernel, bluetoothd and Python, and the packages that the agent asks for.

    python -m tests.vm.image          build it, unless the cache holds it
    python -m tests.vm.image --pin    choose new versions of everything in it and write them down

Every version is pinned: Debian's in `debian.lock`, Python's in `python.lock`. What the mirror does not have any more
stops the build. The root is unpacked, never configured, and kept in `.vm/` under a name made from its recipe.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.built_wheel import REPOSITORY, build_wheel
from tests.debian import mirror

HERE = Path(__file__).parent
GUEST = ("init", "driver.py")  # what is ours in the machine
IMAGES = REPOSITORY / ".vm"
HOST_TOOLS = ("qemu-system-x86_64", "mmdebstrap", "depmod", "cpio", "unshare")

# From `bookworm main` alone: a stable release changes with its point releases only, its security archive any day.
SUITE = "bookworm"
PYTHON = "3.11"
MANYLINUX = "2_28"  # the newest level of wheels that uv knows and bookworm's C library loads
PACKAGES = (
    "base-files",
    "bluez",
    "busybox-static",
    "dbus-bin",
    "dbus-daemon",
    "libc-bin",
    "libstdc++6",  # numpy loads it
    "linux-image-amd64",
    "python3",
)
# The virtual controller; what carries bytes to the host; the kernel's own pairing, which computes with its crypto API:
# without `drbg` and what that needs there are no Secure Connections.
MODULES = (
    "hci_vhci",
    "uhid",
    "virtio_pci",
    "virtio_console",
    *("algif_hash", "algif_skcipher", "algif_aead", "cmac", "ccm", "ecb", "aes_generic", "ecdh_generic"),
    *("drbg", "jitterentropy_rng", "hmac", "ctr", "seqiv", "sha256_generic", "sha512_generic"),
)
# What the packages bring and a machine of one task never opens.
UNUSED = (
    "boot",
    "lib/systemd",
    "lib/udev",
    "usr/lib/python3.11/ensurepip",
    "usr/lib/python3.11/idlelib",
    "usr/lib/python3.11/lib2to3",
    "usr/lib/python3.11/test",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/lib/x86_64-linux-gnu/perl-base",
    *(f"usr/share/{name}" for name in ("bash-completion", "doc", "info", "locale", "man", "perl", "perl5", "zoneinfo")),
    "usr/share/dbus-1/system-services",  # without systemd the bus starts nobody
    "var/cache",
)
DEBIAN_LOCK = HERE / "debian.lock"
PYTHON_LOCK = HERE / "python.lock"
_PIN = "run `python -m tests.vm.image --pin`, test, and commit the lock files"
SITE = "opt/site"  # Python packages in the machine
AGENT = "opt/heartline"  # the wheel, which is no part of the image


class ImageError(Exception):
    """The image cannot be built; the message names the remedy."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a machine boots.

    Attributes:
        kernel: Debian's, as it is.
        root: everything else, unpacked.
    """

    kernel: Path
    root: Path


def require_host() -> None:
    """Fail, never skip, where no machine can be built and booted.

    Raises:
        ImageError: rights or programs are missing; the message names what to run.
    """
    missing = [tool for tool in HOST_TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        msg = (
            "a machine of its own kernel needs root (mount namespaces, device nodes) and "
            f"{', '.join(HOST_TOOLS)} (missing: {', '.join(missing) or 'none'}); run: sudo make test-vm"
        )
        raise ImageError(msg)


def build() -> Image:
    """The image of the present recipe, from the cache where that holds it.

    Raises:
        ImageError: this machine cannot build it, or a pinned package is gone.
    """
    require_host()
    _require_pinned_dependencies()
    recipe = hashlib.sha256()
    for file in (Path(__file__), DEBIAN_LOCK, PYTHON_LOCK):
        recipe.update(file.read_bytes())
    directory = IMAGES / recipe.hexdigest()[:12]
    image = Image(directory / "vmlinuz", directory / "root")
    if not directory.exists():
        IMAGES.mkdir(exist_ok=True)
        for stale in IMAGES.glob("*/root"):
            shutil.rmtree(stale.parent)
        partial = directory.with_suffix(".partial")
        _build(Image(partial / "vmlinuz", partial / "root"))
        partial.rename(directory)
    return image


def pack(image: Image, directory: Path) -> Path:
    """The initramfs of a machine with this checkout's wheel installed.

    Args:
        image: the machine without it.
        directory: an empty one, for the file and what it is made of.
    """
    layer = directory / "layer"
    wheel = build_wheel(directory / "wheel")
    _uv("install", "--no-deps", "--target", layer / AGENT, wheel)
    # uv's script would name this machine's interpreter.
    script = layer / AGENT / "bin" / "edge-agent"
    script.write_text(re.sub(r"\A#!.*", "#!/usr/bin/python3", script.read_text()))
    for ours in GUEST:
        shutil.copy(HERE / ours, layer)
    wheel_mounted = f"mount --bind {layer / AGENT} {image.root / AGENT}"
    _in_image(image, wheel_mounted, "python3", "-m", "compileall", "-q", f"/{AGENT}")
    initramfs = directory / "initramfs"
    with initramfs.open("wb") as file:
        for tree in (image.root, layer):  # the kernel unpacks one after the other
            names = "\0".join(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))
            archive = [_program("cpio"), "--quiet", "--create", "--format=newc", "--null"]
            subprocess.run(archive, cwd=tree, input=names.encode(), stdout=file, check=True)
    return initramfs


def pin() -> None:
    """Choose the newest version of everything and write it down."""
    require_host()
    with tempfile.TemporaryDirectory() as directory:
        simulated = _mmdebstrap(PACKAGES, Path(directory) / "root", "--simulate", "--verbose")
    versions = sorted(re.findall(r"^Inst (\S+) \((\S+) ", simulated, re.MULTILINE))
    if not versions:
        msg = f"mmdebstrap chose no package:\n{simulated}"
        raise ImageError(msg)
    DEBIAN_LOCK.write_text("".join(f"{name}={version}\n" for name, version in versions))
    _resolve(PYTHON_LOCK, "--upgrade")


def _require_pinned_dependencies() -> None:
    """Whether `python.lock` still is what `pyproject.toml` asks for."""
    with tempfile.TemporaryDirectory() as directory:
        resolved = Path(directory, "resolved")
        _resolve(resolved, "--constraint", PYTHON_LOCK)
        if resolved.read_text() != PYTHON_LOCK.read_text():
            msg = f"{PYTHON_LOCK.name} does not fit the dependencies in pyproject.toml any more; {_PIN}"
            raise ImageError(msg)


def _resolve(into: Path, *options: str | Path) -> None:
    """Choose a version of every package that the wheel needs in the machine."""
    plain = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url")
    _uv("compile", *plain, *options, "--output-file", into, REPOSITORY / "pyproject.toml")


def _build(image: Image) -> None:
    shutil.rmtree(image.root.parent, ignore_errors=True)
    image.root.parent.mkdir()
    said = _mmdebstrap(DEBIAN_LOCK.read_text().split(), image.root)
    if not (image.root / "usr/bin/python3").exists():
        msg = f"no system was unpacked:\n{said}"
        raise ImageError(msg)
    (kernel,) = (image.root / "boot").glob("vmlinuz-*")
    shutil.copy(kernel, image.kernel)
    _keep_modules(image.root, kernel.name.removeprefix("vmlinuz-"))
    for name in UNUSED:
        shutil.rmtree(image.root / name, ignore_errors=True)
    _uv("install", "--no-deps", "--target", image.root / SITE, "--requirements", PYTHON_LOCK)
    (image.root / AGENT).mkdir()
    (image.root / "etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nmessagebus:x:100:100::/nonexistent:/bin/false\n"
        "pi:x:1000:1000::/home/pi:/bin/sh\nguest:x:1001:1001::/tmp:/bin/sh\n"
    )
    (image.root / "etc/group").write_text(
        "root:x:0:\nmessagebus:x:100:\nbluetooth:x:101:pi\npi:x:1000:\nguest:x:1001:\n"
    )
    (image.root / "etc/machine-id").write_text(f"{'b0' * 16}\n")
    _in_image(image, "true", "ldconfig")
    _in_image(image, "true", "python3", "-m", "compileall", "-q", "-j0", f"/usr/lib/python{PYTHON}", f"/{SITE}")


def _keep_modules(root: Path, kernel: str) -> None:
    """Leave the modules that a machine loads, and what they need."""
    modules = root / "lib/modules" / kernel
    index = [_program("depmod"), "--basedir", str(root), kernel]
    subprocess.run(index, check=True)
    needed = set()
    for module in MODULES:
        asked = [_program("modprobe"), "--dirname", str(root), "--set-version", kernel, "--show-depends", module]
        shown = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        needed |= {Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod")}
    for file in modules.rglob("*.ko"):
        if file not in needed:
            file.unlink()
    subprocess.run(index, check=True)


def _mmdebstrap(packages: list[str] | tuple[str, ...], root: Path, *options: str) -> str:
    """Unpack packages with mmdebstrap, whose mounts stay in a namespace of their own."""
    done = subprocess.run(
        [
            *_namespace("mmdebstrap", "--arch=amd64", "--variant=extract"),
            *options,
            f"--include={','.join(packages)}",
            SUITE,
            root,
            *mirror(),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = "\n".join(line[:200] for line in done.stdout.splitlines() if line.startswith("E:"))
        msg = f"mmdebstrap failed:\n{errors}\nif a version was not found, the mirror has another one: {_PIN}"
        raise ImageError(msg)
    return done.stdout


def _in_image(image: Image, mount: str, *command: str) -> None:
    """Run a program of the image's own, with something mounted in it for as long."""
    inside = f'{mount} && exec chroot "$@"'
    subprocess.run(_namespace("/bin/sh", "-c", inside, "sh", str(image.root), *command), check=True)


def _namespace(*command: str) -> list[str]:
    """A command whose mounts end with it: nothing of the host is ever reached through a folder that may be deleted."""
    return [_program("unshare"), "--mount", "--propagation", "private", *command]


def _program(name: str) -> str:
    return shutil.which(name) or name


def _uv(action: str, *arguments: str | Path) -> None:
    platform = (f"--python-version={PYTHON}", f"--python-platform=x86_64-manylinux_{MANYLINUX}")
    fixed = ("--no-config", "--only-binary=:all:", *platform)
    link = ("--quiet", "--link-mode=copy") if action == "install" else ()
    done = subprocess.run([sys.executable, "-m", "uv", "pip", action, *fixed, *link, *arguments], check=False)
    if done.returncode:
        msg = f"uv pip {action} failed, its reason is above; if a version is gone or does not fit: {_PIN}"
        raise ImageError(msg)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.vm.image")
    parser.add_argument("--pin", action="store_true", help="choose new versions and write them down")
    try:
        if parser.parse_args().pin:
            pin()
        else:
            print(f"image: {build().root.parent}")  # noqa: T201 - a command prints
    except ImageError as error:
        sys.exit(str(error))
