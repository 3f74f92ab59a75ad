"""What lies in run folders before anything is trained, and what is still missing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.experiments import DataDescriptions, Experiment
from search.shared_run import SharedRun

if TYPE_CHECKING:
    from search.engine import Engine


class Inventory:
    """Looks at the folders of runs: what is whole, what was scored, and on which data.

    Args:
        engine: Knows the data, counts what is reused and says what is damaged.
        oracle: Whether finished results have to be scored on labelled target dev too.
    """

    def __init__(self, engine: Engine, *, oracle: bool) -> None:
        """Look at nothing yet."""
        self.engine, self.oracle = engine, oracle

    def discard_if_damaged(self, run: SharedRun) -> None:
        """Remove a run whose files are not what was written, and say so."""
        if (sentence := run.folder.discard_if_damaged()) is not None:
            self.engine.progress.say(sentence)

    def note_reused(self, run: SharedRun) -> None:
        """Count a run that was there already."""
        self.engine.reuse.reused.setdefault(run.stage, set()).add(run.key)

    def note_continued(self, run: SharedRun) -> None:
        """Count the epochs that an unfinished run has behind it, if it has."""
        folder = run.folder
        if not folder.done and folder.checkpoints():
            self.engine.reuse.continued[run.key] = len(folder.history())

    def unreported(self, run: SharedRun) -> Experiment | None:
        """Return an experiment on whose target a finished run is still to be scored, if any.

        It is scored as a result, or beside one as direct transfer; on the test corpora as they are
        now, and once in an execution.
        """
        for target, experiment in run.readers.items():
            is_shown = run.stage in (experiment.result_stage, experiment.transfer_stage)
            if not is_shown or target in run.tried:
                continue
            if is_unreported(experiment, run.stage, self.engine.descriptions):
                return experiment
        return None

    def is_unscored(self, run: SharedRun) -> bool:
        """Tell whether a result is still without the oracle's score that was asked for."""
        return self.oracle and is_unscored(run.experiment, run.stage, self.engine.descriptions)


def is_unreported(experiment: Experiment, stage: str, descriptions: DataDescriptions) -> bool:
    """Tell whether a stage's run is without a report on the test corpora as they are now."""
    seen = experiment.view(stage)
    return experiment.folder(stage).reported(seen.target) != descriptions.report(seen)


def is_unscored(experiment: Experiment, stage: str, descriptions: DataDescriptions) -> bool:
    """Tell whether a stage's run is without the oracle's score on target dev as it is now."""
    known = experiment.folder(stage).oracle()
    return known is None or known["fingerprint"] != descriptions.oracle(experiment.config)
