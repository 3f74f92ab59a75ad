"""Experiments from a list to results: what is missing is trained, what lies there is reused.

Whoever has configurations, a search or an ablation, hands them over here. What lies finished in
the run folders is not trained again; what lies half done is continued.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from prokd.config import RuntimeConfig
from search.execution import Execution
from search.experiments import DataDescriptions, Experiment
from search.outcomes import Finished, Judge, More, Outcome, no_more
from search.progress import Progress
from search.records.tracking import Tracker
from search.workers import nodes
from search.workers.cluster import Cluster
from search.workers.pool import Pool
from search.workers.trainables import absolute


@dataclass
class Reuse:
    """What was trained and what was there already, by stage and `Experiment.key`."""

    trained: dict[str, set[str]] = field(default_factory=dict)
    reused: dict[str, set[str]] = field(default_factory=dict)
    continued: dict[str, int] = field(default_factory=dict)
    """Epochs that an interrupted run had behind it when it was taken up again."""
    epochs: int = 0
    """Epochs trained now."""

    def lines(self) -> list[str]:
        """Write the counts for a reader."""
        counts = []
        for stage in dict.fromkeys([*self.trained, *self.reused]):
            trained = self.trained.get(stage, set())
            reused = self.reused.get(stage, set()) - trained
            counts.append(f"{stage}s: {len(trained)} trained, {len(reused)} reused")
        kept = sum(self.continued.values())
        text = f"epochs: {self.epochs} trained"
        if self.continued:
            runs = f"{len(self.continued)} interrupted run{'s' if len(self.continued) > 1 else ''}"
            text += f", {kept} kept from {runs}"
        return [*counts, text]


class Engine:
    """Trains experiments on a connected Ray.

    Args:
        runtime: Where things lie; its threads are set to what a trial has.
        cluster: The Ray that is connected to.
        output: Folder of what is passed between processes.
        tracker: Logs every stage run.
        progress: Shows what happens.
        descriptions: Fingerprints that were read already.
        pool: Processes that train, which stay warm when the engine closes; None = its own.
        max_failures: How often a run is started again after a lost worker, in a pool of its own.
        deadline: Seconds since 1970 after which no epoch is started; None = no end.

    Attributes:
        stopping: Whether `stop` was called.
    """

    def __init__(
        self,
        runtime: RuntimeConfig,
        cluster: Cluster,
        output: Path,
        *,
        tracker: Tracker,
        progress: Progress,
        descriptions: DataDescriptions | None = None,
        pool: Pool | None = None,
        max_failures: int = 2,
        deadline: float | None = None,
    ) -> None:
        """Take the places; nothing is trained yet."""
        threads = runtime.threads or cluster.threads
        self.runtime = absolute(runtime).model_copy(update={"threads": threads})
        self.cluster, self.storage = cluster, output / "ray_results"
        self.pool, self._is_lent = pool or Pool(cluster, max_failures), pool is not None
        self._processor = self.pool.processor
        self.tracker, self.progress = tracker, progress
        self.descriptions = descriptions or DataDescriptions(runtime)
        self.deadline = deadline
        self.reuse = Reuse()
        self.nodes = {"expected": nodes.description(), "storage": nodes.mark_storage(output)}
        self.stopping = False
        self.stop_file = self.storage / f".stop-{uuid.uuid4().hex[:12]}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be started: time is up, or a stop was asked for."""
        return self.stopping or (self.deadline is not None and time.time() >= self.deadline)

    def stop(self) -> None:
        """Let the epochs at hand end, on whatever node, and start no other."""
        self.stopping = True
        self.stop_file.parent.mkdir(parents=True, exist_ok=True)
        self.stop_file.touch()

    def close(self) -> None:
        """End the processes that train, but idle ones of a pool that was lent.

        Remove what a stop has left for them to see.
        """
        if self.pool.working or not self._is_lent:
            self.pool.close()
        self.stop_file.unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove what this process has for itself in the storage: it ends without `close`."""
        self.stop_file.unlink(missing_ok=True)

    def closing_lines(self) -> list[str]:
        """Write what was trained, what was there, and where the time went."""
        processor = self.pool.processor - self._processor
        spent = self.progress.spent.lines(processor, self.cluster.cpus)
        return [*self.reuse.lines(), *spent]

    def run(
        self,
        experiments: Iterable[Experiment],
        finished: Finished | None = None,
        *,
        oracle: bool = False,
        judge: Judge | None = None,
        more: More = no_more,
    ) -> list[Outcome]:
        """Train what is missing and return how each experiment's result ended.

        Args:
            experiments: Any configurations, of any languages and data sets.
            finished: Is called once for each experiment, as soon as its end is known.
            oracle: Whether finished results are also scored on labelled target dev.
            judge: Decides after each epoch of a result whether it is pruned.
            more: Is asked for experiments when a worker is free and none waits for it.
        """
        execution = Execution(self, finished or _ignore, oracle=oracle, judge=judge, more=more)
        return execution.run(experiments)


def _ignore(experiment: Experiment, outcome: Outcome) -> None:
    """Do nothing."""
