"""Run a model bundle: one interface, one back end per device.

    with open_engine("model.onnx", device="cpu") as engine:
        outputs = engine({"flow": images, "landmarks": points})

The device that was asked for is the device that is used: where it is missing, the reason is said and
nothing else is tried.
"""

from __future__ import annotations

from pathlib import Path

from .engine_file import EngineRefused
from .engines import ENGINES, tensorrt
from .engines.base import INPUTS as INPUTS
from .engines.base import OUTPUTS as OUTPUTS
from .engines.base import Array as Array
from .engines.base import Device as Device
from .engines.base import Engine as Engine
from .errors import MicroauError


def open_engine(
    path: str | Path, device: str | Device = "cpu", threads: int = 1, rebuild: str = "never"
) -> Engine:
    """Open a model on a device; the back end follows from the file's ending.

    threads   used inside one run, on the CPU
    rebuild   'auto': a TensorRT engine that does not fit this machine is built again, once, from the
              ONNX file beside it; 'never': it is refused
    """
    path = Path(path)
    if path.suffix not in ENGINES:
        endings = ", ".join(sorted(ENGINES))
        raise MicroauError(f"{path}: no back end for this kind of model file (known: {endings}).")
    where = Device.parse(device) if isinstance(device, str) else device
    try:
        return ENGINES[path.suffix](path, where, threads)
    except EngineRefused as error:
        if rebuild != "auto":
            mend = "build it again with microau-build-trt, or give --rebuild auto"
            raise EngineRefused(f"{error}; {mend}") from error
    tensorrt.build_again(path, where.index)
    return ENGINES[path.suffix](path, where, threads)
