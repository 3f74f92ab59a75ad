"""A stage run as a trainable of Ray Tune: one step is one epoch.

Nothing of a search needs Tune, whose import would be a good part of every worker's start.
"""

from __future__ import annotations

from typing import Any

from ray.tune import Trainable

from search.workers.trainables import TRAINING, StageWorker


class StageTrainable(Trainable):
    """A stage run as a trainable that any `ray.tune.Tuner` takes (docs/cluster.md).

    Its config is what `job` returns. A result says in ``state`` whether the run goes on, and in
    ``done`` whether the trial is over.
    """

    _worker: StageWorker

    def setup(self, config: dict[str, Any]) -> None:
        """Take a job; the run is opened by its first step."""
        self._worker = StageWorker()
        self._worker.begin(config)

    def step(self) -> dict[str, Any]:
        """Train one epoch; see `StageWorker.step`."""
        result = self._worker.step()
        assert result is not None, "a trial is over when its job is"
        return result | {"done": result["state"] != TRAINING}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Return a marker: the folder of the run holds the state."""
        return {"epoch": self._worker.epoch}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Do nothing: the first step goes on from the folder's checkpoint."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next job in the same process."""
        self._worker.begin(new_config)
        return True

    def cleanup(self) -> None:
        """Give the folder and the memory free."""
        self._worker.release()
