"""Inspects whatever kind of data is in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from training.errors import TrainingError
from training.inspect import acceleration, heart_rate
from training.inspect.account import Account

# Kind of data to what gives an account of it, or raises when there is none of it.
KINDS: Mapping[str, Callable[[Path], Account]] = {
    heart_rate.KIND: heart_rate.inspect,
    acceleration.KIND: acceleration.inspect,
}


def inspect(folder: Path) -> list[Account]:
    """An account for each kind of data in a folder.

    Raises:
        TrainingError: there is data of no kind, with the reason for each; or there is no such folder.
    """
    if not folder.is_dir():
        msg = f"{folder} is not a folder; name the one that holds the recordings"
        raise TrainingError(msg)
    accounts, reasons = [], []
    for kind, look in KINDS.items():
        try:
            accounts.append(look(folder))
        except TrainingError as error:
            reasons.append(f"{kind}: {error}")
    if not accounts:
        raise TrainingError("\n".join(reasons))
    return accounts
