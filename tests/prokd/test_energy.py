"""Counters of energy, read from files such as Linux shows them."""

from functools import partial

import torch

from prokd.stages.energy import EnergyMeter
from prokd.training import run as runs

CPU = torch.device("cpu")


def _package(folder, name, microjoules, most=1_000_000_000):
    place = folder / name
    place.mkdir(exist_ok=True)
    (place / "energy_uj").write_text(f"{microjoules}\n")
    (place / "max_energy_range_uj").write_text(f"{most}\n")


def test_packages_are_added_and_begin_anew_at_their_range(tmp_path):
    _package(tmp_path, "intel-rapl:0", 900_000_000)
    _package(tmp_path, "intel-rapl:1", 0)
    _package(tmp_path, "intel-rapl:0:0", 5)  # a part of a package, which is counted there
    meter = EnergyMeter(CPU, tmp_path)
    assert meter.joules() == 0
    _package(tmp_path, "intel-rapl:0", 950_000_000)
    _package(tmp_path, "intel-rapl:1", 2_000_000)
    _package(tmp_path, "intel-rapl:0:0", 10_000_000)
    assert meter.joules() == 52
    _package(tmp_path, "intel-rapl:0", 30_000_000)
    assert meter.joules() == 132
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # it may no longer be read
    assert meter.joules() == 132


def test_what_is_not_counted_is_unknown(tmp_path):
    assert EnergyMeter(CPU, tmp_path / "none").joules() is None
    _package(tmp_path, "intel-rapl:0", "nothing")
    assert EnergyMeter(CPU, tmp_path).joules() is None


def test_what_was_taken_before_is_unknown_where_nothing_counted_it(
    few_config, tiny_runtime, tmp_path, monkeypatch
):
    counters = tmp_path / "counters"
    monkeypatch.setattr(runs, "EnergyMeter", partial(EnergyMeter, counters=counters))
    with runs.StageRun("teacher", few_config, tiny_runtime) as run:
        run.step()
        run.flush()
    counters.mkdir()
    _package(counters, "intel-rapl:0", 0)
    with runs.StageRun("teacher", few_config, tiny_runtime) as run:
        assert run.run()["energy_joules"] is None


def test_a_run_adds_up_what_was_taken_before_it_was_interrupted(
    few_config, tiny_runtime, tmp_path, monkeypatch
):
    counters = tmp_path / "counters"
    counters.mkdir()
    monkeypatch.setattr(runs, "EnergyMeter", partial(EnergyMeter, counters=counters))
    _package(counters, "intel-rapl:0", 0)
    with runs.StageRun("teacher", few_config, tiny_runtime) as run:
        run.stage = run._build_stage()
        _package(counters, "intel-rapl:0", 3_000_000)
        run.step()
        run.flush()
    _package(counters, "intel-rapl:0", 9_000_000)  # by others, meanwhile
    with runs.StageRun("teacher", few_config, tiny_runtime) as run:
        run.stage = run._build_stage()
        _package(counters, "intel-rapl:0", 13_000_000)
        assert run.run()["energy_joules"] == 4 + 3
