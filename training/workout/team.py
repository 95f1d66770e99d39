"""Workers on several machines that train one cell together, as TensorFlow's `TF_CONFIG` names them.

Every worker has the same weights, the same sessions and the same seed, and so makes the same streams; it runs its share
of them. What the shares come to is summed over all workers in every step, so each takes the step that one machine
would take, up to the order in which float32 values are added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf

from training.errors import TrainingError


class Team:
    """This worker among the others.

    Attributes:
        index: of this worker; the first one is the chief, who writes the results.
        size: how many workers there are.
    """

    def __init__(self, strategy: tf.distribute.MultiWorkerMirroredStrategy, index: int, size: int) -> None:
        """Take a strategy whose workers have all been reached.

        Raises:
            TrainingError: a worker has several replicas, which would all do the same.
        """
        if strategy.num_replicas_in_sync != size:
            msg = (
                f"{size} workers have {strategy.num_replicas_in_sync} processors to train on; start a worker for each, "
                "with CUDA_VISIBLE_DEVICES naming one"
            )
            raise TrainingError(msg)
        self.index = index
        self.size = size
        self._strategy = strategy
        self._compiled_sum = tf.function(self.sum)

    @classmethod
    def from_environment(cls) -> Team | None:
        """Join the workers that the environment variable `TF_CONFIG` names; None where it names no others.

        TensorFlow asks for this to be done before anything else. It waits until all workers are there.

        Raises:
            TrainingError: `TF_CONFIG` does not say what it has to.
        """
        try:
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
            workers = resolver.cluster_spec().as_dict()
            if not workers:
                return None
            if set(workers) != {"worker"} or resolver.task_type != "worker":
                msg = f"it names {', '.join(workers)} and this task as {resolver.task_type}"
                raise ValueError(msg)  # noqa: TRY301 - one message for all that can be wrong with it
            strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
            return cls(strategy, resolver.task_id, len(workers["worker"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            msg = (
                f"TF_CONFIG cannot be used ({error}); give it as "
                '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
            )
            raise TrainingError(msg) from error

    @contextmanager
    def together(self) -> Iterator[None]:
        """While the context lasts, losing another worker is an error that says so.

        Raises:
            TrainingError: another worker ended or cannot be reached any more.
        """
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
            reason = error.message.splitlines()[0]
            msg = f"another worker of TF_CONFIG is lost ({reason}); see what it says, and start all of them again"
            raise TrainingError(msg) from error

    def share(self, streams: int) -> slice:
        """Which streams are this worker's.

        Raises:
            TrainingError: there are fewer streams than workers.
        """
        if streams < self.size:
            msg = f"{streams} streams of sessions cannot be shared by {self.size} workers; use {streams} at most"
            raise TrainingError(msg)
        return slice(streams * self.index // self.size, streams * (self.index + 1) // self.size)

    def sum(self, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The sum of each value over all workers, the same on every one of them; called inside of a `tf.function`."""

        def reduce() -> list[tf.Tensor]:
            here = [tf.identity(value) for value in values]  # on the device that the strategy names
            return list(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, here))

        return list(self._strategy.run(reduce))

    def mean(self, value: float) -> float:
        """The mean of a figure over all workers, so that all of them decide alike by it."""
        (total,) = self._compiled_sum([tf.constant(value, tf.float64)])
        return float(total) / self.size
