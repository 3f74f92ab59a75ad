"""What is told to a store that is away: kept in order, told once, nothing lost."""

import errno

import pytest
import requests
from mlflow.exceptions import MlflowException

from search.outbox import Outbox
from search.store_errors import why_away, without_secrets


class Store:
    def __init__(self):
        self.up, self.told, self.said, self.now = True, [], [], 0.0
        self.box = Outbox(
            lambda error: "does not answer" if isinstance(error, ConnectionError) else None,
            self.said.append,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds):
        self.now += max(seconds, 0.1)

    def tell(self, what, key=None):
        self.box.tell(lambda: self.write(what), key)

    def write(self, what):
        if not self.up:
            raise ConnectionError
        if isinstance(what, Exception):
            raise what
        self.told.append(what)


def test_what_a_store_misses_is_told_later_in_order_and_once():
    store = Store()
    store.tell(1)
    store.up = False
    for number in (2, 3, 3, 4):
        store.tell(number, key=number)
    assert store.told == [1]
    assert len(store.said) == 1
    store.up = True
    store.tell(5)
    assert store.told == [1]  # it is not looked at again for a moment
    store.now += 10
    store.tell(6)
    assert store.told == [1, 2, 3, 4, 5, 6]
    assert "answers again" in store.said[1]
    store.tell(7)
    assert store.told[-1] == 7


def test_patience_at_the_end():
    store = Store()
    store.up = False
    store.tell(1)
    assert store.box.flush(patience=20) == 1
    assert store.now >= 20
    store.up = True
    assert store.box.flush(patience=20) == 0
    assert store.told == [1]


def test_other_errors_are_raised_and_do_not_block_what_follows():
    store = Store()
    with pytest.raises(KeyError):
        store.tell(KeyError("a mistake"))
    store.tell(1)
    assert store.told == [1]


def test_no_password_is_shown():
    assert without_secrets("postgresql://me:secret@host/db") == "postgresql://host/db"
    assert without_secrets("sqlite:////tmp/a@b.db") == "sqlite:////tmp/a@b.db"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (requests.ConnectionError("refused"), "does not answer"),
        (ConnectionResetError(), "does not answer"),
        (MlflowException("oops"), "does not answer"),  # an internal error, by default
        (OSError(errno.ENOSPC, "No space left on device"), "does not find room on its disk"),
        (MlflowException("database or disk is full"), "does not find room on its disk"),
        (FileNotFoundError(), None),
        (MlflowException.invalid_parameter_value("a name"), None),
        (ValueError("a mistake of ours"), None),
    ],
)
def test_why_a_store_takes_nothing(error, why):
    assert why_away(error) == why
