"""What auto stands for in a search: in a study's name, in a dry run, on a cluster."""

import pytest
from typer.testing import CliRunner

from ablations.run import app as ablation
from prokd.config import automatic_precision
from search.driver import Search
from search.experiments import DataDescriptions
from search.precision import expected_precision
from search.run import app as search
from tests.search.conftest import TIMED_ELSEWHERE, tiny_spec

AUTO = {"encoder.precision": "auto"}


def test_searches_in_two_precisions_share_no_study(runtime):
    descriptions = DataDescriptions(runtime)
    spec = tiny_spec(**AUTO)
    with pytest.raises(AssertionError, match="share no study"):
        spec.study_name(descriptions)
    names = [spec.settled(p).study_name(descriptions) for p in ("fp32", "bf16", "bf16")]
    assert names[0] != names[1] == names[2]
    assert names[0] == tiny_spec(**{"encoder.precision": "fp32"}).study_name(descriptions)


@pytest.mark.parametrize(
    ("asked", "promised", "expected"),
    [(None, "", "fp32"), (None, "4", "bf16"), (0.5, "", "bf16"), (0, "4", "fp32")],
)
def test_what_is_expected_where_nothing_is_connected(asked, promised, expected, monkeypatch):
    monkeypatch.setattr("prokd.encoder.precision.kind_of_this_machine", lambda: "cpu")
    monkeypatch.setenv("PROKD_MAX_GPUS", promised or "0")
    assert expected_precision(asked) == expected


def test_a_gpu_here_says_what_it_has(monkeypatch):
    monkeypatch.delenv("PROKD_MAX_GPUS", raising=False)
    for kind, expected in (("gpu", "bf16"), ("gpu without bf16", "fp32")):
        monkeypatch.setattr("prokd.encoder.precision.kind_of_this_machine", lambda kind=kind: kind)
        assert expected_precision(None) == expected_precision(1) == expected
        assert expected_precision(0) == "fp32"


def test_rays_types_of_gpus():
    for name in ("P100", "V100", "P4", "K80", "T4"):
        assert automatic_precision([name]) == "fp32"
    assert automatic_precision(["H100", "A10G", "L4"]) == "bf16"


@pytest.mark.parametrize("app", [search, ablation])
def test_a_dry_run_says_what_it_counts_with(app, corpus, tmp_path, monkeypatch):
    monkeypatch.delenv("PROKD_MAX_GPUS", raising=False)
    given = ["--preset", "mini", "--data-dir", str(corpus), "--output", str(tmp_path)]
    given += ["--dry-run", *TIMED_ELSEWHERE]
    for more, precision in (
        (["--gpus-per-trial", "0"], "fp32"),
        (["--gpus-per-trial", "1"], "bf16"),
        (["--gpus-per-trial", "1", "--set", "encoder.precision=fp16"], "fp16"),
    ):
        result = CliRunner().invoke(app, [*given, *more], catch_exceptions=False)
        assert result.output.splitlines()[0].endswith(f"encoder.precision = {precision}")


@pytest.mark.ray
def test_a_search_is_settled_by_its_cluster(open_engine, output):
    engine = open_engine()
    assert engine.cluster.precision == "fp32"
    made = Search(tiny_spec(2, **AUTO), engine, output)
    assert made.spec.base.encoder.precision == "fp32"
    assert made.name == Search(tiny_spec(2), engine, output).name
