"""What is collected is what the subject logs, whatever else goes on in the process."""

import gc
import logging
import threading

import pytest

from infra_conformance.logged import logged

LOG = logging.getLogger("infra_conformance.tests")


class Speaks:
    """Logs when it is thrown away, which the garbage collector alone can do."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        LOG.warning("thrown away")


def test_another_thread_is_not_listened_to() -> None:
    with logged() as records:
        thread = threading.Thread(target=LOG.warning, args=("from elsewhere",))
        thread.start()
        thread.join()
        LOG.warning("from here")
    assert records == ["from here"]


def test_what_was_left_behind_is_not_thrown_away_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    Speaks()
    with logged() as records:
        busy = [[number] for number in range(10 * gc.get_threshold()[0])]
    assert records == []
    assert busy
    assert gc.isenabled()
    gc.collect()
    assert "thrown away" in caplog.text


def test_nobody_is_listened_to_afterwards() -> None:
    with logged() as records:
        LOG.error("%s", "during")
        LOG.info("too little to tell")
    LOG.warning("afterwards")
    assert records == ["during"]
