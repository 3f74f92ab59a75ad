"""Separate hosts on one Linux machine: network, process and mount namespaces, each with an sshd.

Every host has an address of its own, sees only its own processes, has a home and a /tmp of its own
and shares one folder with the others, /mnt/prokd. Needs root, iproute2, openssh-server and rsync;
`missing` says what is not there.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NETWORK = "10.77.0"
BRIDGE = "prokd-br"
SSHD = """
HostKey /root/.sshd/key
AuthorizedKeysFile /root/.ssh/authorized_keys
PermitRootLogin yes
PasswordAuthentication no
UsePAM no
MaxStartups 100
MaxSessions 100
PidFile none
"""


@dataclass(frozen=True)
class Hosts:
    """Hosts that are up.

    Args:
        addresses: Of each host.
        key: Private SSH key of root on all of them.
        shared: The folder that they see as /mnt/prokd, on this machine.
    """

    addresses: tuple[str, ...]
    key: Path
    shared: Path


def missing() -> list[str]:
    """Return what this machine lacks to make hosts; empty if nothing."""
    lacks = []
    if sys.platform != "linux" or os.geteuid() != 0:
        lacks.append("root on Linux")
    for program in ("ip", "unshare", "ssh", "ssh-keygen", "rsync", "curl"):
        if shutil.which(program) is None:
            lacks.append(program)
    if not Path("/usr/sbin/sshd").exists():
        lacks.append("/usr/sbin/sshd")
    if not lacks:
        probe = "mount -t tmpfs none /mnt && ip link add prokd-probe type bridge"
        trial = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", probe], capture_output=True, text=True
        )
        if trial.returncode:
            lacks.append(f"the right to make namespaces ({trial.stderr.strip()})")
    return lacks


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def build_venv(home: Path, locks: Sequence[Path]) -> None:
    """Make ``/root/venv`` as a host sees it, where the packages need no network afterwards."""
    home.mkdir(parents=True, exist_ok=True)
    python = shutil.which("python3.11", path="/usr/bin:/usr/local/bin") or sys.executable
    pip = "/root/venv/bin/python -m pip install -q --no-compile"
    steps = [
        f"mount --bind {home} /root",
        f"test -x /root/venv/bin/python || {python} -m venv /root/venv",
        f"{pip} 'pip>=24'",
        f"{pip} " + " ".join(f"-r {lock}" for lock in locks),
    ]
    environment = {**os.environ, "PIP_CACHE_DIR": str(home.parent / "pip-cache")}
    command = ["unshare", "--mount", "sh", "-ec", "\n".join(steps)]
    subprocess.run(command, check=True, env=environment)


@contextmanager
def hosts(folder: Path, venv_home: Path, number: int) -> Iterator[Hosts]:
    """Bring hosts up for as long as the block lasts.

    Args:
        folder: For their homes and their shared folder.
        venv_home: As `build_venv` made it; no host changes it.
        number: How many.
    """
    key, shared = folder / "key", folder / "shared"
    shared.mkdir(parents=True)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    names = [f"prokd-{index}" for index in range(number)]
    addresses = tuple(f"{NETWORK}.{10 + index}" for index in range(number))
    daemons: list[subprocess.Popen[bytes]] = []
    _disconnect(names)  # what a play that was killed left
    try:
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        for name, address in zip(names, addresses, strict=True):
            _connect(name, address)
            daemons.append(_boot(name, folder, venv_home, key, shared))
        for address in addresses:
            _wait_for_ssh(address)
        yield Hosts(addresses, key, shared)
    finally:
        for daemon in daemons:
            daemon.send_signal(signal.SIGKILL)  # its processes end with their namespace
            daemon.wait()
        _disconnect(names)


def _connect(name: str, address: str) -> None:
    inside = ["ip", "-n", name]
    _run("ip", "netns", "add", name)
    _run("ip", "link", "add", f"{name}-o", "type", "veth", "peer", "name", "eth0", "netns", name)
    _run("ip", "link", "set", f"{name}-o", "master", BRIDGE, "up")
    _run(*inside, "addr", "add", f"{address}/24", "dev", "eth0")
    _run(*inside, "link", "set", "lo", "up")
    _run(*inside, "link", "set", "eth0", "up")
    _run(*inside, "route", "add", "default", "via", f"{NETWORK}.1")


def _disconnect(names: Sequence[str]) -> None:
    for name in names:  # the link first: a network namespace goes when the kernel has time
        subprocess.run(["ip", "link", "del", f"{name}-o"], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)


def _boot(
    name: str, folder: Path, venv_home: Path, key: Path, shared: Path
) -> subprocess.Popen[bytes]:
    home, upper, work = folder / name, folder / f"{name}-upper", folder / f"{name}-work"
    for made in (home / ".ssh", home / ".sshd", home / "venv", upper, work):
        made.mkdir(parents=True)
    home.chmod(0o700)
    (home / ".ssh").chmod(0o700)
    shutil.copy(f"{key}.pub", home / ".ssh" / "authorized_keys")
    (home / ".sshd" / "config").write_text(SSHD)
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / ".sshd" / "key"))
    layers = f"lowerdir={venv_home}/venv,upperdir={upper},workdir={work}"
    steps = [
        "mount --make-rprivate /",
        "mount -t tmpfs none /mnt && mkdir /mnt/prokd",
        f"mount --bind {shared} /mnt/prokd",
        f"mount -t overlay overlay -o {layers} {home}/venv",
        f"mount --rbind {home} /root",
        "mount -t tmpfs none /run && mkdir /run/sshd",
        "mount -t tmpfs none /dev/shm",
        "mount -t tmpfs none /tmp && chmod 1777 /tmp",
        f"hostname {name}",
        "exec /usr/sbin/sshd -D -e -f /root/.sshd/config",
    ]
    unshare = ["unshare", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = ["ip", "netns", "exec", name, *unshare, "sh", "-ec", "\n".join(steps)]
    clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean, cwd="/"
        )


def _wait_for_ssh(address: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, 22), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def ssh(place: Hosts, address: str, command: str) -> Sequence[str]:
    """Return the words of a command that runs on a host."""
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    return ["ssh", "-q", "-i", str(place.key), *options, f"root@{address}", command]
