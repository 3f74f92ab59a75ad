"""The collector of cycles rests while a corpus is read, and only then."""

import gc

import pytest

from prokd.data.allocation import without_collector


def test_the_collector_is_as_before_afterwards() -> None:
    assert gc.isenabled()
    with without_collector():
        assert not gc.isenabled()
        with without_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_is_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="wrong"), without_collector():
        raise ValueError("wrong")
    assert gc.isenabled()
