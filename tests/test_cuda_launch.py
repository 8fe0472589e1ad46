"""Launching kernels: a setting is configured once; Numba's remark about small grids is not passed on."""

import warnings

import pytest
from numba import config

from microau.engine.cuda_launch import launch


class Kernel:
    """As Numba's: it is given a setting, and remarks on it."""

    def __init__(self):
        self.configured, self.launched = [], []

    def __getitem__(self, setting):
        warnings.warn("Grid size 1 will likely result in GPU under-utilization", UserWarning, stacklevel=1)
        self.configured.append(setting)
        return lambda *arguments: self.launched.append((setting, arguments))


@pytest.mark.skipif(config.ENABLE_CUDASIM, reason="in the simulator kernels keep their setting themselves")
def test_each_setting_is_configured_once_however_many_there_are():
    """More of them than Numba itself remembers: levels, kernels and batch sizes of one process."""
    kernel, settings = Kernel(), [((n, 1, 1), (32, 32), 0) for n in range(1, 301)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(2):
            for setting in settings:
                launch(kernel, setting, number)
    assert kernel.configured == settings
    assert kernel.launched == [(setting, (number,)) for number in range(2) for setting in settings]
