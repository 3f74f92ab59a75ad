import pytest
from optuna.distributions import CategoricalDistribution

from prokd.config import with_overrides
from prokd.methods import build_config
from prokd.methods.prokd.method import PROKD
from search.space_files import PAPER, load_space
from search.spaces import in_symbols, points, symbols, without

SPACE = load_space(PAPER, build_config())
TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9)
TEACHER_SPACE = {
    "prototypes.update_rate": CategoricalDistribution((0.001, 0.005, 0.0001, 0.0005)),
    "teacher.alignment.temperature": CategoricalDistribution(TEMPERATURES),
}
STUDENT_SPACE = {
    "student.prototype_temperature": CategoricalDistribution(TEMPERATURES),
    "student.fusion_weight": CategoricalDistribution((0.7, 0.8, 0.9)),
}


@pytest.mark.parametrize("point", points(SPACE), ids=in_symbols)
def test_every_point_is_a_valid_configuration(point):
    config = with_overrides(build_config(), point)
    tree = config.model_dump()
    for path, value in point.items():
        node = tree
        for part in path.split("."):
            node = node[part]
        assert node == value


def test_the_grid_is_the_papers():
    assert {**TEACHER_SPACE, **STUDENT_SPACE} == SPACE
    assert len(points(SPACE)) == 300
    assert len(points(TEACHER_SPACE)) == 20
    assert set(PROKD.symbols) == set(SPACE)
    assert PROKD.symbols.items() <= symbols().items()


def test_without():
    assert without(SPACE, TEACHER_SPACE) == STUDENT_SPACE
