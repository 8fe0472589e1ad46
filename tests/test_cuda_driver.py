"""The driver by ctypes: its calls are declared as they are, and where it is missing one line says so."""

from __future__ import annotations

import ctypes

import pytest

from microau.engine import cuda_driver
from microau.engine.errors import MicroauError


def test_calls_are_declared_as_numba_declares_them():
    """Numba keeps a table of its own, tried on many GPUs; where both know a call they must agree."""
    table = pytest.importorskip("numba.cuda.cudadrv.drvapi").API_PROTOTYPES
    known = {name: name.removesuffix("_v2") for name in cuda_driver.PROTOTYPES}
    both = {ours: theirs for ours, theirs in known.items() if theirs in table}
    assert len(both) >= 20
    for ours, theirs in both.items():
        sizes = [ctypes.sizeof(kind) for kind in cuda_driver.PROTOTYPES[ours]]
        assert sizes == [ctypes.sizeof(kind) for kind in table[theirs][1:]], ours


def test_a_machine_without_a_gpu_is_told_so():
    try:
        found = cuda_driver.gpus()
    except MicroauError as error:
        assert "NVIDIA driver" in str(error)  # noqa: PT017, either answer is right
    else:
        with pytest.raises(MicroauError, match=rf"cuda:{len(found)}: this machine has {len(found)} GPU"):
            cuda_driver.gpu(len(found))


@pytest.mark.gpu
def test_what_goes_up_comes_down():
    device = cuda_driver.Device(0)
    with device.current():
        stream, up, down = cuda_driver.Stream(), *(cuda_driver.Buffer((8, 3), "f4") for _ in range(2))
        up.host[:] = range(3)
        up.upload(8, stream)
        down.take(up.address, 8, stream)
        down.download(8, stream)
        stream.synchronize()
        assert (down.host == up.host).all()
        for thing in (up, down, stream):
            thing.close()
    device.close()
