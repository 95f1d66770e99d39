"""Writes an inspection: one page that needs nothing beside it, and its pictures as files."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from edge_agent import __version__
from training import style
from training.inspect.account import Account, Picture

PAGE = "inspection.html"


def write(accounts: Sequence[Account], name: str, out: Path) -> Path:
    """Draw and write everything; the folder is closed to other users, for it shows somebody's health.

    Args:
        accounts: what was found, by kind of data.
        name: of the data, the heading of the page.
        out: folder to write to.

    Returns:
        The page.
    """
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o700)

    def images(pictures: Sequence[Picture]) -> Iterator[tuple[Picture, str]]:
        for picture in pictures:
            path = out / f"{picture.name}.png"
            style.save(picture.draw(), path)
            path.chmod(0o600)
            yield picture, base64.b64encode(path.read_bytes()).decode("ascii")

    environment = Environment(
        loader=PackageLoader("training.inspect", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["images"] = images
    page = out / PAGE
    page.touch(mode=0o600)
    page.write_text(
        environment.get_template("page.html.j2").render(accounts=accounts, name=name, version=__version__),
        encoding="utf-8",
    )
    return page
