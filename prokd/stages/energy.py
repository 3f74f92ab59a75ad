"""The energy that devices took while one run trained, where they count it themselves.

Devices count what they take as a whole: of runs beside each other each counts all of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

COUNTERS = Path("/sys/class/powercap")
"""Where Linux shows the counters of CPU packages (RAPL); reading them may need a right."""


class EnergyMeter:
    """Joules that the CPU packages, and the GPU if a run trains on one, took since this was made.

    Counters of CPUs begin anew after some thousand joules: `joules` has to be asked for at least
    every few minutes of training, after each epoch, say.
    """

    def __init__(self, device: torch.device, counters: Path = COUNTERS) -> None:
        """Read all counters that can be read.

        Args:
            device: That trains; of a GPU the driver (NVML) is asked, if nvidia-ml-py is there.
            counters: Folder of the CPUs' counters.
        """
        packages = [f for f in sorted(counters.glob("intel-rapl:*")) if f.name.count(":") == 1]
        counted = [folder for folder in packages if _reads(folder / "energy_uj") is not None]
        meters: list[Callable[[], float]] = [_Package(folder).joules for folder in counted]
        if device.type == "cuda" and (gpu := _gpu(device)) is not None:
            meters.append(gpu)
        self._meters = meters

    def joules(self) -> float | None:
        """Return what all of them took so far, in joules; None if none can be read."""
        return sum(meter() for meter in self._meters) if self._meters else None


class _Package:
    """The counter of one CPU package, in microjoules, which begins anew at its range."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = _reads(folder / "max_energy_range_uj") or 0
        self._last, self._taken = _reads(self._file) or 0, 0

    def joules(self) -> float:
        now = _reads(self._file)
        if now is not None:
            step = now - self._last
            self._taken += step if step >= 0 else step + self._range
            self._last = now
        return self._taken / 1e6


def _reads(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return None


def _gpu(device: torch.device) -> Callable[[], float] | None:
    """Return a meter of a GPU; None without NVML, or of a GPU that does not count."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        before = nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # whatever a driver raises: then it is not measured
        return None

    def joules() -> float:
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle) - before) / 1e3  # of mJ

    return joules
