"""What is refused must be refused in one line that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def refused(call: Callable[[], object], *words: str) -> None:
    """The call ends with a ValueError of one line, in which these words are."""
    with pytest.raises(ValueError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
