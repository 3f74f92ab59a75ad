import pytest

from prokd.config import ExperimentConfig, with_overrides
from search.spaces import SPACE, STUDENT_SPACE, SYMBOLS, TEACHER_SPACE, in_symbols, points, without


@pytest.mark.parametrize("point", points(SPACE), ids=in_symbols)
def test_every_point_is_a_valid_configuration(point):
    config = with_overrides(ExperimentConfig(), point)
    tree = config.model_dump()
    for path, value in point.items():
        node = tree
        for part in path.split("."):
            node = node[part]
        assert node == value


def test_the_grid_is_the_papers():
    assert len(points(SPACE)) == 300
    assert len(points(TEACHER_SPACE)) == 20
    assert set(SYMBOLS) == set(SPACE)
    assert not set(TEACHER_SPACE) & set(STUDENT_SPACE)


def test_without():
    assert without(SPACE, TEACHER_SPACE) == STUDENT_SPACE
