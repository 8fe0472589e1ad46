"""What several test files share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same code gives the same verdict; `pytest --hypothesis-profile=wide` goes looking for new examples.
settings.register_profile("same", derandomize=True)
settings.register_profile("wide", max_examples=1000, deadline=None)
settings.load_profile("same")


@pytest.fixture(scope="session")
def media():
    """The folder of test clips and photographs, which lies beside the repository and is not part of it."""
    folder = Path(os.environ.get("MICROAU_MEDIA", Path(__file__).parents[2] / "shared" / "media"))
    if not folder.is_dir():
        pytest.skip(f"no test clips in {folder} (set MICROAU_MEDIA)")
    return folder


def pytest_runtest_setup(item):
    """Tests marked `gpu` are skipped by name where the driver shows no card."""
    if item.get_closest_marker("gpu") is not None:
        from microau.engine import cuda_driver
        from microau.engine.errors import MicroauError

        try:
            cuda_driver.gpu(0)
        except MicroauError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory):
    """A bundle of random weights and the default's structure, exported once."""
    from tiny import tiny_trained

    from microau.export.bundle import write_bundle

    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    write_bundle(tiny_trained(), path, "tiny")
    return path
