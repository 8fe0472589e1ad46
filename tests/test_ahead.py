"""A stage ahead in its own thread gives what the stage gives in place."""

import threading
import time

import pytest

from microau.stream.ahead import Ahead


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_order_and_answers_are_those_of_doing_it_in_place():
    with Ahead(range(500), lambda n: n * n, depth=3) as results:
        assert list(results) == [(n, n * n) for n in range(500)]


def test_it_is_ahead_but_not_farther_than_told():
    done = []
    with Ahead(range(100), done.append, depth=4) as results:
        next(iter(results))
        time.sleep(0.05)
        assert 2 <= len(done) <= 7  # read, waiting, and one at work


@pytest.mark.parametrize("where", ["items", "work"])
def test_what_the_thread_raises_is_raised_here_after_what_came_before(where):
    def items():
        yield from range(3)
        raise OSError("cable")

    def work(n):
        if n == 2:
            raise OSError("cable")
        return n

    seen = []
    stage = Ahead(items() if where == "items" else range(9), work if where == "work" else str)
    with pytest.raises(OSError, match="cable"), stage as results:
        seen.extend(results)
    assert [n for n, _ in seen] == ([0, 1, 2] if where == "items" else [0, 1])


def test_leaving_early_leaves_no_thread():
    with Ahead(iter(int, 1), lambda n: n) as results:
        next(iter(results))
    assert not threads()
