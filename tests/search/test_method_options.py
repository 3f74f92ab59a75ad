"""Several methods on the command line: what each of them takes, and mistakes in a sentence."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from prokd.config import RuntimeConfig
from prokd.errors import UserError
from prokd.methods import build_config, methods
from search.choice import METHOD, alternatives, in_common
from search.configs import check_criterion, how_many, searched
from search.experiments import DataDescriptions
from search.fairness import comparable, favoured, inequalities
from search.methods import ALL, able, bases_of, chosen
from search.run import app
from search.spec import SearchSpec

runner = CliRunner()
FILE = """
tsl:
  student.epochs: [2, 3]
msd:
  heads.weights: [learned, uniform]
  student.mmd_model: {low: 1e-3, high: 1e-1, log: true}
"""


def _bases(names, settings=(), **changes):
    arguments = {
        "preset": "mini",
        "reading": None,
        "languages": ["ar"],
        "source": "en",
        "dataset": None,
        "model": None,
    }
    (bases,), fixed = bases_of(names, settings=list(settings), **arguments | changes)
    return bases, fixed


@pytest.fixture
def space_file(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["tsl", "msd"], ("tsl", "msd")),
        (["msd,tsl", "tsl"], ("tsl", "msd")),
        (["baseline"], ("baseline",)),
        ([ALL], tuple(methods())),
        (["tsl", "all"], tuple(methods())),
    ],
)
def test_methods_repeat_split_at_commas_and_stand_in_one_order(given, names):
    found = chosen(given)
    assert found.names == names
    assert found.is_all == (ALL in given or "all" in given)


def test_a_setting_goes_to_the_methods_on_which_it_acts():
    given = ["student.epochs=2", "student.fusion_weight=0.7", "encoder.dropout=0.2"]
    bases, fixed = _bases(["prokd", "tsl", "baseline"], given)
    assert fixed == {
        "prokd": ["student.epochs", "student.fusion_weight", "encoder.dropout"],
        "tsl": ["student.epochs", "encoder.dropout"],
        "baseline": ["encoder.dropout"],
    }
    assert [base.encoder.dropout for base in bases] == [0.2] * 3
    space = searched("default", bases, fixed)
    assert "prokd:student.fusion_weight" not in space
    assert "prokd:student.prototype_temperature" in space
    assert "baseline:encoder.dropout" not in space
    # What has no effect beside other settings of one method may have it on another.
    bases, fixed = _bases(["prokd", "tsl"], ["prototypes.update_rate=0.1", "student.epochs=2"])
    assert fixed["tsl"] == ["student.epochs"]


def test_a_reading_goes_to_the_methods_that_have_it():
    soft, tsl = _bases(["prokd", "tsl"], reading="soft")[0]
    assert soft == build_config("mini", "soft", {"target": "ar"})
    assert tsl == build_config("mini", None, {"target": "ar"}, method="tsl")
    literal = _bases(["prokd", "tsl"], reading="literal")[0]
    assert literal[1] == build_config("mini", "literal", {"target": "ar"}, method="tsl")


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (["tsl", "msd"], {"settings": ["student.epohs=1"]}, r"did you mean student\.epochs\?"),
        (["tsl", "msd"], {"settings": ["heads.weight=1"]}, r"did you mean heads\.weights\?"),
        (
            ["tsl", "baseline"],
            {"settings": ["similarity.weights=uniform"]},
            r"similarity\.weights must have an effect, but has none .* of tsl, baseline:",
        ),
        (["tsl", "msd"], {"settings": ["student.epochs=0"]}, r"^tsl: student\.epochs: .* got 0"),
        (["tsl", "msd"], {"settings": ["seed=1"]}, "must be given by --seeds"),
        (["tsl", "msd"], {"settings": ["seed"]}, "must have the form path=value"),
        (["tsl", "msd"], {"reading": "soft"}, "the reading must be one of stable, literal, but"),
        (
            ["tsl", "msd"],
            {"source": "en,de"},
            "of --source en,de tsl would learn from each by itself",
        ),
        (["tsl", "msd"], {"languages": ["en"]}, "source and target must differ"),
    ],
)
def test_mistakes(names, changes, message):
    with pytest.raises(UserError, match=message):
        _bases(names, **changes)


def test_a_criterion_must_be_one_of_every_method():
    bases, _ = _bases(["tsl", "msd", "baseline"])
    check_criterion("source_dev", *bases)
    check_criterion("confidence", *bases[:2])
    with pytest.raises(UserError, match="every method has, but got 'confidence', which baseline"):
        check_criterion("confidence", *bases)
    with pytest.raises(UserError, match=r"must be one of source_dev, .* did you mean confidence"):
        check_criterion("confidense", *bases)


def test_how_many_points_of_several():
    bases, fixed = _bases(["prokd", "tsl", "msd"])
    space = searched("default", bases, fixed)
    arguments = {"name": "default", "preset": "mini", "trials": None, "grid": False}
    assert how_many(space, **arguments) == (False, 6)  # each method twice
    assert how_many(space, **arguments | {"trials": 2}) == (False, 2)
    with pytest.raises(UserError, match="--grid must go with one method, but got prokd, tsl, msd"):
        how_many(space, **arguments | {"grid": True})


def test_a_file_has_a_section_for_each_method(space_file):
    bases, fixed = _bases(["tsl", "msd"])
    space = searched(space_file(FILE), bases, fixed)
    own = alternatives(space)
    assert set(own["tsl"]) == {METHOD, "tsl:student.epochs"}
    assert set(own["msd"]) == {METHOD, "msd:heads.weights", "msd:student.mmd_model"}
    # One method takes its own section, under the names that its settings always have.
    assert set(searched(space_file(FILE), bases[:1], fixed)) == {"student.epochs"}
    # A file without sections varies what all methods have.
    assert set(searched(space_file("student.epochs: [2, 3]"), bases, fixed)) == {
        METHOD,
        "tsl:student.epochs",
        "msd:student.epochs",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tsl: {student.epochs: [1, 2]}", "have a section of settings for msd, but has sections"),
        ("tsl: {student.epochs: [1, 2]}\nmsd: [1]", r"for msd, but has \[1\]"),
        ("tsl: {}\nmds: {}", "each section .* must be one of .* did you mean msd"),
        ("student.mmd_model: [0.1, 0.2]", r"must name settings of tsl, but got 'student\.mmd_mo"),
        ("tsl: {method: [tsl]}\nmsd: {}", "tsl: .* method must be given by --method"),
        ("paper", "tsl: a space must be one of default or the path of a YAML file"),
    ],
)
def test_mistakes_in_spaces_of_several(text, message, space_file):
    bases, fixed = _bases(["tsl", "msd"])
    with pytest.raises(UserError, match=message):
        searched("paper" if text == "paper" else space_file(text), bases, fixed)


def test_methods_alone_may_be_the_choice_but_one_must_have_a_free_setting():
    rates = ["teacher.learning_rate=1e-3", "teacher.head_learning_rate_factor=1"]
    bases, fixed = _bases(["baseline"], [*rates, "encoder.dropout=0.1"])
    with pytest.raises(UserError, match="one of the searched settings must be free"):
        searched("default", bases, fixed)


def test_what_a_method_lacks_is_told_or_refused():
    bases, fixed = _bases(["tsl", "unitrans", "composed"], dataset="wikiann")
    said = []
    given = RuntimeConfig(dictionaries=(Path("en-ar.tsv"),))
    assert able(bases, given, "default", fixed, is_all=False, by_source=True) == bases
    without = RuntimeConfig(), "default", fixed
    assert able(bases, *without, is_all=True, by_source=True, say=said.append) == bases[:1]
    # The composed one needs a dictionary at some points of its space alone.
    for name, line in zip(("unitrans", "composed"), said, strict=True):
        assert line.startswith(f"{name} is left out: {name} needs a dictionary from en to ar: ")
    with pytest.raises(UserError, match=r"^unitrans needs a dictionary .*`\.$"):
        able(bases, *without, is_all=False, by_source=True)
    with pytest.raises(UserError, match="--method all needs a method that can run"):
        able(bases[1:], *without, is_all=True, by_source=True, say=said.append)


def test_what_is_unequal_is_told():
    fast, _ = _bases(["prokd", "tsl", "baseline"], preset="fast")
    assert inequalities({base.method: base for base in fast}) == [
        "not the same for all methods: student.epochs: prokd 6, tsl 3"
    ]
    alike = _bases(["prokd", "tsl", "msd", "baseline"])[0]
    assert inequalities({base.method: base for base in alike}) == []
    (line,) = favoured(fast)
    assert line.startswith("source dev favours baseline, whose result learns the source alone")
    assert favoured(fast[:2]) == favoured(fast[2:]) == []
    said = []
    assert comparable(fast, said.append) == fast[:2]
    assert said[0].startswith("baseline is left out: its result learns the source alone")
    assert comparable(fast[2:], said.append) == fast[2:]
    assert comparable(fast[:2], said.append) == fast[:2]
    assert len(said) == 1


def test_a_study_is_named_by_its_methods_and_all_that_they_hold(corpus, cache, tmp_path):
    runtime = RuntimeConfig(data_dirs=(corpus,), cache_dir=cache, runs_dir=tmp_path)
    descriptions = DataDescriptions(runtime)

    def name(names, settings=(), **changes):
        bases, fixed = _bases(names, settings)
        space = searched("default", bases, fixed)
        spec = SearchSpec.of(bases, space, (0,), False, 4, *changes.values())
        return spec.settled("fp32").study_name(descriptions)

    plain = name(["tsl", "msd"])
    assert plain.startswith("tsl+msd-phrasebook-en-ar-tpe-")
    assert name(["prokd", "tsl"]).startswith("prokd+tsl-phrasebook-en-ar-tpe-")
    assert name(["tsl"]).startswith("tsl-phrasebook-en-ar-tpe-")
    assert name(["tsl", "msd"]) == plain
    others = [
        name(["tsl", "msd"], ["teacher.epochs=2"]),
        name(["tsl", "msd"], ["student.mmd_model=0.1"]),
        name(["tsl", "msd"], select="source_dev", prune=True),
    ]
    assert len({plain, *others}) == 4


def test_settings_that_methods_share_are_said_once():
    bases, fixed = _bases(["tsl", "baseline"], ["teacher.epochs=2"])
    space = searched("default", bases, fixed)
    spec = SearchSpec.of(bases, space, (0,), False, 4)
    told = in_common(spec.fixed(), space)
    assert told["teacher.epochs"] == 2
    assert told["student.epochs"] == 3
    assert told["tsl:encoder.dropout"] == 0.1  # the other method searches it
    assert "encoder.dropout" not in told
    assert told["tsl:method"] == "tsl"


def test_the_dry_run_counts_all_methods(corpus, tmp_path):
    words = ["--preset", "mini", "--data-dir", str(corpus), "--output", str(tmp_path / "out")]
    words += ["--method", "tsl", "--method", "baseline", "--trials", "6", "--dry-run"]
    result = runner.invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "source dev favours baseline" in result.output
    assert "tsl+baseline phrasebook en-ar: 6 trials x 1 seed, by TPE" in result.output
    assert "  method: tsl, baseline\n" in result.output
    assert "  baseline:encoder.dropout: 0 to 0.5\n" in result.output
    assert "teachers: 6 (0 done, 6 to train)" in result.output
    assert "students: 3 (0 done, 3 to train)" in result.output
    assert "estimated cost: " in result.output
    assert not (tmp_path / "out" / "studies").exists()
