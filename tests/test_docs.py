"""What pages say of commands and settings is so; `make docs` checks links and builds them."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ablations.run import app as ablations_app
from prokd.cli.added_commands import added, load
from prokd.cli.app import app as prokd_app
from prokd.common.names import flatten
from prokd.methods import methods
from search.run import app as search_app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = {"search/run.py": search_app, "ablations/run.py": ablations_app}


def options(command) -> set[str]:
    return {form for each in command.params for form in (*each.opts, *each.secondary_opts)}


def known_options(words: list[str]) -> set[str] | None:
    """The options that a command line of ours may have; None where it is none."""
    if words[0] == "prokd" and len(words) > 1:
        own = get_command(prokd_app).commands.get(words[1])
        return options(own or load(added()[words[1]]))
    if words[0] == "python" and words[1] in SCRIPTS:
        return options(get_command(SCRIPTS[words[1]]))
    return None


def printed_commands():
    for page in PAGES:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            text = re.sub(r"^(?: {4}|\$ )", "", line)
            if re.match(r"(?:prokd [a-z]|python (?:search|ablations)/run\.py)", text):
                place = f"{page.relative_to(ROOT)}:{number}"
                yield place, shlex.split(text.partition("&&")[0], comments=True)


def test_every_printed_command_has_the_options_that_it_is_given():
    checked = 0
    for place, words in printed_commands():
        known = known_options(words)
        if known is None:
            continue
        for word in words:
            if re.match(r"--[a-z]", word):
                assert word.partition("=")[0] in known, f"{place}: {shlex.join(words)}"
                checked += 1
    assert checked >= 100


@pytest.fixture(scope="module")
def settings_pages() -> ModuleType:
    """What makes the pages of settings."""
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    spec = importlib.util.spec_from_file_location("hook", ROOT / "docs/hooks/settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", list(methods()))
def test_every_setting_of_a_method_stands_on_its_page(settings_pages, name):
    method = methods()[name]
    page = "\n".join(settings_pages.page_of(method))
    rows = re.findall(r"(?m)^\| `([\w.]+)` \|", page)
    assert sorted(rows) == sorted(flatten(method.config(method=name).model_dump()))
    for path, symbol in method.symbols.items():
        assert f"| `{path}` | " in page
        assert f"**{symbol}**: " in page


def test_the_first_steps_of_the_tutorial_print_what_it_says(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    program = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    begin, counted = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[:2]
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "text.py", "exec"), {})
    text = capsys.readouterr().out
    assert text.startswith(begin)
    (tmp_path / "news.txt").write_text(text, encoding="utf-8")
    (line,) = re.findall(r"(?m)^ {4}prokd (text .*)$", page)
    done = CliRunner().invoke(prokd_app, shlex.split(line), catch_exceptions=False)
    assert done.output.startswith(counted)
