"""What is left after a driver was killed, and what the next start does."""

import json
import os
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests import preloaded

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc"),
]
ROOT = Path(__file__).parents[2]


def _histories(runs_dir):
    return {
        path.parent.name: path.read_text(encoding="utf-8").splitlines()
        for path in runs_dir.glob("*/history.jsonl")
    }


def _wait(condition, seconds=300, pause=0.05):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(pause)


def test_killed_driver(corpus, output, tmp_path):
    epochs = {"teacher": 2, "student": 9}  # so many that none ends while its search is killed
    command = [str(ROOT / "search" / "run.py"), "--preset", "mini"]
    command += [
        "--lang",
        "ar",
        "--address",
        "local",
        "--space=paper",
        "--grid",
        "--trials",
        "3",
        "--export-best",
        "0",
    ]
    command += ["--cpus-per-trial", str(os.cpu_count())]  # one at a time
    command += ["--data-dir", str(corpus), "--output", str(output)]
    command += ["--cache-dir", str(tmp_path / "cache")]
    settings = {
        "data.source_train_limit": 32,
        "encoder.frozen_layers": 2,
        "student.collapse_agreement": 0,
        "teacher.collapse_fall": 0,
        "prototypes.update_rate": 0.005,
        "teacher.alignment.temperature": 0.9,
    }
    settings |= {f"{kind}.epochs": number for kind, number in epochs.items()}
    for path, value in settings.items():
        command += ["--set", f"{path}={value}"]
    runs = output / "runs"

    def is_under_way():  # one student is done, the next one is not
        students = [n for n in _histories(runs) if n.startswith("student")]
        return len(students) == 2 and any((runs / n / "DONE").exists() for n in students)

    with (tmp_path / "log").open("w") as log:
        driver = preloaded.start(command, cwd=tmp_path, stdout=log.fileno(), stderr=log.fileno())
        try:
            _wait(lambda: is_under_way() or driver.poll() is not None)
            assert driver.poll() is None, (tmp_path / "log").read_text()
            commands = preloaded.descendants(driver.pid).items()
            workers = [pid for pid, command in commands if "StageWorker" in command]
        finally:
            driver.kill()
            driver.wait()
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    before = _histories(runs)
    finished = {path.parent: path.stat().st_mtime_ns for path in runs.glob("*/DONE")}

    again = preloaded.run(command, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    *first, third = again.stdout.splitlines()[:3]
    store, runs_page = again.stdout.splitlines()[-2:]
    assert first == ["reading the data ...", "starting Ray ..."]
    assert third.startswith("running on a local Ray")
    assert "-m mlflow ui --backend-store-uri sqlite:///" in store
    assert runs_page.startswith("runs of prokd/phrasebook/en-ar: http://127.0.0.1:5000/#/")
    assert "kept from 1 interrupted run" in again.stdout
    assert "students: 2 trained, 1 reused" in again.stdout
    after = _histories(runs)
    for name, lines in before.items():  # the seconds of an epoch tell whether it is the same one
        assert after[name][: len(lines)] == lines
    for name, lines in after.items():
        numbers = [json.loads(line)["epoch"] for line in lines]
        assert numbers == list(range(1, epochs[name.split("-")[0]] + 1))
    for folder, stamp in finished.items():
        assert (folder / "DONE").stat().st_mtime_ns == stamp
    (journal,) = (output / "studies").glob("*.journal")
    storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.load_study(study_name=journal.stem, storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert len({json.dumps(trial.params) for trial in study.trials}) == 3

    # Once more, with nothing left to train: the same words but for what was trained, and no Ray.
    third = preloaded.run(command, cwd=tmp_path)
    assert (third.returncode, third.stderr) == (0, "")
    words = third.stdout.splitlines()
    assert words[:2] == ["reading the data ...", "all is trained: no Ray is started"]
    shown, known = third.stdout.index("study "), again.stdout.index("study ")
    table, counts = third.stdout[shown:].split("teachers: ")
    assert again.stdout[known:].startswith(table)
    assert counts.startswith("0 trained, 1 reused\nstudents: 0 trained, 3 reused\n")
    assert _histories(runs) == after
