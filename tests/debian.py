"""The Debian mirror that this machine uses."""

from __future__ import annotations

import subprocess


def mirror() -> list[str]:
    """Its address; none elsewhere than on Debian, and mmdebstrap takes its default."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    found = subprocess.run(
        [*command, "Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main"],
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()[:1]
