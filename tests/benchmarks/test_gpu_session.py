"""The session on a GPU, dry: parts with their limits, results after each, the table."""

import json
import os
import sys
import zipfile

import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig

from benchmarks.gpu import measure
from benchmarks.gpu_session import machine, packing
from benchmarks.gpu_session.comparing import equal, near
from benchmarks.gpu_session.machine import CARRIED, NEEDED, missing
from benchmarks.gpu_session.parts import all_parts
from benchmarks.gpu_session.parts.steps import model_alone
from benchmarks.gpu_session.results import Results
from benchmarks.gpu_session.runner import Part, run_parts
from benchmarks.gpu_session.session import Session
from benchmarks.gpu_session.shapes import E5, classifier, drawn_corpus, operations
from benchmarks.gpu_session.training import batches_of
from benchmarks.setting import Setting
from benchmarks.sizes import QUICK
from benchmarks.table import Line
from prokd.data.mini import ENCODER_PATH
from tests import preloaded

WIDTH, INNER, CLASSES = 16, 32, 7
PARTS = {
    "sleeps": "import time\ndef measure(session):\n yield line('first')\n time.sleep(600)\n",
    "breaks": "def measure(session):\n yield line('second')\n raise ValueError('no | luck')\n",
    "ends": "def measure(session):\n yield line('third')\n",
}
LINE = (
    "from benchmarks.table import Line\ndef line(x): return Line(x, x, '', '', '', '', 1, 0.0)\n"
)


@pytest.fixture
def session(tmp_path):
    return Session(out=tmp_path / "out", work=tmp_path / "work", kind="cpu", tiny=True)


def test_a_part_that_hangs_or_breaks_is_marked_and_the_others_go_on(
    session, tmp_path, monkeypatch
):
    for name, text in PARTS.items():
        (tmp_path / f"part_{name}.py").write_text(LINE + text)
    monkeypatch.syspath_prepend(tmp_path)
    limits = {"sleeps": 6.0, "breaks": 30.0, "ends": 30.0}
    parts = [Part(name, f"part_{name}", seconds) for name, seconds in limits.items()]
    results = Results(session.out)
    results.add("machine", {"title": "a machine", "dry": True})
    run_parts(parts, session, results, 100.0)
    assert [line.what for line in results.lines()] == ["first", "second", "third"]
    ended = [part["ended"] for part in results.records("part")]
    assert ended == ["cut off after 6 s", "failed (exit 1): ValueError: no / luck", "whole"]
    table = (session.out / "table.md").read_text()
    assert table.startswith("a machine\n\n**A dry run with tiny sizes")
    assert "| second | second |" in table
    assert "| breaks | failed (exit 1): ValueError: no / luck |" in table
    assert "ValueError" in (session.out / "log.txt").read_text()


def test_what_has_no_time_left_is_left_out(session):
    results = Results(session.out)
    run_parts([Part("rate", "json", 60.0)], session, results, 0.0)
    assert [part["ended"] for part in results.records("part")] == ["left out: no time"]


FORKS = """
import multiprocessing, runpy
multiprocessing.get_context = lambda kind: multiprocessing.context.ForkContext()
runpy.run_module("benchmarks.gpu_session", run_name="__main__", alter_sys=True)
"""
"""The command where its process has imported everything, and is forked for each part itself."""


def test_the_dry_run_of_cheap_parts(tmp_path):
    command = ["-c", FORKS, "--dry-run", "--out", str(tmp_path)]
    command += ["--parts", "rate", "stacked", "frozen"]
    environment = {**os.environ, "PYTHONPATH": str(preloaded.ROOT), "OMP_NUM_THREADS": "1"}
    done = preloaded.run(command, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    results = Results(tmp_path)
    assert [part["ended"] for part in results.records("part")] == ["whole"] * 3
    assert {line.part for line in results.lines()} == {"rate", "checks", "stacked", "frozen"}
    assert "no number here means anything" in (tmp_path / "table.md").read_text()
    assert len(list(tmp_path.iterdir())) <= 8


def test_a_part_must_be_known():
    with pytest.raises(ValueError, match="a part must be one of rate, checks"):
        all_parts(["speed"])


def test_the_table_says_that_a_check_failed(tmp_path):
    results = Results(tmp_path)
    results.add_line(near("a vector", torch.ones(3), torch.full((3,), 1.001), 1e-4))
    results.add_line(equal("weights", {"w": torch.ones(2)}, {"w": torch.ones(2)}))
    results.add_line(near("nothing", torch.full((3,), torch.nan), torch.ones(3), 1e-4))
    assert [line.result for line in results.lines()] == ["FAILS", "holds", "FAILS"]
    assert "**2 of the checks failed" in results.write_table().read_text()


def test_a_record_that_was_cut_off_is_left_out(tmp_path):
    results = Results(tmp_path)
    results.add_line(Line("a", "b", "", "", "", "", 1, 1.0))
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"kind": "line", "part": "c')
    assert len(results.lines()) == 1


@pytest.fixture
def model():
    config = BertConfig(
        vocab_size=300,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    return classifier(config, frozen_layers=1)


def test_products_are_counted_for_real_subwords_alone(model):
    attention, rest = 3 * WIDTH * WIDTH, WIDTH * WIDTH + 2 * WIDTH * INNER
    frozen = 2 * (attention + rest) * 50
    last = attention * 50 + (rest + WIDTH * CLASSES) * 30
    assert operations(model, 50, 30) == frozen + 6 * last
    assert operations(model, 50, 30, passes=("train", "look")) == frozen + 8 * last


def test_drawn_text_is_a_corpus():
    corpus = drawn_corpus(torch.tensor([4, 9, 5]).numpy(), 300, labelled=True)
    (batch,) = batches_of(corpus, 3, 1)
    assert int(batch.attention_mask_BT.sum()) == 18
    assert sorted(corpus.num_words.tolist()) == [1, 2, 4]
    assert bool(batch.attention_mask_BT.flatten()[batch.token_index_N].all())


def test_a_step_is_timed(session):
    line = model_alone(session, E5, 4, 1e12)
    assert line.value > 0
    assert "real subwords a step" in line.what


def test_a_smaller_vocabulary_splits_the_same(tmp_path):
    sentences = [["Anna", "woont", "in", "Leiden"], ["book", "of", "123"]]
    packing.cut_encoder(ENCODER_PATH, tmp_path / "cut", sentences, 2)
    whole, cut = (
        Tokenizer.from_file(str(folder / "tokenizer.json"))
        for folder in (ENCODER_PATH, tmp_path / "cut")
    )
    one, other = (
        [each.tokens for each in tokenizer.encode_batch(sentences, is_pretokenized=True)]
        for tokenizer in (whole, cut)
    )
    assert one == other
    config = json.loads((tmp_path / "cut" / "config.json").read_text())
    assert config["num_hidden_layers"] == 2
    assert config["vocab_size"] == cut.get_vocab_size() < whole.get_vocab_size()


def test_texts_are_cut_to_whole_sentences(tmp_path):
    for language in packing.LANGUAGES:
        (tmp_path / language).mkdir()
        for split in packing.SPLITS:
            text = "".join(f"{language}:w{i}\tO\n{language}:x\tB-LOC\n\n" for i in range(5000))
            (tmp_path / language / split).write_text(text)
    parts = list(packing.cut_texts(tmp_path, tmp_path / "cut"))
    assert [len(part) for part in parts] == [4000, 1000, 1000] * 2
    assert parts[0][3999] == ["w3999", "x"]
    assert (tmp_path / "cut" / "en" / "train").read_text().endswith("en:x\tB-LOC\n")


def test_what_is_carried_is_needed():
    assert missing() == []
    assert set(CARRIED) <= set(NEEDED.values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what it does without a GPU")
def test_without_a_gpu_nothing_is_measured(tmp_path):
    (line,) = measure(Setting(tmp_path, tmp_path), QUICK)
    assert line.result == "no CUDA device here: nothing measured"


def test_what_is_missing_is_installed_from_wheels_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "NEEDED", {"carried_here": "Carried-Here", "not_there": "x"})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "before")
    (tmp_path / "wheels").mkdir()
    info = "carried_here-1.0.dist-info"
    with zipfile.ZipFile(tmp_path / "wheels" / "carried_here-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried_here.py", "")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: carried-here\nVersion: 1.0"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        wheel.writestr(f"{info}/RECORD", "")
    site = tmp_path / "site"
    assert machine.install(tmp_path / "wheels", site) == ""
    assert machine.missing() == ["not_there"]
    assert os.environ["PYTHONPATH"] == f"{site}{os.pathsep}before"
