"""Chaos: a real search is disturbed at a random moment, and must come out as if it had not been.

``python -m tests.cluster.chaos --rounds 20 --seed 0`` (``make chaos``) runs an undisturbed search,
then one round after the other: a fault strikes when a random number of epochs is on disk, the
search is run again until nothing is left, and its end is compared with the undisturbed one. Real
processes are killed: a Ray with several nodes, its workers, the driver, an MLflow server.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import preloaded
from tests.mlflow_server import copy_empty_store, mlflow_server
from tests.tiny import FEW

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("RAY_worker_niceness", "0")  # else workers starve on a busy machine
TRIALS, TEACHER_EPOCHS, STUDENT_EPOCHS = 2, 2, 3
SETTINGS = {
    **FEW,
    "encoder.frozen_layers": 2,
    "teacher.epochs": TEACHER_EPOCHS,
    "student.epochs": STUDENT_EPOCHS,
    "student.collapse_agreement": 0,
    "teacher.collapse_fall": 0,
    "teacher.batch_sentences": 8,
    "student.batch_sentences": 8,
    "prototypes.update_rate": 0.005,
    "teacher.alignment.temperature": 0.9,
}
EPOCHS = TEACHER_EPOCHS + TRIALS * STUDENT_EPOCHS
PATIENCE = 600


@dataclass
class World:
    """What a round plays in: its folders, its Ray, its MLflow store, its luck."""

    folder: Path
    corpus: Path
    cluster: Any
    random: random.Random
    uri: str = ""
    done: dict[str, int] = field(default_factory=dict)
    trained_twice: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drivers: list[preloaded.Process] = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def runs(self) -> Path:
        return self.output / "runs"

    def start(self) -> preloaded.Process:
        """Start a driver; it writes to a log of its own."""
        if not self.uri and not self.drivers:
            copy_empty_store(self.folder.parent, self.output)
        command = [str(ROOT / "search" / "run.py"), "--preset", "mini"]
        command += [
            "--lang",
            "ar",
            "--space",
            "paper",
            "--grid",
            "--trials",
            str(TRIALS),
            "--export-best",
            "0",
        ]
        command += ["--data-dir", str(self.corpus), "--output", str(self.output)]
        command += ["--address", self.cluster.address]
        for path, value in SETTINGS.items():
            command += ["--set", f"{path}={value}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment |= {"MLFLOW_TRACKING_URI": self.uri} if self.uri else {}
        with (self.folder / f"driver-{len(self.drivers)}.log").open("wb") as log:
            driver = preloaded.start(
                command,
                env=environment,
                stdout=log.fileno(),
                stderr=log.fileno(),
                cwd=self.folder,
            )
        self.drivers.append(driver)
        return driver

    def log(self) -> str:
        """Return all that the drivers wrote."""
        files = sorted(self.folder.glob("driver-*.log"))
        return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def epochs(self) -> int:
        """Return the number of epochs on disk, and watch that what is done stays as it is."""
        for mark in self.runs.glob("*/DONE"):
            stamp = mark.stat().st_mtime_ns
            if self.done.setdefault(mark.parent.name, stamp) != stamp:
                self.trained_twice.append(mark.parent.name)
        lines = 0
        for path in self.runs.glob("*/history.jsonl"):
            lines += len(path.read_bytes().splitlines())
        return lines

    def wait_for(self, condition: Callable[[], bool], driver: preloaded.Process) -> bool:
        """Wait until something is so; False if the driver ended before."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.epochs()
            if driver.poll() is not None:
                return condition()
            if time.monotonic() > end:
                raise TimeoutError(f"waited too long\n{self.log()}")
            time.sleep(0.03)
        return True

    def random_moment(self, driver: preloaded.Process) -> None:
        """Wait until a random number of epochs is on disk, and a moment more."""
        number, pause = self.random.randrange(EPOCHS), self.random.uniform(0, 0.4)
        is_there = self.wait_for(lambda: b"running on" in self.log().encode(), driver)
        is_there = is_there and self.wait_for(lambda: self.epochs() >= number, driver)
        time.sleep(pause)
        self.notes.append(f"after epoch {self.epochs()}" if is_there else "too late")

    def end(self, driver: preloaded.Process) -> int:
        """Wait for a driver's end and return its exit code."""
        self.wait_for(lambda: driver.poll() is not None, driver)
        self.epochs()
        return int(driver.returncode)

    def finish(self, most: int = 4) -> None:
        """Run the same command again until nothing is left."""
        for _ in range(most):
            code = self.end(self.start())
            if code == 0 and not self.left():
                return
        raise AssertionError(f"still not finished after {most} starts\n{self.log()}")

    def left(self) -> int:
        """Return the number of trials that are not complete."""
        return TRIALS - len({json.dumps(t.params) for t in self.trials() if t.value is not None})

    def trials(self) -> list[Any]:
        """Return the trials of the study."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        journals = list((self.output / "studies").glob("*.journal"))
        if not journals:
            return []
        storage = JournalStorage(JournalFileBackend(str(journals[0])))
        names = [study.study_name for study in storage.get_all_studies()]
        if not names:
            return []
        return list(optuna.load_study(study_name=names[0], storage=storage).trials)

    def workers(self) -> list[int]:
        """Return the processes that train now."""
        commands = preloaded.descendants(os.getpid()).items()
        return [
            process
            for process, command in commands
            if command.startswith("ray::") and "StageWorker" in command
        ]

    def wait_for_no_workers(self) -> None:
        """Wait until a killed driver's workers have ended as well."""
        end = time.monotonic() + PATIENCE
        while self.workers():
            assert time.monotonic() < end, "workers outlive their driver"
            time.sleep(0.2)


# The faults: each strikes a search that runs, and leaves it to be finished.


def worker_killed(world: World) -> None:
    driver = world.start()
    world.random_moment(driver)
    for process in world.workers():
        os.kill(process, signal.SIGKILL)
    world.notes.append(f"exit {world.end(driver)}")


def driver_killed(world: World) -> None:
    driver = world.start()
    world.random_moment(driver)
    driver.kill()
    world.notes.append(f"exit {world.end(driver)}")


def node_removed(world: World) -> None:
    node = world.cluster.add_node(num_cpus=1)
    driver = world.start()
    world.random_moment(driver)
    world.cluster.remove_node(node, allow_graceful=False)
    world.notes.append(f"exit {world.end(driver)}")


def head_killed(world: World) -> None:
    driver = world.start()
    world.random_moment(driver)
    world.cluster.restart(kill=True)
    world.notes.append(f"exit {world.end(driver)}")


def mlflow_down(world: World) -> None:
    seconds = float(os.environ.get("PROKD_CHAOS_MLFLOW_SECONDS", "60"))
    copy_empty_store(world.folder.parent, world.output, "server.db")
    with mlflow_server(world.output) as server:
        world.uri = server.uri
        driver = world.start()
        world.random_moment(driver)
        server.stop()
        time.sleep(seconds)
        server.start()
        world.notes.append(f"exit {world.end(driver)}")
        world.finish()
        check(world, reference(world))


def disk_full(world: World) -> None:
    world.runs.mkdir(parents=True)
    # Small: it is filled before the next epoch ends.
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(world.runs)]
    subprocess.run(mount, check=True)
    driver = world.start()
    world.random_moment(driver)
    filler = world.runs / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
    is_told = world.wait_for(lambda: "space on the disk" in world.log(), driver)
    filler.unlink()
    world.notes.append(f"exit {world.end(driver)}" + (", told" if is_told else ""))
    assert "Traceback" not in world.log(), world.log()


def checkpoint_damaged(world: World) -> None:
    driver = world.start()
    done = world.random.randrange(1 + TRIALS)  # of the teacher and the students

    def struck() -> bool:
        """Kill what trains once there is a checkpoint, which is gone when its run is done."""
        workers = world.workers()
        if len(list(world.runs.glob("*/DONE"))) < done:
            return False
        if not workers or not list(world.runs.glob("*/checkpoint-*.pt")):
            return False
        for process in workers:
            os.kill(process, signal.SIGKILL)
        driver.kill()
        return True

    is_there = world.wait_for(struck, driver)
    world.end(driver)
    world.wait_for_no_workers()
    damaged = 0
    for folder in world.runs.glob("*"):
        newest = sorted(folder.glob("checkpoint-*.pt"))[-1:]
        for path in newest:
            damaged += 1
            if world.random.random() < 0.5:
                os.truncate(path, world.random.randrange(path.stat().st_size))
            else:
                content = bytearray(path.read_bytes())
                content[world.random.randrange(len(content))] ^= 0xFF
                path.write_bytes(content)
    world.notes.append(f"after epoch {world.epochs()}, {damaged} damaged")
    assert damaged or not is_there, "a checkpoint that was there is gone"


def second_driver(world: World) -> None:
    drivers = [world.start()]
    time.sleep(world.random.uniform(0, 4))  # both are about to begin: one comes first
    drivers.append(world.start())
    codes = sorted(world.end(driver) for driver in drivers)
    assert codes in ([0, 0], [0, 2]), world.log()
    if codes == [0, 2]:
        assert "must have one driver" in world.log(), world.log()
    world.notes.append(f"exits {codes}")


def ctrl_c_once(world: World) -> None:
    driver = world.start()
    world.random_moment(driver)
    driver.send_signal(signal.SIGINT)
    code = world.end(driver)
    assert code in (0, 130, -2), world.log()
    if code == 130 and "stopping when" in world.log():
        assert "run the same command again" in world.log(), world.log()
        assert not open_runs(world), "Ctrl-C once leaves no MLflow run open"
    world.notes.append(f"exit {code}")


def ctrl_c_twice(world: World) -> None:
    driver = world.start()
    world.random_moment(driver)
    for _ in range(2):
        driver.send_signal(signal.SIGINT)
        time.sleep(world.random.uniform(0.05, 0.5))
    code = world.end(driver)
    assert code in (0, 130, -2), world.log()
    world.notes.append(f"exit {code}")


FAULTS: dict[str, Callable[[World], None]] = {
    fault.__name__: fault
    for fault in (
        worker_killed,
        node_removed,
        driver_killed,
        head_killed,
        mlflow_down,
        disk_full,
        checkpoint_damaged,
        second_driver,
        ctrl_c_once,
        ctrl_c_twice,
    )
}


# What a search comes to, and whether two come to the same.


def outcome(world: World) -> dict[str, Any]:
    """Return all that must not depend on what happened on the way."""
    runs = {}
    for folder in sorted(world.runs.glob("*-*")):
        rows = [json.loads(line) for line in (folder / "history.jsonl").open()]
        result = json.loads((folder / "result.json").read_text())
        report = folder / "report.json"
        weights = (folder / "weights.safetensors").read_bytes()
        runs[folder.name] = {
            "history": [{k: v for k, v in row.items() if k != "seconds"} for row in rows],
            "objective": result["objective"],
            "report": json.loads(report.read_text()) if report.exists() else None,
            "weights": hashlib.sha256(weights).hexdigest(),
        }
    complete = [trial for trial in world.trials() if trial.value is not None]
    return {
        "runs": runs,
        "trials": sorted((json.dumps(t.params, sort_keys=True), t.value) for t in complete),
    }


def store(world: World) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(world.uri or f"sqlite:///{world.output / 'mlflow.db'}")


def all_runs(world: World) -> list[Any]:
    client = store(world)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(ids, max_results=1000))


def open_runs(world: World) -> list[str]:
    return [r.data.tags["prokd.key"] for r in all_runs(world) if r.info.status == "RUNNING"]


def check(world: World, expected: dict[str, Any]) -> None:
    """Compare the end of a round with the undisturbed one; AssertionError where they differ."""
    found = outcome(world)
    assert found["trials"] == expected["trials"], "the same set of trials with the same values"
    assert found["runs"].keys() == expected["runs"].keys(), "the same runs"
    for name, run in expected["runs"].items():
        for what, value in run.items():
            came = found["runs"][name][what]
            assert came == value, f"{what} of {name}: {came}, not {value}; {world.notes}"
    assert not world.trained_twice, f"trained again after DONE: {world.trained_twice}"
    parts = [p for p in world.runs.glob("*/.*") if p.name != ".lock"]
    assert not parts, f"half-written: {parts}"
    assert not list(world.runs.glob("*/checkpoint-*")), "checkpoints of finished runs"
    states = Counter(trial.state.name for trial in world.trials())
    assert not states["RUNNING"] + states["WAITING"], f"zombies in the study: {states}"
    assert not open_runs(world), f"orphaned MLflow runs: {open_runs(world)}"
    logged = all_runs(world)
    kinds = Counter(
        (r.data.tags["kind"], r.data.tags.get("trial") or r.data.tags.get("signature"))
        for r in logged
    )
    assert max(kinds.values()) == 1, f"MLflow runs made twice: {kinds}"
    stages = [r for r in logged if r.data.tags["kind"] in ("teacher", "student")]
    assert len(stages) == len(expected["runs"]), "an MLflow run for each stage run"
    client = store(world)
    for run in stages:
        name = next(k for k in run.data.metrics if k.endswith("entity_f1") and "dev/" in k)
        steps = Counter(m.step for m in client.get_metric_history(run.info.run_id, name))
        folder = run.data.tags["prokd.key"].removeprefix("stage:").replace(":", "-")
        wanted = len(expected["runs"][folder]["history"])
        assert sorted(set(steps) - {0}) == list(range(1, wanted + 1)), f"{name}: {steps}"
    assert sum(r.data.tags["kind"] == "trial" for r in logged) == len(world.trials())


class Ray:
    """A Ray with one node that trains, whose head can be killed and started again."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        import search.workers.cluster  # noqa: F401 - sets what Ray reads when it is imported

        # isort: split
        from ray.cluster_utils import Cluster

        arguments = {"num_cpus": 1, "include_dashboard": False}
        for attempt in range(5):  # Ray gives a new node 30 seconds, whatever the machine does
            try:
                with preloaded.quick_workers():
                    self.cluster = Cluster(initialize_head=True, head_node_args=arguments)
                break
            except Exception as error:  # Ray raises no class of its own for it
                if attempt == 4 or "timed out during startup" not in str(error):
                    raise
        self.address = self.cluster.address

    def add_node(self, **arguments: Any) -> Any:
        with preloaded.quick_workers():
            return self.cluster.add_node(**arguments)

    def remove_node(self, node: Any, **arguments: Any) -> None:
        self.cluster.remove_node(node, **arguments)

    def restart(self, *, kill: bool = False) -> None:
        if kill:
            node = self.cluster.head_node
            node.kill_all_processes(check_alive=False, allow_graceful=False)
            self.cluster.head_node = None
        self.start()

    def stop(self) -> None:
        self.cluster.shutdown()


_reference: dict[str, dict[str, Any]] = {}


def reference(world: World) -> dict[str, Any]:
    """Return the outcome of the undisturbed search, which is run once."""
    key = str(world.corpus)
    if key not in _reference:
        folder = world.folder.parent / "undisturbed"
        folder.mkdir(exist_ok=True)
        calm = World(folder, world.corpus, world.cluster, world.random)
        assert calm.end(calm.start()) == 0, calm.log()
        _reference[key] = outcome(calm)
        check(calm, _reference[key])
    return _reference[key]


def play(name: str, seed: int, folder: Path, corpus: Path, ray: Ray) -> World:
    """Play one round; AssertionError if its end is not that of an undisturbed search."""
    place = folder / f"{name}-{seed}"
    place.mkdir()
    world = World(place, corpus, ray, random.Random(f"{name}-{seed}"))
    expected = reference(world)
    try:
        FAULTS[name](world)
        if not world.uri:  # else it was finished while its server was there
            world.finish()
            check(world, expected)
    finally:
        for driver in world.drivers:
            if driver.poll() is None:
                driver.kill()
        if name == "disk_full":
            subprocess.run(["umount", "-l", str(world.runs)], check=False)
    return world


def main() -> None:
    """Play rounds and print a table of what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2 * len(FAULTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", default=",".join(FAULTS))
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.search.conftest import write_corpus

    names = arguments.faults.split(",")
    folder = Path(tempfile.mkdtemp(prefix="prokd-chaos-"))
    corpus = write_corpus(folder / "corpus")
    ray, failed = Ray(), 0
    print("| round | fault | seed | moment and end | starts | seconds | outcome |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)
    try:
        for number in range(arguments.rounds):
            name, seed = names[number % len(names)], arguments.seed + number // len(names)
            begun, end, world = time.monotonic(), "equal", None
            try:
                world = play(name, seed, folder, corpus, ray)
            except (AssertionError, TimeoutError) as error:
                failed += 1
                end = f"DIFFERS: {str(error).splitlines()[0] if str(error) else 'see log'}"
                print(f"{folder}/{name}-{seed}: {error}", file=sys.stderr, flush=True)
            notes = ", ".join(world.notes) if world else ""
            starts = len(world.drivers) if world else "-"
            row = [number + 1, name, seed, notes, starts, round(time.monotonic() - begun), end]
            print("| " + " | ".join(map(str, row)) + " |", flush=True)
    finally:
        ray.stop()
    print(f"\n{arguments.rounds} rounds, {failed} with another end than an undisturbed search")
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
