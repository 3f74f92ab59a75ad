"""Exports: model cards, copies, ONNX files, and the way to a hub.

The hub is a real HTTP server on this machine, and its client the library's own; each case is one
of a process of its own, since the library reads HF_ENDPOINT when it is imported.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tiny
import yaml
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from prokd.cli.app import app
from prokd.config import RuntimeConfig
from prokd.data.hub import repository
from prokd.encoder import onnx_files
from prokd.encoder.export_folder import is_export
from prokd.encoder.licence import encoder_licence
from prokd.errors import UserError
from prokd.methods import build_config
from prokd.runs.folder import ORACLE, SOURCE_DEV, RunFolder
from prokd.runs.known import run_in
from prokd.scoring.tagging import Tagger
from prokd.training.chosen import Chosen
from prokd.training.exports import config_of, export, has_card, renew_card
from prokd.training.model_card import model_card
from prokd.training.onnx_export import HEADING
from prokd.training.run import StageRun
from tests import preloaded
from tests.prokd.upload_server import READER, TOKEN, Hub, hub

PUBLISH = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from prokd.cli.app import app
from prokd.cli.running import run_app
for token, *arguments in json.loads(sys.argv[1]):
    os.environ["HF_TOKEN"] = token
    sys.argv = ["prokd", "publish", *arguments]
    told = io.StringIO(), io.StringIO()
    with redirect_stdout(told[0]), redirect_stderr(told[1]):
        try:
            run_app(app)
        except SystemExit as ended:
            status = ended.code or 0
    print(json.dumps([status, *(text.getvalue() for text in told)]))
"""


class Trained(NamedTuple):
    """A student, where its data lies, and its export."""

    run: RunFolder
    runtime: RuntimeConfig
    export: Path


@pytest.fixture(scope="module")
def trained(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    place = tmp_path_factory.mktemp("trained")
    runtime = RuntimeConfig(
        data_dirs=(tiny.write_corpus(place / "data"),),
        runs_dir=place / "runs",
        cache_dir=place / "cache",
        device="cpu",
    )
    settings = tiny.settings(tiny_encoder) | tiny.FEWER | tiny.FAST
    config = build_config("paper", "stable", settings)
    for stage in ("teacher", "student"):
        with StageRun(stage, config, runtime) as run:
            run.run()
    run.report()
    return Trained(run.folder, runtime, export(run.folder, place / "export", runtime))


def prokd(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(part) for part in arguments])


def test_a_card_says_what_a_model_is_how_good_and_what_its_limits_are(trained: Trained) -> None:
    card = ModelCard.load(trained.export / "README.md")
    report = (trained.run.report() or {})["metrics"]
    told = card.data.to_dict()
    assert told["language"] == ["xx", "en"]
    assert (told["license"], told["pipeline_tag"]) == ("unknown", "token-classification")
    assert not {"base_model", "datasets"} & set(told)  # a folder, files of one's own
    scores = {result.dataset_config: result for result in card.data.eval_results}
    assert scores["xx"].metric_value == round(report["test/xx/entity_f1"], 4)
    assert scores["en"].metric_value == round(report["test/en/entity_f1"], 4)
    low, _, high = scores["xx"].metric_name.partition("95 % ")[2].rstrip(")").split()
    assert float(low) <= scores["xx"].metric_value <= float(high)
    for sentence in (
        "A tagger of LOC, ORG and PER in the language `xx`.",
        "| method | ProKD: Ge et al., AAAI 2023, arXiv:2301.08855 |",
        "| data set | files of one's own, which the settings call `wikiann` |",
        "| licence of the encoder | unknown: look it up |",
        f"| `xx` | {tiny.SIZES['test']} |",
        "Nothing is known here of a choice",
        "sentences of at most 32 subwords",
        'aggregation_strategy="first"',
    ):
        assert sentence in card.text
    assert "ORACLE" not in card.text
    for path in (trained.runtime.data_dirs[0], trained.runtime.runs_dir):
        assert str(path.parent) not in str(card)
    config = json.loads((trained.export / "config.json").read_text())
    names = ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]
    assert [config["id2label"][str(index)] for index in range(7)] == names
    assert config["label2id"] == {name: index for index, name in enumerate(names)}


def test_its_command_leads_to_the_same_run(trained: Trained) -> None:
    text = (trained.export / "README.md").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("    prokd train")]
    config = config_of(trained.run)
    line = line.replace(f"'path/to/{Path(config.encoder.name).name}'", config.encoder.name)
    line = line.replace(f"path/to/{Path(config.encoder.name).name}", config.encoder.name)
    line = line.replace("DIR", str(trained.runtime.data_dirs[0]))
    _, *arguments = shlex.split(line)
    told = prokd(*arguments, "--runs-dir", trained.run.path.parent, "--device", "cpu")
    assert told.exit_code == 0, told.output
    assert told.stdout.count("nothing is trained again") == 2
    settings = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    settings["encoder"]["name"] = config.encoder.name
    assert type(config).model_validate(settings) == config
    identities = [run_in(path).identity() for path in trained.run.path.parent.iterdir()]
    for identity in identities:
        assert all(digest in text for digest in identity["fingerprints"].values())


def test_a_choice_is_told_and_an_oracle_loudly(trained: Trained, tmp_path: Path) -> None:
    place = tmp_path / "rank1"
    config, several = config_of(trained.run), (0, 1)
    chosen = Chosen("study-1", 1, 3, SOURCE_DEV, 0.5, several, (0.25, 0.35))
    export(trained.run, place, config=config, chosen=chosen)
    text = (place / "README.md").read_text()
    assert "By entity F1 on labelled dev sentences of the source, 0.5000." in text
    assert "Place 1 of 3 trials of the study `study-1`." in text
    assert "0.3000 ± 0.0707" in text
    assert "the run does not say" in text  # no runtime: where its data lay is not known
    assert has_card(place)
    before = (place / "README.md").stat().st_mtime_ns
    given = (place, trained.run, trained.runtime, config)
    renew_card(*given, chosen)
    renewed = (place / "README.md").read_text()
    renew_card(*given, chosen)
    assert (place / "README.md").stat().st_mtime_ns > before
    assert (place / "README.md").read_text() == renewed != text
    renew_card(*given, replace(chosen, criterion=ORACLE, seeds=(0,)))
    text = (place / "README.md").read_text()
    assert "> **ORACLE: this model was chosen by labels of `xx` dev.**" in text
    assert "**By an oracle: entity F1 on labelled `xx` dev**, 0.5000." in text
    assert is_export(place)


def test_what_is_not_scored_is_told(trained: Trained, tmp_path: Path) -> None:
    copied = RunFolder(tmp_path, trained.run.kind, trained.run.signature)
    shutil.copytree(trained.run.path, copied.path)
    copied.write_report("0" * 16, {}, {"xx": "a path", "en": "a path"}, target="xx")
    config = config_of(copied)
    text = model_card(copied, config, RuntimeConfig())
    for language in ("xx", "en"):
        assert f"`{language}` test is not scored: no labelled test sentences were there." in text
    assert "a path" not in text
    assert "model-index" not in text
    assert ModelCard(text).data.datasets == [repository("wikiann", "en")]
    (copied.path / "report.json").unlink()
    assert "`xx` test is not scored: no report was made." in model_card(copied, config)


def test_a_licence_is_read_from_the_encoders_own_card_or_config(tmp_path: Path) -> None:
    assert encoder_licence("mini") == "apache-2.0"
    own = tiny.write_encoder(tmp_path / "own")
    assert encoder_licence(str(own)) is None
    (own / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    assert encoder_licence(str(own)) == "mit"
    (own / "README.md").write_text("---\n: [\n---\n")
    assert encoder_licence(str(own)) is None


@pytest.fixture(scope="module")
def with_onnx(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The run, exported by its name with an ONNX file too, and what the command says."""
    place = tmp_path_factory.mktemp("onnx")
    text = place / "text.txt"
    text.write_text("anna woont in paris .\nopel nam omar aan .\n\njan\n")
    known = ("--runs-dir", trained.run.path.parent)
    told = prokd("export", trained.run.signature, place / "one", *known, "--onnx", "--file", text)
    assert told.exit_code == 0, told.output
    return place / "one", told.stdout


def test_a_run_and_an_export_are_written_as_onnx(
    trained: Trained, with_onnx: tuple[Path, str], tmp_path: Path
) -> None:
    one, told = with_onnx
    assert re.search(r"model\.onnx: .* on 11 of 11 words \(100\.00 %\), \d", told)
    assert told.splitlines()[-1] == f"export: {one}"
    again = prokd("export", one, tmp_path / "two", "--quantised")
    assert again.exit_code == 0, again.output
    two = (tmp_path / "two", {"model.onnx", "model_quantized.onnx"})
    for place, names in ((one, {"model.onnx"}), two):
        assert is_export(place)
        assert {path.name for path in place.glob("*.onnx")} == names
    card = (tmp_path / "two" / "README.md").read_text()
    assert card.count(HEADING) == 1
    # The card's own program gives the tags of the model.
    program = textwrap.dedent(card.partition(HEADING)[2].partition("\n    ")[2].join(["    ", ""]))
    program = program.replace("path/to/this/folder", str(one))
    program = program.replace("model_quantized.onnx", "model.onnx")
    words = ["anna", "woont", "in", "paris", "."]
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(program.replace('"..."', repr(" ".join(words))), {})
    (tagged,) = Tagger(trained.export).tag([words], valid=False)
    expected = [f"{word} {tag}" for word, tag in zip(words, tagged.tags, strict=True)]
    assert printed.getvalue().splitlines() == expected
    # A copy without them has no word of them.
    assert prokd("export", tmp_path / "two", tmp_path / "three").exit_code == 0
    assert not list((tmp_path / "three").glob("*.onnx"))
    assert HEADING not in (tmp_path / "three" / "README.md").read_text()
    weights = (tmp_path / "three" / "model.safetensors").read_bytes()
    assert weights == (trained.export / "model.safetensors").read_bytes()


def test_mistakes_of_an_export_are_one_sentence(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    out = tmp_path / "out"
    for arguments, sentence in [
        ((out, "--file", tmp_path / "empty.txt"), "--file must go with --onnx"),
        ((out, "--onnx", "--file", tmp_path / "empty.txt"), "must have a sentence"),
        ((tmp_path / "full",), "nothing is removed"),
    ]:
        told = prokd("export", trained.run.path, *arguments)
        assert isinstance(told.exception, UserError), told.output
        assert sentence in str(told.exception)
    monkeypatch.setattr(onnx_files, "MOST_BYTES", 1000)
    told = prokd("export", trained.run.path, out, "--onnx")
    assert "must be of at most 0.0 GB" in str(told.exception)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    told = prokd("export", trained.run.path, out, "--onnx")
    assert str(told.exception) == (
        "ONNX needs onnxruntime, which is not installed: pip install 'prokd[onnx]'."
    )
    assert not out.exists()


def publish(hub: Hub, home: Path, *cases: Sequence[object]) -> list[Any]:
    """Publish in a process of its own; return status, output and errors of each case."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home)}
    environment |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    given = json.dumps([[str(part) for part in case] for case in cases])
    done = preloaded.run(["-c", PUBLISH, given], env=environment, libraries_only=True)
    assert done.returncode == 0, done.stderr
    for secret in (TOKEN, READER):
        assert secret not in done.stdout + done.stderr + "".join(hub.log)
    assert not [path for path in home.rglob("*") if path.is_file() and TOKEN in path.read_text()]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_export_is_published_in_one_commit_and_replaced(
    trained: Trained, with_onnx: tuple[Path, str], tmp_path: Path
) -> None:
    older, _ = with_onnx
    files = {path.name: path.read_bytes() for path in trained.export.iterdir()}
    with hub() as server:
        theirs = server.repositories["anna/theirs"] = {"main": {"thesis.tex": b"years of work"}}
        server.repositories["anna/open"] = {"main": {".gitattributes": b""}}
        cases = [
            (TOKEN, older, "anna/tagger", "--private"),
            (TOKEN, trained.export, "anna/tagger", "--private"),
            (TOKEN, trained.export, "anna/tagger", "--revision", "v2"),
            (TOKEN, trained.export, "anna/theirs", "--revision", "v2"),
            (TOKEN, trained.export, "anna/open", "--private"),
            (TOKEN, trained.export, "bert/tagger"),
            (READER, trained.export, "anna/other"),
            ("hf_nonsense", trained.export, "anna/other"),
            ("", trained.export, "anna/other"),
            (TOKEN, trained.export, "no name"),
            (TOKEN, trained.run.path, "anna/other"),
        ]
        results = publish(server, tmp_path / "home", *cases)
        for status, printed, said in results[:3]:
            assert (status, said) == (0, "")
            assert printed == f"published: {server.endpoint}/anna/tagger/commit/1\n"
        sentences = [
            "anna/theirs holds thesis.tex; nothing is changed",
            "--private was asked for, but anna/open is there already and is public",
            "does not let the token write there",
            "does not let the token write there",
            "does not know the token",
            "needs a token of the Hugging Face hub that may write: set HF_TOKEN",
            "a repository must be called ACCOUNT/NAME",
            "an export must hold prokd.json",
        ]
        for (status, _, said), sentence in zip(results[3:], sentences, strict=True):
            assert (status, said.count("\n")) == (2, 1), said
            assert said.startswith("error: ")
            assert sentence in said
        branches = server.repositories["anna/tagger"]
        assert branches["main"] == {".gitattributes": b"", **files}
        assert branches["v2"] == branches["main"]
        assert server.private == {"anna/tagger"}
        assert len(server.messages) == 3
        assert theirs == {"main": {"thesis.tex": b"years of work"}}
        assert "anna/other" not in server.repositories
    (ended,) = publish(server, tmp_path / "home", cases[0])  # the hub is gone
    assert ended[0] == 2
    assert f"cannot be published to {server.endpoint} (ConnectError: " in ended[2]
