"""Work on many recordings at once, on the processes of this machine or on a cluster, through Dask."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from distributed import Client, KilledWorker, LocalCluster, as_completed

from training.errors import TrainingError

_T = TypeVar("_T")
_R = TypeVar("_R")

# A scheduler answers at once; one that is just being started within seconds.
_CONNECT_S = 5


@contextmanager
def workers(scheduler: str | None = None, count: int | None = None) -> Iterator[Client]:
    """Workers for as long as the context lasts.

    Args:
        scheduler: address of a running Dask scheduler, e.g. `tcp://host:8786`; it and its workers need this version of
            heartline, and have to see files under the same paths. None starts processes on this machine, which only
            this machine can reach, and ends them.
        count: how many processes to start here; one for each core when None.

    Raises:
        TrainingError: nothing answers at the address, or no worker is there.
    """
    if scheduler is None:
        with (
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=count or os.cpu_count() or 1,
                threads_per_worker=1,  # the work is Python's own: threads would wait for each other
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
            ) as cluster,
            Client(cluster) as client,  # type: ignore[no-untyped-call]
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=_CONNECT_S)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        msg = f"no Dask scheduler answers at {scheduler} ({error}); start one with `dask scheduler`, or leave it out"
        raise TrainingError(msg) from error
    with client:
        if not client.scheduler_info()["workers"]:
            msg = f"the Dask scheduler at {scheduler} has no workers; start some with `dask worker {scheduler}`"
            raise TrainingError(msg)
        yield client


def spread(client: Client, function: Callable[[_T], _R], items: Sequence[_T]) -> Iterator[_R]:
    """What a function makes of each item, in the order in which they are done.

    A result is forgotten by the workers once it has been taken, and what waits beyond their memory is on their disks.

    Args:
        client: from `workers`.
        function: of a module that the workers have too.
        items: each is one task.

    Raises:
        TrainingError: the workers cannot load the function, or do not survive it.
    """
    futures = client.map(function, items, pure=False)
    try:
        for future, result in as_completed(futures, with_results=True):  # type: ignore[no-untyped-call]
            future.release()
            yield result
    except (ImportError, RuntimeError, KilledWorker) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"the Dask workers cannot do it ({reason}); install this version of heartline, and memory enough, on them"
        raise TrainingError(msg) from error
