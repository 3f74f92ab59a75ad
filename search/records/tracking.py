"""MLflow beside a search: things are marked as changed, a thread brings their records up to date.

Training never waits for MLflow, and nothing that it answers or leaves unanswered ends a search:
what it refuses costs one sentence and leaves all else alone; while it is away things stay marked.
Nothing has to survive the driver, for the next start marks all that the run folders and the study
hold and sends what MLflow lacks.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from prokd.config import ExperimentConfig
from prokd.errors import UserError
from search.experiments import Experiment
from search.records.addresses import address_of, how_to_open, named_store
from search.records.changes import Change, Changes, StageChanges, record_change
from search.records.datasets import DataSet
from search.records.models import Model, publish
from search.records.record import Record, stage_record
from search.records.store import Store
from search.records.store_errors import NO_ROOM, is_contended, reason, why_away, why_unusable

logger = logging.getLogger(__name__)
PATIENCE = float(os.environ.get("PROKD_MLFLOW_PATIENCE", "120"))
"""Seconds to wait, at the end, for the next record to be sent."""
RETRY_SECONDS, TRIES, CONTENDED_SECONDS, ABANDON_SECONDS = 5.0, 3, 0.2, 10.0
"""Pause between two looks at a store that is away; tries of one thing at a store that answers;
pause after its first one, in which another driver finishes what it writes, growing with each;
most seconds that ending the open runs may take."""


class Tracker:
    """The mirror of run folders and studies in an MLflow store.

    Args:
        output: Folder of the default store (``mlflow.db`` and ``mlartifacts``); the environment
            variable MLFLOW_TRACKING_URI names another one.
        device: What the runs are trained on, for their tags.
        say: Tells a person what MLflow does not take, that it is away and that it is back.
        read: Returns the data sets of an experiment, the oracle's among them if that is asked for.
    """

    def __init__(
        self,
        output: Path,
        device: str = "cpu",
        say: Callable[[str], object] = logger.warning,
        read: Callable[[ExperimentConfig, bool], Sequence[DataSet]] = lambda config, oracle: (),
    ) -> None:
        """Name the store; nothing is asked of it yet."""
        self.output, self.device, self.say = output.resolve(), device, say
        self.given = named_store()
        self.uri = self.given or address_of(self.output / "mlflow.db")
        self.output.mkdir(parents=True, exist_ok=True)
        self._store: Store | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Condition()
        self._stages, self._pending = StageChanges(read), Changes()
        self._at_work = self._ending = False
        self._away = ""
        """Why the store took nothing, as the end of a sentence; empty if it does."""
        self._not_before = self._sent_at = time.monotonic()
        self._said: set[tuple[str, str]] = set()

    def how_to_open(self) -> list[str]:
        """Return what a person does to see the runs, see `search.records.addresses`."""
        return how_to_open(self.uri, {} if self._store is None else self._store.pages())

    def check(self) -> None:
        """Make sure that the store answers before anything is started.

        Raises:
            UserError: It does not, or wants a user and a password.
        """
        try:
            self._opened().client.search_experiments(max_results=1)
        except Exception as error:
            raise UserError(why_unusable(error, self.uri)) from None

    def stage(
        self, experiment: Experiment, stage: str, *, ended: bool = False, oracle: bool = False
    ) -> None:
        """Mark a stage run as changed.

        Args:
            experiment: Whose run it is.
            stage: Which of its stages.
            ended: Whether nobody is training it any more.
            oracle: Whether an oracle was asked for, so that its score is logged too.
        """
        self._mark(self._stages.change(experiment, stage, ended=ended, oracle=oracle))

    def publish(
        self,
        experiment: Experiment,
        folder: Path,
        name: str,
        champion: tuple[float, Mapping[str, str]] | None = None,
    ) -> None:
        """Mark an exported result as a model to log, and to register if it may be the champion.

        Args:
            experiment: Whose result it is.
            folder: What `prokd.training.exports.export` wrote.
            name: Of the model.
            champion: Its objective and measure (see `models`), if it is the best of its search.
        """
        model = Model(experiment.result.signature, folder, name, *(champion or (None, {})))

        def send(store: Store) -> None:
            run = store.bring(stage_record(experiment, experiment.result_stage, ended=True))
            publish(store, run, model)

        self._mark(Change(f"model:{folder}", f"the model {name} ({folder})", send))

    def changed(self, key: str, label: str, read: Callable[[], Record]) -> None:
        """Mark a thing as changed; its record is read when it is sent, by another thread.

        Args:
            key: Of it alone, its kind before a colon.
            label: What it is, for a person.
            read: Reads the record.
        """
        self._mark(record_change(key, label, read))

    def send_rest(self, patience: float | None = None) -> int:
        """Wait until MLflow holds all that was marked; then say how much it does not hold.

        Args:
            patience: Seconds to wait for the next record to be sent; None = `PATIENCE`.

        Returns:
            The number of records that are not sent.
        """
        patience = PATIENCE if patience is None else patience
        with self._lock:
            self._pending.retry_refused()
            self._sent_at = time.monotonic()
            self._lock.notify_all()
            while self._waiting() and time.monotonic() < self._sent_at + patience:
                self._lock.wait(0.2)
            left = self._waiting() + self._pending.num_refused
            away = f", which still {self._away}" if self._away else ""
        if left:
            self.say(
                f"{left} record{'s are' if left > 1 else ' is'} not sent to MLflow{away}; nothing "
                f"is lost, the run folders hold all of it: run the same command again to send it"
            )
        return left

    def abandon(self) -> None:
        """End what is still open as killed, if the store answers: the driver is about to end."""
        with self._lock:
            self._ending = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join(ABANDON_SECONDS)

    def _mark(self, change: Change) -> None:
        with self._lock:
            self._pending.put(change)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
                self._thread.start()
            self._lock.notify_all()

    def _work(self) -> None:
        while (change := self._next()) is not None:
            said = self._send(change)
            with self._lock:
                self._at_work = False
                if self._away and not self._waiting():
                    self._away = ""
                    said.append("MLflow answers again; what it missed is sent")
                self._lock.notify_all()
            for sentence in said:
                with suppress(Exception):  # a terminal that is gone is no matter of MLflow's
                    self.say(sentence)
        if self._store is not None:
            self._store.end_open_runs()

    def _next(self) -> Change | None:
        """Return what is to be sent, as soon as there is something; None at the end."""
        with self._lock:
            while not self._ending:
                pause = self._not_before - time.monotonic()
                if self._pending and pause <= 0:
                    self._at_work = True
                    return self._pending.pop()
                self._lock.wait(pause if self._pending else None)
        return None

    def _send(self, change: Change) -> list[str]:
        """Send a thing, or put it where it belongs; return what a person is told of it."""
        try:
            change.send(self._opened())
        except Exception as error:
            logger.debug("MLflow does not take %s", change.label, exc_info=True)
            why = why_away(error)
            is_there = why is None or (why != NO_ROOM and self._answers())
            with self._lock:
                return self._failed(change, error, None if is_there else why)
        self._sent_at = time.monotonic()
        return []

    def _failed(self, change: Change, error: Exception, away: str | None) -> list[str]:
        tries = change.tries + (away is None)
        if (why_away(error) is not None or is_contended(error)) and tries < TRIES:
            self._pending.put_back(replace(change, tries=tries))
            if away is None:
                self._not_before = time.monotonic() + CONTENDED_SECONDS * tries
                return []
            self._not_before = time.monotonic() + RETRY_SECONDS
            said = [] if self._away else [f"MLflow {away}; what it misses is sent when it does"]
            self._away = away
            return said
        self._pending.refuse(change)
        why = reason(error)
        known = (change.key, re.sub(r"0x[0-9a-f]+|\d+", "", why))
        if known in self._said or self._ending:
            return []
        self._said.add(known)
        return [f"MLflow does not take {change.label}, which is tried again later: {why}"]

    def _waiting(self) -> int:
        """Return how much is marked or at work."""
        return len(self._pending) + self._at_work

    def _answers(self) -> bool:
        try:
            return self._opened().answers()
        except Exception:  # it cannot even be opened, whatever MLflow raises for that
            return False

    def _opened(self) -> Store:
        if self._store is None:
            artifacts = None if self.given else (self.output / "mlartifacts").as_uri()
            self._store = Store(self.uri, artifacts, self.device)
        return self._store
