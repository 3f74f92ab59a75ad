from ablations.plan import AblationPlan
from ablations.spec import AblationSpec, load_spec
from prokd.methods.rates import suited_rate
from search.configs import base_configs
from search.plan import need

SKILL = {"full": 0.5, "w/o CA": 0.3, "w/o ST": 0.4, "w/o PK": 0.4, "w/o CL": 0.5, "TSL": 0.2}


def test_configs_are_variants_times_languages(make_plan):
    plan = make_plan()
    configs = plan.configs()
    assert list(configs) == [(v, lang) for lang in ("ar", "hi") for v in plan.spec.variants]
    assert configs["w/o CA", "hi"].target == "hi"
    assert configs["w/o CA", "hi"].teacher.alignment.weight == 0
    assert plan.stem == "table4-wikiann-en-ar-hi"


def test_the_signature_is_of_the_settings_alone(make_plan):
    plan = make_plan()
    assert plan.signature == make_plan(seeds=(7,)).signature
    assert plan.signature != make_plan(languages=("ar",)).signature
    assert plan.signature != make_plan(**{"student.epochs": 3}).signature


def test_teachers_are_shared_where_they_are_the_same(finished, make_plan):
    plan = make_plan()
    experiments = finished.experiments(plan)
    assert len(experiments) == 36
    teachers = {e.folder("teacher").signature for e in experiments}
    # one aligned teacher for each language, and one without for each pair of fingerprints
    assert len(teachers) == 3 * (2 + 1)
    assert len({e.result.signature for e in experiments}) == 36


def test_only_what_is_missing_counts(finished, make_plan):
    plan = make_plan(languages=("ar",))
    experiments = finished.experiments(plan)
    missing = need(experiments, "student")
    assert (missing.total, missing.done, missing.missing) == (18, 0, 18)
    finished.rows(AblationPlan(plan.spec, plan.bases, (0, 1)), SKILL)
    experiments[-1].result.path.mkdir(parents=True)
    experiments[-1].result.mark_failed("all tokens are O")
    missing = need(experiments, "student")
    assert (missing.done, missing.collapsed, missing.missing) == (12, 1, 5)
    # another spec with the same variants finds them done
    other = AblationPlan(load_spec("components"), plan.bases, (0,))
    assert need(finished.experiments(other), "student").done == 6


def _base(spec, *settings):
    bases, _ = base_configs(
        method="prokd",
        preset="mini",
        reading=None,
        languages=["xx"],
        source="en",
        dataset=None,
        model=None,
        settings=list(settings),
        beneath=spec.base,
    )
    return bases[0]


def _with_base(**base):
    variants = {"full": {}, "less": {"without": ["PK"]}}
    return AblationSpec(name="own", title="t", claim="c", variants=variants, base=base)


def test_the_command_line_wins_over_a_specs_settings():
    spec = _with_base(**{"student.epochs": 2, "teacher.epochs": 2})
    config = _base(spec, "teacher.epochs=7")
    assert (config.student.epochs, config.teacher.epochs) == (2, 7)


def test_the_encoder_of_a_spec_gets_rates_that_suit_it(tiny_encoder, capsys):
    spec = _with_base(**{"encoder.name": str(tiny_encoder), "student.learning_rate": 2e-3})
    config = _base(spec)
    assert config.encoder.name == str(tiny_encoder)
    assert config.teacher.learning_rate == suited_rate(1e-3, 32, 192)
    assert config.student.learning_rate == 2e-3
    assert "teacher.learning_rate" in (said := capsys.readouterr().out)
    assert "student" not in said
