from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from tests.training.workout.worker import started
from training.errors import TrainingError
from training.workout.team import Team


def test_a_lost_worker_is_one_sentence_and_not_a_wait(tmp_path: Path) -> None:
    with started(str(tmp_path / "0.npz"), "leave") as (left, leaving):
        _, complaint = left.communicate(timeout=500)
        assert "TrainingError: another worker of TF_CONFIG is lost" in complaint.splitlines()[-1]
        assert left.returncode == 1
        assert leaving.wait(timeout=30) == 1


def test_without_tf_config_there_is_no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert Team.from_environment() is None


def test_a_share_is_of_streams_that_are_there() -> None:
    team = Team(tf.distribute.get_strategy(), 0, 1)
    assert team.share(16) == slice(0, 16)
    with pytest.raises(TrainingError, match="0 streams of sessions cannot be shared by 1 workers"):
        team.share(0)


def test_a_worker_with_several_processors_is_told_to_take_one() -> None:
    with pytest.raises(TrainingError, match="start a worker for each"):
        Team(tf.distribute.get_strategy(), 0, 2)


@pytest.mark.parametrize(
    "configuration",
    [
        "nothing",
        '{"cluster": {"ps": ["127.0.0.1:1"], "worker": ["127.0.0.1:2"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["127.0.0.1:2"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": 7}',
    ],
)
def test_a_tf_config_that_cannot_be_used_says_what_is_asked_for(
    configuration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", configuration)
    with pytest.raises(TrainingError, match=r'TF_CONFIG cannot be used.*"cluster"'):
        Team.from_environment()
