"""What the modules of this repository import, read from their source: lazy imports count like any other."""

from __future__ import annotations

import ast
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
PACKAGES = ("edge_agent", "training", "converters", "heartline_backend")


def _modules() -> dict[str, Path]:
    files = (file for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py"))
    return {
        ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): file for file in files
    }


MODULES = _modules()


def imports_of(module: str) -> set[str]:
    """Full names of the modules that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            members = {f"{source}.{alias.name}" for alias in node.names}
            found |= {member if member in MODULES else source for member in members}
    return found


def inside(module: str, rooms: tuple[str, ...]) -> bool:
    """Whether a module is one of these packages or modules, or in one of them."""
    return any(module == room or module.startswith(f"{room}.") for room in rooms)
