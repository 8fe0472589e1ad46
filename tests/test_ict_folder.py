"""The 3D face as it is published, a folder of Wavefront files, gives what its arrays give."""

import numpy as np
import pytest

from microau.engine.errors import MicroauError
from microau.training.generate.ict import load_ict
from microau.training.generate.ict_folder import NEUTRAL, read_folder


def write_obj(path, points, places=(), faces=(), of_face=(), materials=()):
    lines = ["mtllib some.mtl", *(f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in points)]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in places]
    for row, kind in zip(faces, of_face, strict=True):
        lines += [f"usemtl {materials[kind]}"]
        lines += ["f " + " ".join(f"{p + 1}/{t + 1}" for p, t in row if p >= 0)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def small(tmp_path):
    """Five points, a quad and a triangle of two materials, one shape, one identity."""
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 1]], float)
    places = np.array([[0.0, 0.0], [1, 0], [1, 1], [0, 1]])
    faces = [[(0, 0), (1, 1), (2, 2), (3, 3)], [(1, 1), (4, 0), (2, 2)]]
    home = tmp_path / "FaceXModel"
    home.mkdir()
    write_obj(home / NEUTRAL, points, places, faces, (0, 1), ("M_Face", "M_Teeth"))
    write_obj(home / "identity000.obj", points + np.array([0.5, 0, 0]))
    write_obj(home / "jawOpen.obj", points - np.array([0, 0.25, 0]))
    return tmp_path


def test_points_faces_and_offsets(small):
    arrays = read_folder(small)
    assert arrays["faces"].tolist() == [[0, 1, 2, 3], [1, 4, 2, -1]]
    assert arrays["faces_uv"].tolist() == [[0, 1, 2, 3], [1, 0, 2, -1]]
    assert arrays["face_material"].tolist() == [0, 1]
    assert arrays["materials"].tolist() == ["M_Face", "M_Teeth"]
    assert arrays["expr_names"].tolist() == ["jawOpen"]
    np.testing.assert_array_equal(arrays["expr"][0], np.tile([0, -0.25, 0], (5, 1)).astype(np.float16))
    np.testing.assert_array_equal(arrays["ident"][0], np.tile([0.5, 0, 0], (5, 1)).astype(np.float16))
    np.testing.assert_array_equal(read_folder(small / "FaceXModel")["neutral"], arrays["neutral"])


def test_a_folder_of_something_else_is_told(tmp_path, small):
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    with pytest.raises(MicroauError, match="generic_neutral_mesh"):
        load_ict(empty)
    write_obj(small / "FaceXModel" / "mouthPucker.obj", np.zeros((4, 3)))
    with pytest.raises(MicroauError, match=r"mouthPucker\.obj: 4 points"):
        read_folder(small)
    (small / "FaceXModel" / "mouthPucker.obj").write_text("v one two three\n")
    with pytest.raises(MicroauError, match="Wavefront"):
        read_folder(small)


@pytest.mark.media
def test_the_folder_gives_the_model_that_its_arrays_give(media, tmp_path):
    file = media / "face3d" / "ict_facekit.npz"
    with np.load(file) as data:
        arrays = {name: data[name] for name in data}
    neutral = arrays["neutral"].astype(float)
    faces = np.stack([arrays["faces"], arrays["faces_uv"]], axis=-1)
    write_obj(
        tmp_path / NEUTRAL, neutral, arrays["uv"], faces, arrays["face_material"], arrays["materials"]
    )
    for name in ("jawOpen", "mouthSmile_L"):
        offsets = arrays["expr"][arrays["expr_names"].tolist().index(name)]
        write_obj(tmp_path / f"{name}.obj", neutral + offsets)
    write_obj(tmp_path / "identity000.obj", neutral + arrays["ident"][0])
    one, other = load_ict(file), load_ict(tmp_path)
    np.testing.assert_allclose(other.neutral, one.neutral, atol=1e-5)
    np.testing.assert_array_equal(other.lm68, one.lm68)
    np.testing.assert_array_equal(other.point[other.triangles], one.point[one.triangles])
    np.testing.assert_allclose(other.uv, one.uv, atol=1e-5)
    for name in other.shapes:
        np.testing.assert_allclose(other.shapes[name], one.shapes[name], atol=2e-3)
