import io

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
    progress.result("trial 0", 0.5)
    progress.phase("student", 2)
    clock.now = 30
    progress.result("trial 1", 0.75)
    progress.result("trial 2", None, "the run collapsed")
    progress.end()
    assert stream.getvalue().splitlines() == [
        "[1/4] trial 0: source-dev F1 0.5000 (best 0.5000)",
        "phrasebook en-ar: 2 students to train",
        "[2/4] trial 1: source-dev F1 0.7500 (best 0.7500, about 1 min 0 s left)",
        "[3/4] trial 2: failed: the run collapsed (best 0.7500, about 15 s left)",
    ]


def test_teachers_that_all_wait_for_do_not_slow_the_estimate_down():
    progress, _, clock = _progress(terminal=False)
    progress.begin("phrasebook en-ar", 4)
    progress.phase("teacher", 2)
    clock.now = 1000
    progress.phase("student", 4)
    clock.now = 1030
    progress.result("trial 0", 0.5)
    assert progress.seconds_left() == 90


def test_live_table_on_a_terminal():
    progress, stream, _ = _progress(terminal=True)
    progress.begin("phrasebook en-ar", 2)
    progress.phase("teacher", 1)
    progress.started("teacher", "abc")
    progress.advanced("teacher", "abc", 2, 4)
    progress.result("trial 0", 0.5)
    progress.end()
    shown = stream.getvalue()
    assert "1 of 2 done, 0 failed, 1 running" in shown
    assert "epoch 2 of 4" in shown
    assert "best so far: 0.5000" in shown
