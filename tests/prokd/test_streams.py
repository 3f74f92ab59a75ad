"""Where output goes and input comes from: pipes, devices, closed streams, other encodings."""

import gzip
import json
import lzma
import os
import shutil
import signal
import stat
import threading
from pathlib import Path

import pytest

from prokd.common import files
from prokd.common.files import write_text
from prokd.data.inputs import detected_form, raw_sentence, read_input
from prokd.errors import UserError
from tests import preloaded


@pytest.fixture
def prokd(trained, tmp_path):
    """Run `prokd` on a trained export, or another folder."""

    def run(command, *words, folder=trained[1], **more):
        given = ["-m", "prokd", command, str(folder), *map(str, words)]
        return preloaded.run(given, cwd=tmp_path, timeout=120, **more)

    return run


def test_a_pipe_is_written_into_and_stays_one(prokd, tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    done = prokd("predict", "--text", "anna woont in paris", "--to", pipe)
    assert done.returncode == 0, done.stderr
    reader.join(60)
    assert read == [prokd("predict", "--text", "anna woont in paris").stdout]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_to_standard_output_is_written_into(prokd):
    done = prokd("predict", "--text", "anna woont", "--to", "/dev/stdout", "--quiet")
    assert done.stdout == prokd("predict", "--text", "anna woont").stdout
    assert Path("/dev/stdout").is_symlink()


def test_new_files_have_the_rights_that_the_user_gives(tmp_path):
    for mask, rights in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            write_text(tmp_path / "file", "text")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == rights


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_half_written_goes_with_the_process(number, tmp_path):
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from prokd.common.files import write_atomically\n"
        "from prokd.common.interruption import end_at_once_on_signals\n"
        "end_at_once_on_signals()\n"
        f"write_atomically(Path('file'), lambda part: os.kill(os.getpid(), {int(number)}))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(preloaded.ROOT)}
    done = preloaded.run(["-c", code], cwd=tmp_path, env=environment, timeout=60)
    assert done.returncode == 130
    assert list(tmp_path.iterdir()) == []
    assert files._parts == set()


def test_output_that_cannot_be_encoded_is_one_sentence():
    ascii_ = os.environ | {"PYTHONIOENCODING": "ascii"}
    environment = ascii_ | {"PYTHONPATH": str(preloaded.ROOT)}
    run = (
        "import io, sys\n"
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='ascii')\n"
        "from prokd.cli.running import run_app\n"
        "from prokd.common.streams import write_out\n"
        "def command():\n"
        "    print('a result of \\u03c4', flush=True)\n"
        "    write_out('Caf\\u00e9')\n"
        "sys.argv = ['x']\n"
        "run_app(command)\n"
    )
    done = preloaded.run(["-c", run], env=environment, timeout=60)
    assert done.returncode == 2
    assert done.stdout == "a result of \\u03c4\n"
    assert done.stderr.startswith("error: standard output must take '\\xe9', but its encoding is")


@pytest.mark.parametrize(
    ("closed", "words", "sentence"),
    [
        ("stdin", ["--file", "-"], "standard input must be open to be read, but is closed."),
        ("stdout", ["--text", "anna"], "standard output must be open to be written, but is"),
    ],
)
def test_a_closed_stream_is_one_sentence(closed, words, sentence, trained, tmp_path):
    code = (
        f"import sys\nsys.{closed} = None\n"
        "from prokd.cli.entry import main\n"
        f"sys.argv = ['prokd', 'predict', {str(trained[1])!r}, *{words!r}]\nmain()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(preloaded.ROOT)}
    done = preloaded.run(["-c", code], cwd=tmp_path, env=environment, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {sentence}")
    assert "Traceback" not in done.stderr


def test_a_line_that_is_no_row_of_columns_is_a_mistake_in_it(prokd, tmp_path):
    rows = "anna\tB-PER\nwoont\tO\n\n" * 9
    (tmp_path / "rows.txt").write_text(f"{rows}a\tb\tO\n", encoding="utf-8")
    done = prokd("predict", "--file", tmp_path / "rows.txt")
    assert done.returncode == 2
    assert "rows.txt:28: each line must hold one word" in done.stderr
    assert detected_form(f"{rows}paris\tb-loc\n", "x.txt") == "conll"
    for lines in (
        "anna woont in paris\nomar O",
        "Vitamin B-6\nVitamine B-12\nCalcium",
        "Jack O\nO C",
    ):
        assert detected_form(lines, "x.txt") == "text"


def test_a_model_sees_raw_text_as_corpora_of_raw_text_have_it(prokd):
    cairo = "القاهرة"
    seen = raw_sentence(f"De stad {cairo}\u200e, Lei\u00adden", language="nl")
    assert [word.text for word in seen.words][-1] == "Lei\u00adden"
    assert seen.tokens[-1] == "Leiden"
    assert seen.tokens[2] == cairo
    assert raw_sentence("Ma\u0301laga").tokens == ["M\u00e1laga"]
    assert raw_sentence("Paris compte 12\u202f000 habitants.", language="fr").tokens[2] == "12000"
    rows = [
        json.loads(prokd("predict", "--text", text, "--format", "json").stdout)
        for text in ("anna woont in paris", "an\u00adna woont in pa\u00adris")
    ]
    assert rows[0]["tags"] == rows[1]["tags"]
    first = slice(rows[1]["start"][0], rows[1]["end"][0])
    assert rows[1]["text"][first] == "an\u00adna"


def test_an_export_that_is_not_as_it_was_written_is_told(prokd, trained, tmp_path):
    more, cut = tmp_path / "more", tmp_path / "cut"
    shutil.copytree(trained[1], more)
    (more / "notes.txt").write_text("mine")
    done = prokd("export", tmp_path / "new", folder=more)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nothing added, but" in done.stderr
    assert "notes.txt" in done.stderr
    shutil.copytree(trained[1], cut)
    os.truncate(cut / "model.safetensors", 1000)
    done = prokd("export", tmp_path / "new", folder=cut)
    assert done.returncode == 2
    assert "model.safetensors must be whole" in done.stderr
    done = prokd("export", cut / "below", folder=cut)
    assert done.returncode == 2
    assert "a folder of its own" in done.stderr
    assert not (tmp_path / "new").exists()
    assert not (cut / "below").exists()


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("tokenizer.json", ("vocab", 999_999), "must know no more subwords than the encoder's"),
        ("config.json", ("num_hidden_layers", 1), "must be those that its config.json describes"),
    ],
)
def test_files_that_do_not_fit_together_are_told(file, change, sentence, prokd, trained, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(trained[1], folder)
    tree = json.loads((folder / file).read_text("utf-8"))
    name, value = change
    if name == "vocab":
        tree["model"]["vocab"] |= {"anna": value}
    else:
        tree[name] = value
    (folder / file).write_text(json.dumps(tree), "utf-8")
    done = prokd("predict", "--text", "anna", folder=folder)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_what_is_no_record_of_a_run_is_told(prokd, trained, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(trained[1], folder)
    (folder / "prokd.json").write_text("[1]")
    assert prokd("predict", "--text", "anna", folder=folder).returncode == 0
    run = tmp_path / "run"
    shutil.copytree(trained[0][0], run)
    for text in ("{}", "[]"):
        (run / "stage.json").write_text(text)
        done = prokd("predict", "--text", "anna", folder=run)
        assert (done.returncode, done.stderr.count("error: ")) == (2, 1)
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["text", "", "--lang", "nl", "--to", "x"],
            "a text must be a file, a folder or -, but go",
        ),
        (["gc", "--output", "none"], "--output must be a folder of runs, but "),
        (
            ["train-student", "--preset", "mini", "--lang", "nl", "--set", "target=de"],
            "the setting 'target' must be given by --lang, not by --set.",
        ),
        (
            ["train-student", "--preset", "mini", "--lang", "nl", "--dictionary", "none.tsv"],
            "--dictionary must be a file or a folder, but ",
        ),
    ],
)
def test_what_is_not_there_or_given_elsewhere_is_told(words, sentence, tmp_path):
    done = preloaded.run(["-m", "prokd", *words], cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"error: {sentence}")
    assert list(tmp_path.iterdir()) == []


def test_packed_text_is_read_wherever_text_is(tmp_path):
    for pack, name in ((gzip.compress, "a.gz"), (lzma.compress, "a.xz")):
        path = tmp_path / name
        path.write_bytes(pack("Anna woont in Málaga.".encode()))
        assert read_input(path) == "Anna woont in Málaga."
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(UserError, match=rf"{name}: the .* file must be whole"):
            read_input(path)


@pytest.mark.parametrize(("name", "status"), [("loop", (0, 0)), ("x" * 300, (2, 1))])
def test_a_place_that_is_none_is_one_sentence(name, status, prokd, tmp_path):
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    done = prokd("predict", "--text", "anna", "--to", tmp_path / name)
    assert (done.returncode, done.stderr.count("\n")) == status


def test_bytes_that_are_no_text_are_told_by_line(tmp_path):
    from prokd.data.readers import read_file

    path = tmp_path / "test"
    path.write_bytes(b"Ada\tB-PER\nin\tO\nM\xfcnchen\tB-LOC\n")
    with pytest.raises(UserError, match=r"test:3: the text must be UTF-8, but byte 16 is 0xfc"):
        read_file(path, labelled=True)
