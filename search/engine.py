"""Experiments from a list to results: what is missing is trained, teachers first, then students.

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
from prokd.runs.folder import Kind
from search import nodes
from search.cluster import Cluster
from search.plan import DataDescriptions, Experiment
from search.progress import Progress
from search.round import Finished, Round
from search.tracking import Tracker
from search.trainables import absolute
from search.tuner import Judge, Outcome, Workers


@dataclass
class Reuse:
    """What was trained and what was there already, by `Experiment.key`."""

    trained: dict[Kind, set[str]] = field(
        default_factory=lambda: {"teacher": set(), "student": set()}
    )
    reused: dict[Kind, set[str]] = field(
        default_factory=lambda: {"teacher": set(), "student": set()}
    )
    continued: dict[str, int] = field(default_factory=dict)
    """Epochs that an interrupted run had behind it when it was taken up again."""
    epochs: int = 0
    """Epochs trained now."""

    def lines(self) -> list[str]:
        """Write the counts for a reader."""
        counts = [
            f"{kind}s: {len(trained)} trained, {len(self.reused[kind] - trained)} reused"
            for kind, trained in self.trained.items()
        ]
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
        output: Folder for Ray's own passing files.
        tracker: Logs every stage run.
        progress: Shows what happens.
        descriptions: Fingerprints that were read already.
        max_failures: How often a run is started again after a lost worker.
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
        max_failures: int = 2,
        deadline: float | None = None,
    ) -> None:
        """Take the places; nothing is trained yet."""
        threads = runtime.threads or cluster.threads
        self.runtime = absolute(runtime).model_copy(update={"threads": threads})
        self.cluster, self.storage = cluster, output / "ray_results"
        self.workers = Workers(cluster, self.storage, max_failures)
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
        """End the processes that train; remove what a stop has left for them to see."""
        self.workers.close()
        self.stop_file.unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove what this process has for itself in the storage: it ends without `close`."""
        self.stop_file.unlink(missing_ok=True)
        self.workers.leave()

    def run(
        self,
        experiments: Iterable[Experiment],
        finished: Finished | None = None,
        *,
        oracle: bool = False,
        judge: Judge | None = None,
    ) -> list[Outcome]:
        """Train what is missing and return how each experiment's student ended.

        Args:
            experiments: Any configurations, of any languages and data sets.
            finished: Is called once for each experiment, as soon as its end is known.
            oracle: Whether finished students are also scored on labelled target dev.
            judge: Decides after each epoch of a student whether it is pruned.
        """
        return Round(self, tuple(experiments), finished or _ignore, oracle, judge).run()


def _ignore(experiment: Experiment, outcome: Outcome) -> None:
    """Do nothing."""
