"""Who stops, waits and goes on, decided on trials that only say what state they are in."""

from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from search import parking
from search.parking import Event, ParkingScheduler


class _Controller:
    """The two things that a scheduler asks of Tune."""

    def __init__(self, *trials):
        self.trials, self.stopped = list(trials), []

    def get_live_trials(self):
        return self.trials

    def stop_trial(self, trial):
        self.stopped.append(trial.trial_id)
        self.trials.remove(trial)


def _trial(name, status=Trial.RUNNING):
    config = {"batch": "b", "signature": name}
    return SimpleNamespace(trial_id=name, status=status, config=config)


def _result(state, **more):
    return {"state": state, "reason": "", "epoch": 1, "trained": 1, "busy": 0.5} | more


@pytest.fixture
def scheduler():
    return ParkingScheduler(SimpleQueue(), lambda seconds: None)


def _events(scheduler):
    found = []
    while not scheduler.events.empty():
        found.append(scheduler.events.get())
    return found


def test_training_goes_on_and_is_told(scheduler):
    trial = _trial("x")
    decision = scheduler.on_trial_result(_Controller(trial), trial, _result("training"))
    assert decision == TrialScheduler.CONTINUE
    assert _events(scheduler) == [Event("b", "advanced", "x", (1, 1))]
    assert scheduler.busy == 0.5


def test_a_worker_without_a_next_job_is_parked_until_a_trial_waits(scheduler):
    done, other = _trial("done"), _trial("other")
    controller = _Controller(done, other)
    decision = scheduler.on_trial_result(controller, done, _result("done"))
    assert decision == TrialScheduler.NOOP
    assert [e.what for e in _events(scheduler)] == ["advanced", "ended"]
    assert scheduler.choose_trial_to_run(controller) is None
    assert controller.stopped == []
    waiting = [_trial("w1", Trial.PENDING), _trial("w2", Trial.PENDING)]
    controller.trials += waiting
    assert scheduler.choose_trial_to_run(controller) is waiting[0]
    assert controller.stopped == ["done"]
    assert scheduler.choose_trial_to_run(controller) is None  # nobody else is parked


def test_two_waiting_trials_get_two_parked_workers(scheduler):
    parked = [_trial("p1"), _trial("p2")]
    controller = _Controller(*parked)
    for trial in parked:
        scheduler.on_trial_result(controller, trial, _result("done", trained=0))
    waiting = [_trial("w1", Trial.PENDING), _trial("w2", Trial.PENDING)]
    controller.trials += waiting
    assert [scheduler.choose_trial_to_run(controller) for _ in "123"] == [*waiting, None]
    assert sorted(controller.stopped) == ["p1", "p2"]


def test_a_worker_goes_straight_on_where_a_trial_waits(scheduler):
    done = _trial("done")
    controller = _Controller(done, _trial("w", Trial.PENDING))
    assert scheduler.on_trial_result(controller, done, _result("done")) == TrialScheduler.STOP
    assert scheduler.choose_trial_to_run(controller) is None


def test_parked_workers_leave_when_no_job_comes(scheduler, monkeypatch):
    done = _trial("done")
    controller = _Controller(done)
    scheduler.on_trial_result(controller, done, _result("done"))
    monkeypatch.setattr(parking, "IDLE_SECONDS", -1.0)
    scheduler.choose_trial_to_run(controller)
    assert controller.stopped == ["done"]


def test_closing_stops_everything(scheduler):
    controller = _Controller(_trial("a"), _trial("b", Trial.PENDING))
    scheduler.closing = True
    assert scheduler.choose_trial_to_run(controller) is None
    assert sorted(controller.stopped) == ["a", "b"]


def test_a_judge_prunes_between_epochs_alone(scheduler):
    trial, cleaned = _trial("x"), []
    cleanup = SimpleNamespace(remote=lambda: cleaned.append("x"))
    trial.temporary_state = SimpleNamespace(ray_actor=SimpleNamespace(cleanup=cleanup))
    scheduler.judge = lambda name, epoch, value: f"{name} {epoch} {value}" if value < 1 else None
    controller = _Controller(trial)
    better = _result("training", source_dev=1.0)
    assert scheduler.on_trial_result(controller, trial, better) == TrialScheduler.CONTINUE
    worse = _result("training", source_dev=0.25)
    assert scheduler.on_trial_result(controller, trial, worse) == TrialScheduler.NOOP
    assert _events(scheduler)[-1] == Event("b", "ended", "x", ("pruned", "x 1 0.25"))
    assert cleaned == ["x"]
