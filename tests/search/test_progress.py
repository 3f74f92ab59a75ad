import io
import os

from rich.console import Console

from search.progress import Progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def _progress(*, terminal):
    stream, clock = io.StringIO(), Clock()
    console = Console(file=stream, force_terminal=terminal, width=120, highlight=False)
    return Progress(console, clock), stream, clock


def test_one_plain_line_for_each_result():
    progress, stream, clock = _progress(terminal=False)
    progress.begin("phrasebook en-ar", 4)
    progress.expect({"teacher": {}, "student": {"a": 1, "b": 1, "c": 1}})
    progress.result("trial 0", 0.5)
    progress.queued({"student": 2})
    for name, text in (("a", "trial 1"), ("b", "trial 2")):
        progress.started("student", name)
        clock.now += 30
        progress.advanced("student", name, 1, 1)
        progress.ended("student", name)
        progress.result(text, 0.75 if name == "a" else None, "the run collapsed")
    progress.end()
    assert stream.getvalue().splitlines() == [
        "[1/4] trial 0: source-dev F1 0.5000 (best 0.5000)",
        "phrasebook en-ar: 2 students to train",
        "[2/4] trial 1: source-dev F1 0.7500 (best 0.7500, about 1 min 0 s left)",
        "[3/4] trial 2: failed: the run collapsed (best 0.7500, about 30 s left)",
    ]


def test_the_estimate_counts_teachers_and_never_grows_while_all_goes_as_expected():
    progress, _, clock = _progress(terminal=False)
    progress.begin("phrasebook en-ar", 4, width=2)
    names = [str(number) for number in range(4)]
    kinds = {"teacher": (3, 10.0), "student": (2, 40.0)}
    progress.expect({kind: dict.fromkeys(names, kinds[kind][0]) for kind in kinds})
    whole = 2 * sum(epochs * seconds for epochs, seconds in kinds.values())  # two at a time
    shown = []
    for pair in (names[:2], names[2:]):
        for kind, (epochs, seconds) in kinds.items():
            for name in pair:
                progress.started(kind, name)
            for epoch in range(1, epochs + 1):
                for _ in range(4):
                    clock.now += seconds / 4
                    shown.append((clock.now, progress.estimate.seconds()))
                for name in pair:
                    progress.advanced(kind, name, epoch, epochs)
            for name in pair:
                progress.ended(kind, name)
    assert clock.now == whole
    assert shown[0][1] is None  # what a student takes is not known before one has trained
    known = [(now, left) for now, left in shown if left is not None]
    assert known
    assert [left for _, left in known] == sorted((left for _, left in known), reverse=True)
    assert all(abs(now + left - whole) <= 20 for now, left in known)


def test_through_a_pipe_something_is_said_while_runs_train():
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream, os.fdopen(read) as shown:
        progress = Progress(Console(file=stream, width=200, highlight=False), quiet=0.2)
        progress.begin("phrasebook en-ar", 4, width=2)
        progress.started("teacher", "ab12")
        progress.advanced("teacher", "ab12", 2, 3)
        progress.started("teacher", "cd34", "trial 1 seed 0")
        line = shown.readline()  # while the stream is open: nothing waits in a buffer
        progress.end()
    assert line == (
        "phrasebook en-ar: 0 of 4 done, 2 running "
        "(teacher ab12 epoch 2 of 3, teacher cd34 for trial 1 seed 0 starting)\n"
    )


def test_live_table_on_a_terminal():
    progress, stream, clock = _progress(terminal=True)
    progress.begin("phrasebook en-ar", 2)
    progress.expect({"teacher": {"abc": 4}})
    progress.queued({"teacher": 1})
    progress.started("teacher", "abc", "trial 2 seed 0")
    for epoch in (1, 2):
        clock.now += 30
        progress.advanced("teacher", "abc", epoch, 4)
    progress.result("trial 0", 0.5)
    progress.result("trial 1", None, "a weight is not finite " + "and so on " * 20)
    progress.end()
    shown = stream.getvalue()
    assert "1 of 2 done, 1 failed, 1 running" in shown
    row = next(line for line in shown.splitlines() if "epoch 2 of 4" in line)
    assert row.split("  ")[1:5] == [
        "abc",
        "trial 2 seed 0",
        "epoch 2 of 4",
        "about 1 min 0 s left",
    ]
    failure = [line for line in shown.splitlines() if "failed: trial 1: a weight" in line][-1]
    assert failure.endswith("…\x1b[0m")  # one line, however long
    assert "best so far: 0.5000" in shown
