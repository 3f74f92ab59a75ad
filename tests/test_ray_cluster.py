"""The cluster file is what Ray accepts, and what it names agrees with the rest of the project."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "ray_cluster.yaml"
COMMANDS = [
    f"{kind}_commands"
    for kind in (
        "initialization",
        "setup",
        "head_setup",
        "worker_setup",
        "head_start_ray",
        "worker_start_ray",
    )
]
NUM_PLACEHOLDERS = 2


@pytest.fixture(scope="module")
def cluster():
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def _commands(cluster):
    return [command for name in COMMANDS for command in cluster[name]]


def test_ray_accepts_it_without_any_cloud():
    script = f"""
        import sys
        sys.modules["boto3"] = sys.modules["botocore"] = None  # importing them fails
        import yaml
        from ray.autoscaler._private.util import fillout_defaults, prepare_config, validate_config
        config = yaml.safe_load(open({str(FILE)!r}, encoding="utf-8"))
        validate_config(fillout_defaults(config))
        validate_config(prepare_config(config))
    """
    script = "\n".join(line.strip() for line in script.splitlines())
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_ray_refuses_a_wrong_field(cluster):
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import fillout_defaults, validate_config

    with pytest.raises(ValidationError):
        validate_config(fillout_defaults({**cluster, "max_worker": 3}))


def test_versions_are_those_of_the_lock():
    lock = dict(
        line.split("==")
        for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    )
    text = FILE.read_text(encoding="utf-8")
    rays = re.findall(r"ray(?:\[\w+\])?==([\d.]+)", text)
    assert len(rays) >= 2
    assert set(rays) == {lock["ray"]}
    assert set(re.findall(r"python(3\.\d+)", text)) == {"3.11"}
    assert "-r ~/prokd/requirements.lock" in text


def test_node_types_fit_each_other(cluster):
    types = cluster["available_node_types"]
    head, worker = types[cluster["head_node_type"]], types["gpu_worker"]
    assert set(types) == {"head", "gpu_worker"}
    assert head["max_workers"] == 0
    assert (worker["min_workers"], worker["max_workers"]) == (0, 8)
    assert cluster["max_workers"] == worker["max_workers"]
    assert worker["resources"]["GPU"] == 1
    assert head["resources"] == {"CPU": 0}
    assert head["node_config"]["ImageId"] == worker["node_config"]["ImageId"]
    assert "InstanceMarketOptions" not in head["node_config"]
    zones = cluster["provider"]["availability_zone"].split(",")
    assert all(zone.startswith(cluster["provider"]["region"]) for zone in zones)


def test_only_the_marked_values_are_to_be_filled_in(cluster):
    lines = FILE.read_text(encoding="utf-8").splitlines()
    used = [line for line in lines if re.search(r"FILL_IN_\w+", line)]
    marks = [line for line in lines if line.strip().startswith("# FILL_IN:")]
    assert len(used) == len(marks) == NUM_PLACEHOLDERS
    values = yaml.safe_dump(cluster)
    assert set(re.findall(r"FILL_IN\w*", values)) == {"FILL_IN_AMI_ID", "FILL_IN_EFS_DNS_NAME"}
    assert not re.search(r"TODO|XXX|<[A-Z_]+>|YOUR_", values)


def test_every_command_is_valid_shell(cluster):
    for command in _commands(cluster):
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_options_of_mlflow_and_ray_exist(cluster):
    from mlflow.cli import server
    from ray.scripts.scripts import start

    for words, command in (("mlflow server", server), ("ray start", start)):
        assert isinstance(command, click.Command)
        known = {name for option in command.params for name in option.opts}
        used = [
            option
            for text in _commands(cluster)
            if words in text
            for option in re.findall(r"(--[a-z-]+)", text[text.index(words) :])
        ]
        assert used
        assert set(used) <= known


def test_storage_is_shared_and_mounted_before_anything_else(cluster):
    mounts = [text for text in cluster["initialization_commands"] if "mount -t nfs4" in text]
    assert len(mounts) == 1
    assert mounts[0].endswith("/mnt/prokd)")
    server = next(text for text in cluster["head_start_ray_commands"] if "mlflow server" in text)
    assert server.count("/mnt/prokd/") == 2
    assert "--host 127.0.0.1" in server


def test_the_mounted_repository_is_what_is_installed(cluster):
    assert cluster["file_mounts"] == {"~/prokd": "."}
    assert any(text.endswith("-e ~/prokd") for text in cluster["setup_commands"])
    assert ".git" in cluster["rsync_exclude"]


def test_the_worker_request_is_valid_python(cluster):
    text = next(text for text in cluster["head_setup_commands"] if "wake-workers" in text)
    program = re.search(r"-c '(.*?)' ", text, re.DOTALL)
    assert program
    compile(program[1], "wake-workers", "exec")
