"""The face models' converter, against LiteRT's recorded answers and against PyTorch on drawn networks."""

import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from skimage import data
from tflite_file import TfliteFile

from microau.engine.errors import MicroauError
from microau.engine.face_models.onnx import ASSETS, open_model
from microau.export import face_models
from microau.export.face_geometry import read_geometry
from microau.export.tflite import read
from microau.export.tflite_onnx import convert

RECORDED = np.load(Path(__file__).parent / "data" / "mediapipe_astronaut.npz")
# As in data/record_face_models.py: row, column and side of the piece of the photograph.
PIECES = {"face_detector": (60, 160, 128), "face_mesh": (27, 129, 192), "iris": (76, 176, 64)}


def piece(model):
    row, column, side = PIECES[model]
    return data.astronaut()[row : row + side, column : column + side].transpose(2, 0, 1)[None]


@pytest.mark.parametrize("model", PIECES)
def test_the_shipped_models_answer_as_litert_does(model):
    session = open_model(ASSETS / f"{model}.onnx")
    answers = session.run(None, {"image": np.ascontiguousarray(piece(model))})
    for output, answer in zip(session.get_outputs(), answers, strict=True):
        expected = RECORDED[f"{model}_{output.name}"].reshape(answer.shape)
        np.testing.assert_allclose(answer, expected, atol=1e-3)


def test_the_shipped_models_are_small():
    files = [ASSETS / "face_mesh.npz", *(ASSETS / f"{model}.onnx" for model in PIECES)]
    assert sum(path.stat().st_size for path in files) < 6_000_000


def run(network, image, outputs, low=0.0):
    """Answers of the converted network to an image (H, W, 3) uint8."""
    model = convert(network, low=low, high=1, outputs=outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None])})


def same_padding(x, window, stride):
    """TensorFlow's SAME padding: what is missing for ceil(n / stride) steps, an odd one last."""
    pads = []
    for length in (x.shape[3], x.shape[2]):
        total = max((-(-length // stride) - 1) * stride + window - length, 0)
        pads += [total // 2, total - total // 2]
    return pads


@pytest.mark.parametrize("side", [9, 12])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("steepest", [0.9, 3.0], ids=["slopes under 1", "slopes over 1"])
def test_a_network_of_every_kind_answers_as_pytorch_does(tmp_path, side, half, steepest):
    rng = np.random.default_rng(side)
    image = rng.integers(0, 256, (side, side, 3), np.uint8)
    file, small = TfliteFile(), -(-side // 2)

    def weights(*shape, most=np.inf):
        array = np.minimum(rng.normal(size=shape), most).astype(np.float16 if half else np.float32)
        number = file.constant(array)
        if half:
            number = file.operator("dequantize", [number], shape)
        return number, torch.from_numpy(array.astype(np.float32))

    first, slopes, spread = weights(16, 3, 3, 3), weights(1, 1, 16, most=steepest), weights(1, 3, 3, 16)
    widen, biases = weights(32, 1, 1, 16), [weights(n) for n in (16, 16, 32)]
    paddings = file.constant(np.array([[0, 0], [0, 0], [0, 0], [0, 16]], np.int32))
    shape = file.constant(np.array([1, -1, 4], np.int32))

    source = file.tensor((1, side, side, 3))
    same = {"padding": 0, "stride_w": 1, "stride_h": 1}
    a = file.operator(
        "conv_2d",
        [source, first[0], biases[0][0]],
        (1, small, small, 16),
        padding=0,
        stride_w=2,
        stride_h=2,
    )
    b = file.operator("prelu", [a, slopes[0]], (1, small, small, 16))
    c = file.operator(
        "depthwise_conv_2d", [b, spread[0], biases[1][0]], (1, small, small, 16), **same, multiplier=1
    )
    d = file.operator("conv_2d", [c, widen[0], biases[2][0]], (1, small, small, 32), **same)
    e = file.operator("pad", [b, paddings], (1, small, small, 32))
    f = file.operator("relu", [file.operator("add", [e, d], (1, small, small, 32))], (1, small, small, 32))
    half_size = -(-small // 2)
    g = file.operator(
        "max_pool_2d",
        [f],
        (1, half_size, half_size, 32),
        padding=0,
        stride_w=2,
        stride_h=2,
        width=2,
        height=2,
    )
    rows = half_size**2 * 8
    h = file.operator("reshape", [g, shape], (1, rows, 4))
    out = file.operator("concatenation", [h, h], (1, 2 * rows, 4), axis=1)
    file.write(tmp_path / "net.tflite", [source], [out])

    x = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)[None] / 255)
    x = F.conv2d(F.pad(x, same_padding(x, 3, 2)), first[1].permute(0, 3, 1, 2), biases[0][1], stride=2)
    x = torch.where(x > 0, x, slopes[1].reshape(1, 16, 1, 1) * x)
    y = F.conv2d(F.pad(x, (1, 1, 1, 1)), spread[1].permute(3, 0, 1, 2), biases[1][1], groups=16)
    y = F.conv2d(y, widen[1].permute(0, 3, 1, 2), biases[2][1])
    y = F.relu(y + torch.cat([x, torch.zeros_like(x)], dim=1))
    y = F.max_pool2d(F.pad(y, same_padding(y, 2, 2), value=-torch.inf), 2, 2)
    y = y.permute(0, 2, 3, 1).reshape(rows, 4)

    answer = run(read(tmp_path / "net.tflite"), image, {"rows": (2 * rows, 4)})[0]
    np.testing.assert_allclose(answer, torch.cat([y, y]).numpy(), atol=1e-4, rtol=1e-4)


def test_black_and_white_become_what_was_asked(tmp_path):
    file = TfliteFile()
    source = file.tensor((1, 1, 2, 3))
    out = file.operator("add", [source, source], (1, 1, 2, 3))
    file.write(tmp_path / "net.tflite", [source], [out])
    image = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    answer = run(read(tmp_path / "net.tflite"), image, {"doubled": (3, 2)}, low=-1)[0]
    np.testing.assert_allclose(answer, [[-2, 2]] * 3, atol=1e-6)


def test_an_operator_that_is_not_known_is_named(tmp_path):
    file = TfliteFile()
    source = file.tensor((1, 2, 2, 3))
    file.write(tmp_path / "net.tflite", [source], [file.operator("tanh", [source], (1, 2, 2, 3))])
    with pytest.raises(MicroauError, match="operator 28"):
        read(tmp_path / "net.tflite")


@pytest.mark.parametrize("name", ["mediapipe.whl", "folder", "missing"])
def test_what_is_not_the_wheel_is_refused_in_one_line(tmp_path, capsys, name):
    (tmp_path / "mediapipe.whl").write_bytes(b"not a zip file")
    (tmp_path / "folder").mkdir()
    assert face_models.main([str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("microau: ")
    assert message.count("\n") == 1


def message(*fields):
    """Bytes of a protocol buffer of (number, value): int, float or bytes."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def varint(value):
    rest = value >> 7
    return bytes([value & 0x7F | (0x80 if rest else 0)]) + (varint(rest) if rest else b"")


def package(path, metadata):
    """An npm package that holds this metadata behind ten other bytes."""
    name = "/x/geometry_pipeline_metadata_landmarks.binarypb"
    place = f'{{"filename": "{name}", "start": 10, "end": {10 + len(metadata)}}}'
    members = {
        "package/face_mesh_solution_packed_assets.data": b"0123456789" + metadata,
        "package/face_mesh_solution_packed_assets_loader.js": b'loadPackage({"files": ['
        + place.encode()
        + b"]})",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("packed", [False, True])
def test_the_canonical_face_is_read_out_of_the_package(tmp_path, packed):
    vertices = np.arange(15, dtype=np.float32).reshape(3, 5)  # x, y, z, u, v
    triangles = [0, 300, 2]
    inner = message((3, vertices.tobytes()))
    inner += (
        message((4, b"".join(map(varint, triangles)))) if packed else message(*((4, i) for i in triangles))
    )
    basis = [(2, message((1, 33), (2, 0.25))), (2, message((1, 200), (2, 0.75)))]
    package(tmp_path / "mesh.tgz", message((1, inner), *basis))
    found = read_geometry(tmp_path / "mesh.tgz")
    np.testing.assert_array_equal(found["canonical"], vertices[:, :3])
    np.testing.assert_array_equal(found["triangles"], [triangles])
    np.testing.assert_array_equal(found["rigid"], [33, 200])
    np.testing.assert_array_equal(found["rigid_weight"], [0.25, 0.75])


def test_a_package_without_the_canonical_face_is_refused(tmp_path):
    with tarfile.open(tmp_path / "empty.tgz", "w:gz"):
        pass
    with pytest.raises(MicroauError, match="npm pack"):
        read_geometry(tmp_path / "empty.tgz")
