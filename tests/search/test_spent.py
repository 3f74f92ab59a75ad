from search.spent import Spent


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_time_is_told_by_stage_with_what_was_idle():
    clock = Clock()
    spent = Spent(clock)
    assert spent.lines() == ["time: 0 s"]
    spent.width = 2
    clock.now = 10
    spent.started("teacher", "a")
    clock.now = 40
    spent.started("teacher", "a")  # its worker was lost: another one goes on
    spent.ended("teacher", "a")
    spent.started("student", "b")
    spent.started("student", "c")
    clock.now = 50
    spent.ended("student", "b")
    spent.end()
    spent.ended("student", "c")  # counted already
    spent.results.update({"failed": 1, "done": 3})
    assert spent.lines(processor=25.0) == [
        "time: 50 s, 10 s of it before the first run began",
        "in runs: teachers 30 s, students 20 s; 2 at a time, 50% of the time at work, "
        "else starting or waiting",
        "processors: 50% of those given to runs",
        "results: 3 done, 1 failed",
    ]
