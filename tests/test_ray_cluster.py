"""The cluster files are what Ray accepts, and agree with the rest of the project."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "ray_cluster.yaml"
ONPREM = ROOT / "ray_cluster_onprem.yaml"
KUBERAY = ROOT / "ray_cluster_kuberay.yaml"
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
PLACEHOLDERS = {
    FILE: {"FILL_IN_AMI_ID", "FILL_IN_EFS_DNS_NAME"},
    ONPREM: {"FILL_IN_HEAD_ADDRESS", "FILL_IN_WORKER_ADDRESSES", "FILL_IN_USER"},
    KUBERAY: {"FILL_IN_IMAGE", "FILL_IN_VOLUME_CLAIM"},
}


@pytest.fixture(scope="module")
def cluster():
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def onprem():
    return yaml.safe_load(ONPREM.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=[FILE, ONPREM], ids=["aws", "onprem"])
def each(request):
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def _commands(cluster):
    return [command for name in COMMANDS for command in cluster.get(name, [])]


def test_ray_accepts_it_without_any_cloud():
    script = f"""
        import sys
        sys.modules["boto3"] = sys.modules["botocore"] = None  # importing them fails
        import yaml
        from ray.autoscaler._private.util import fillout_defaults, prepare_config, validate_config
        config = yaml.safe_load(open({str(FILE)!r}, encoding="utf-8"))
        validate_config(fillout_defaults(config))
        validate_config(prepare_config(config))
        config = yaml.safe_load(open({str(ONPREM)!r}, encoding="utf-8"))
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
    text = "".join(path.read_text(encoding="utf-8") for path in PLACEHOLDERS)
    assert re.findall(r'rayVersion: "([^"]+)"', text) == [lock["ray"]]
    rays = re.findall(r"ray(?:\[\w+\])?==([\d.]+)", text)
    assert set(rays) == {lock["ray"]}
    assert set(re.findall(r"python(3\.\d+)", text)) == {"3.11"}
    assert (
        text.count("-r ~/prokd/requirements.lock\n    -r ~/prokd/requirements-cluster.lock") == 2
    )


def test_the_lock_of_a_cluster_adds_to_the_other_and_takes_nothing_back():
    def names(file):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        return {line.split("==")[0].lower() for line in lines if not line.startswith("#")}

    more = names("requirements-cluster.lock")
    assert {"boto3", "aiohttp-cors", "py-spy"} <= more
    assert not more & names("requirements.lock")


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


@pytest.mark.parametrize("file", PLACEHOLDERS, ids=lambda path: path.name)
def test_only_the_marked_values_are_to_be_filled_in(file):
    text = file.read_text(encoding="utf-8")
    assert text.count("# FILL_IN:") == len(PLACEHOLDERS[file])
    values = yaml.safe_dump(yaml.safe_load(text))
    assert set(re.findall(r"FILL_IN\w*", values)) == PLACEHOLDERS[file]
    assert not re.search(r"TODO|XXX|<[A-Z_]+>|YOUR_", values)
    explained = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    assert {name for name in PLACEHOLDERS[file] if f"`{name}`" not in explained} == set()


def test_every_command_is_valid_shell(each):
    for command in _commands(each):
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_options_of_mlflow_and_ray_exist(each):
    from mlflow.cli import server
    from ray.scripts.scripts import start

    for words, command in (("mlflow server", server), ("ray start", start)):
        assert isinstance(command, click.Command)
        known = {name for option in command.params for name in option.opts}
        used = [
            option
            for text in _commands(each)
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


def test_the_mounted_repository_is_what_is_installed(each):
    assert each["file_mounts"] == {"~/prokd": "."}
    assert any(text.endswith("-e ~/prokd") for text in each["setup_commands"])
    assert ".git" in each["rsync_exclude"]


def test_mlflow_asks_for_a_password_that_no_file_of_ours_holds(each):
    server = next(text for text in each["head_start_ray_commands"] if "mlflow server" in text)
    assert "--app-name basic-auth" in server
    assert "--host 127.0.0.1" in server
    login = next(text for text in each["head_setup_commands"] if "token_urlsafe" in text)
    assert "umask 077" in login
    assert any('"$MLFLOW_TRACKING_PASSWORD"' in text for text in each["head_start_ray_commands"])
    assert any("requirements.lock" in text for text in each["setup_commands"])
    assert "Flask-WTF==" in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_login_is_made_once_and_is_its_owners_alone(cluster, tmp_path):
    command = next(text for text in cluster["head_setup_commands"] if "token_urlsafe" in text)
    command = command.replace("/mnt/prokd", str(tmp_path))
    login, passwords = tmp_path / ".mlflow-login", []
    for _ in range(2):
        subprocess.run(["bash", "-ec", command], check=True)
        assert login.stat().st_mode & 0o077 == 0
        show = f". {login}; echo $MLFLOW_TRACKING_PASSWORD"
        passwords.append(subprocess.check_output(["bash", "-ec", show], text=True).strip())
    assert len(passwords[0]) >= 20
    assert passwords[0] == passwords[1]


def test_a_search_waits_for_as_many_machines_as_may_come(cluster):
    worker = cluster["available_node_types"]["gpu_worker"]
    most = {
        name: int(number)
        for text in cluster["head_setup_commands"]
        for name, number in re.findall(r"PROKD_MAX_(\w)PUS=(\d+)", text)
    }
    assert most == {
        name: worker["resources"][f"{name}PU"] * worker["max_workers"] for name in ("C", "G")
    }


def test_machines_of_ones_own_use_the_autoscaler_that_starts_them(onprem):
    start = next(text for text in onprem["head_start_ray_commands"] if "ray start" in text)
    assert "RAY_enable_autoscaler_v2=0" in start
    assert onprem["min_workers"] == onprem["max_workers"]


def test_kubernetes_nodes_are_alike():
    values = yaml.safe_load(KUBERAY.read_text(encoding="utf-8"))
    spec = values["spec"]
    (worker,) = spec["workerGroupSpecs"]
    pods = [group["template"]["spec"] for group in (spec["headGroupSpec"], worker)]
    assert len({pod["containers"][0]["image"] for pod in pods}) == 1
    assert len({str(pod["volumes"]) for pod in pods}) == 1
    assert all(
        pod["containers"][0]["volumeMounts"][0]["mountPath"] == "/mnt/prokd" for pod in pods
    )
    assert (worker["minReplicas"], worker["replicas"]) == (0, 0)
