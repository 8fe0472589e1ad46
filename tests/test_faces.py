"""Faces are found and followed: against MediaPipe's own answers, in drawn scenes, and in clips."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from head3d import Head
from skimage import data

from microau.engine import landmarks as lm
from microau.engine.errors import MicroauError
from microau.engine.face_models import mesh_region, open_models
from microau.engine.face_models.onnx import OnnxFaceModels, _face_region
from microau.engine.face_search import squares
from microau.engine.faces import SOUGHT, FaceConfig, FaceTracker, find_faces
from microau.engine.pose import head_pose, rotation_of
from microau.engine.records import Frame, Picture

RECORDED = np.load(Path(__file__).parent / "data" / "mediapipe_astronaut.npz")
ASTRONAUT = data.astronaut()
EVERY_FRAME = FaceConfig(landmark_rate=0)


@pytest.fixture(scope="module")
def models():
    return OnnxFaceModels()


@pytest.fixture(scope="module")
def head(media):
    return Head(media / "face3d")


@pytest.fixture(scope="module")
def astronaut(models):
    (face,) = find_faces(Picture.from_rgb(ASTRONAUT), models=models)
    return face


def frames(pictures, fps=25.0):
    for index, picture in enumerate(pictures):
        yield Frame(index, index, Fraction(1, 1000), index / fps, Picture.from_rgb(picture))


def follow(models, pictures, config=EVERY_FRAME, fps=25.0):
    tracker = FaceTracker(config, models)
    return [tracker.push(frame) for frame in frames(pictures, fps)]


def apart(one, two):
    """Distances of points in the picture, in pixels."""
    return np.linalg.norm(one[:468, :2] - two[:468, :2], axis=1)


# Against MediaPipe 0.10.21 on the same photograph.


def test_a_followed_face_has_mediapipes_points(models):
    (face,) = follow(models, [ASTRONAUT] * 10)[-1]
    assert apart(face.points, RECORDED["followed"]).max() < 0.25
    assert apart(face.points, RECORDED["followed"]).mean() < 0.1


def test_irises_are_where_mediapipes_other_iris_model_puts_them(astronaut):
    away = np.linalg.norm(astronaut.points[468:, :2] - RECORDED["irises"][:, :2], axis=1)
    assert away.max() < 0.025 * astronaut.oed


class FullColour(Picture):
    """The photograph with the colour of every pixel, as MediaPipe sees it; a stream's is halved (4:2:0)."""

    def warp_rgb(self, matrix, size):
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(ASTRONAUT, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(("kind", "limit"), [(FullColour, 0.05), (Picture, 0.15)])
def test_from_mediapipes_detection_come_mediapipes_still_points(models, kind, limit):
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    region = _face_region(RECORDED["detection"] / 128, identity)
    points, score = models.mesh(kind.from_rgb(ASTRONAUT), region)
    assert score > 0.99
    assert apart(points, RECORDED["still"]).max() < limit


def test_the_detector_finds_mediapipes_face(models):
    (found,) = models.detect(Picture.from_rgb(ASTRONAUT))
    box = RECORDED["detection"]
    assert np.hypot(*(box[0] - [found.region.x, found.region.y])) < 0.03 * box[1, 0]
    assert found.region.size == pytest.approx(1.5 * box[1, 0], rel=0.04)


# Where and how large a face may be.


@pytest.mark.parametrize(("width", "height", "oed"), [(640, 480, 46), (1280, 720, 50), (1920, 1080, 60)])
def test_a_face_far_from_the_camera_is_found_where_it_is(models, astronaut, width, height, oed):
    rng, scale = np.random.default_rng(width), oed / astronaut.oed
    small = cv2.resize(ASTRONAUT, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (int(rng.integers(0, room)) for room in (height - len(small), width - len(small)))
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[top : top + len(small), left : left + len(small)] = small
    (face,) = find_faces(Picture.from_rgb(picture), models=models)
    expected = (astronaut.points[:, :2] + 0.5) * scale - 0.5 + [left, top]
    assert apart(face.points, expected).mean() < 0.02 * oed


def test_a_face_too_small_to_measure_is_returned_and_said_to_be_small_without_flicker(models):
    tracker = FaceTracker(replace(EVERY_FRAME, min_oed_px=75), models)  # at scale 1 she has 63
    small = []
    for frame in frames([wall((250, 200, scale)) for scale in (1.0, 1.25, 1.35, 1.25, 1.1, 1.25)]):
        (face,) = tracker.push(frame)
        small.append(tracker.is_small(face))
    assert small == [True, True, False, False, True, True]


@pytest.mark.parametrize("angle", [-60, -25, 25, 60])
def test_a_tilted_head_has_the_same_points_tilted(models, astronaut, angle):
    turn = cv2.getRotationMatrix2D((225, 123), -angle, 1)  # OpenCV counts counter-clockwise
    picture = cv2.warpAffine(ASTRONAUT, turn, (512, 512), borderMode=cv2.BORDER_REFLECT)
    face = find_faces(Picture.from_rgb(picture), models=models)[0]
    expected = astronaut.points[:, :2] @ turn[:, :2].T + turn[:, 2]
    assert apart(face.points, expected).mean() < 0.02 * face.oed
    assert face.pose[2] - astronaut.pose[2] == pytest.approx(angle, abs=3)


def test_in_a_mirror_left_and_right_change_places(models, astronaut):
    (face,) = find_faces(Picture.from_rgb(ASTRONAUT[:, ::-1]), models=models)
    mirrored = face.points[:, :2] * [-1, 1] + [511, 0]
    for right, left in ((lm.RIGHT_EYE, lm.LEFT_EYE), (lm.RIGHT_IRIS[:1], lm.LEFT_IRIS[:1])):
        assert np.linalg.norm(mirrored[left] - astronaut.points[right, :2], axis=1).max() < 0.05 * face.oed
        assert np.linalg.norm(mirrored[right] - astronaut.points[left, :2], axis=1).max() < 0.05 * face.oed
    yaw, pitch, roll = astronaut.pose
    np.testing.assert_allclose(face.pose, (-yaw, pitch, -roll), atol=3)


def turned_view(face, pose):
    """The astronaut's face alone, a mesh textured from the photograph, turned before a plain wall."""
    points = face.points[:468].astype(np.float64)
    middle = points.mean(axis=0)
    turned = (points - middle) @ rotation_of(*pose).T + middle
    view = np.full_like(ASTRONAUT, 120)
    for triangle in sorted(lm.TRIANGLES.tolist(), key=lambda t: -turned[t, 2].sum()):  # far ones first
        target = turned[triangle, :2]
        low = np.floor(target.min(axis=0)).astype(int) - 1
        width, height = np.ceil(target.max(axis=0)).astype(int) + 2 - low
        source, target = points[triangle, :2].astype(np.float32), (target - low).astype(np.float32)
        piece = cv2.warpAffine(ASTRONAUT, cv2.getAffineTransform(source, target), (int(width), int(height)))
        mask = cv2.fillConvexPoly(np.zeros((height, width), np.uint8), np.round(target).astype(np.int32), 1)
        view[low[1] : low[1] + height, low[0] : low[0] + width][mask > 0] = piece[mask > 0]
    return view


@pytest.mark.parametrize("pose", [(20, 0, 0), (-20, 0, 0), (0, 15, 0), (0, -15, 0), (0, 0, 20)])
def test_a_face_that_is_turned_is_measured_as_turned(models, astronaut, pose):
    face = find_faces(Picture.from_rgb(turned_view(astronaut, pose)), models=models)[0]
    turned = rotation_of(*pose) @ rotation_of(*astronaut.pose)
    expected = head_pose((turned @ (lm.CANONICAL * [1, -1, -1]).T).T.astype(np.float32))
    change, true = (np.subtract(angles, astronaut.pose) for angles in (face.pose, expected))
    axis = int(np.argmax(np.abs(pose)))
    assert 0.55 < change[axis] / true[axis] < 1.1  # a smiling face's mesh is flatter than it is
    assert np.abs(np.delete(change - true, axis)).max() < 6


@pytest.mark.parametrize("pose", [(0, 0, 0), (20, 0, 0), (-20, 0, 0), (0, 15, 0), (15, 8, -15)])
def test_a_head_of_known_shape_has_its_pose_and_its_68_points(models, head, pose):
    picture, points = head.draw(pose)
    (face,) = find_faces(Picture.from_rgb(picture), models=models)
    np.testing.assert_allclose(face.pose, pose, atol=4)
    away = np.linalg.norm(lm.to_68(face.points[:, :2]) - points, axis=1) / 105
    assert away[27:].mean() < 0.04  # nose, eyes, mouth
    assert away.mean() < 0.06


# Pictures without a face.


@pytest.mark.parametrize("shape", [(480, 640, 3), (480, 640), (1, 1), (33, 7, 3), (2, 900, 3)])
def test_where_there_is_no_face_none_is_found(models, shape):
    for value in (0, 128, 255):
        picture = Picture.from_rgb(np.full(shape, value, np.uint8))
        assert find_faces(picture, models=models) == []
        assert FaceTracker(models=models).push(Frame(0, 0, Fraction(1, 25), 0.0, picture)) == []


def test_a_gray_picture_will_do(models, astronaut):
    gray = cv2.cvtColor(ASTRONAUT, cv2.COLOR_RGB2GRAY)
    (face,) = find_faces(Picture.from_rgb(gray), models=models)
    assert apart(face.points, astronaut.points).mean() < 0.02 * face.oed


# Through time. A head is cut out of the photograph and moved over a plain wall.

HEAD = ASTRONAUT[20:236, 115:335]
MASK = cv2.GaussianBlur(
    cv2.ellipse(np.zeros(HEAD.shape[:2], np.float32), (108, 105), (80, 98), 0, 0, 360, 1, -1), (0, 0), 3
)


def wall(*heads, size=(640, 400)):
    """A picture with heads at (x, y, scale), the last in front; negative scale: mirrored; None: away."""
    picture = np.full((size[1], size[0], 3), (95, 110, 120), np.float32)
    for x, y, scale in filter(None, heads):
        step = abs(scale)
        place = np.array([[scale, 0, x - scale * 108], [0, step, y - step * 105]], float)
        head, mask = (cv2.warpAffine(image, place, size) for image in (HEAD, MASK))
        picture += (head - picture) * mask[:, :, None]
    return picture.astype(np.uint8)


def owners(faces, *places):
    """Face number -> which of the places (x, y, ...) it is nearest to."""
    found = {}
    for face in faces:
        x, y = face.points[4, :2]
        away = [np.hypot(x - place[0], y - place[1]) if place else np.inf for place in places]
        found[face.face_id] = int(np.argmin(away))
    return found


def test_a_still_face_keeps_its_number_and_its_place(models):
    seen = follow(models, [wall((200, 200, 1))] * 12)
    assert [[face.face_id for face in faces] for faces in seen] == [[0]] * 12
    assert apart(seen[3][0].points, seen[-1][0].points).max() < 0.2


@pytest.mark.parametrize("fps", [25, 60])
def test_two_faces_that_cross_keep_their_numbers(models, fps):
    times = np.arange(0, 2.4, 1 / fps)
    paths = [((130 + 150 * t, 195, 1), (510 - 150 * t, 205, -0.9)) for t in times]
    seen = follow(models, [wall(*places) for places in paths], replace(EVERY_FRAME, iris_rate=0), fps)
    first, last = owners(seen[3], *paths[3]), owners(seen[-1], *paths[-1])
    assert sorted(first) == [0, 1]
    assert last == first
    assert {face.face_id for faces in seen for face in faces} == {0, 1}


def test_faces_that_meet_and_turn_back_keep_their_numbers(models):
    bend = np.sin(np.linspace(0, np.pi, 40))
    paths = [((150 + 90 * s, 200, 1), (490 - 90 * s, 200, -1)) for s in bend]
    seen = follow(models, [wall(*places) for places in paths], replace(EVERY_FRAME, iris_rate=0))
    assert all(
        owners(faces, *places) == owners(seen[0], *paths[0])
        for faces, places in zip(seen, paths, strict=True)
    )


@pytest.mark.parametrize(
    ("away_s", "back_at", "number"),
    [(0.6, 210, 0), (1.6, 200, 0), (4.0, 200, 1), (0.6, 480, 1)],
    ids=["soon", "later", "too late", "elsewhere"],
)
def test_a_face_that_comes_back_where_it_was_in_time_keeps_its_number(models, away_s, back_at, number):
    script = [(200, 200, 1)] * 10 + [None] * int(25 * away_s) + [(back_at, 200, 1)] * 5
    seen = follow(models, [wall(place) for place in script])
    ids = [[face.face_id for face in faces] for faces in seen]
    assert ids[9] == [0]
    assert ids[12:-5] == [[]] * (len(ids) - 17)
    assert ids[-1] == [number]


def test_a_face_that_comes_later_has_the_next_number(models):
    script = [((180, 200, 1), None)] * 10 + [((180, 200, 1), (470, 200, -1))] * 20
    seen = follow(models, [wall(*places) for places in script])
    assert owners(seen[-1], *script[-1]) == {0: 0, 1: 1}


def test_no_more_faces_than_asked_and_a_much_larger_one_takes_the_place(models):
    one = replace(EVERY_FRAME, max_faces=1)
    script = [((150, 200, 0.8), None)] * 5 + [((150, 200, 0.8), (430, 200, -1))] * 20
    assert [
        [face.face_id for face in faces] for faces in follow(models, [wall(*p) for p in script], one)
    ] == [[0]] * 25
    script = [((120, 200, 0.8), None)] * 5 + [((120, 200, 0.8), (430, 200, -1.5))] * 20
    seen = follow(models, [wall(*places) for places in script], one)
    assert [len(faces) for faces in seen] == [1] * 25
    assert owners(seen[-1], *script[-1]) == {1: 1}


def test_the_future_does_not_change_the_past(models):
    past = [wall((150 + 6 * i, 200, 1)) for i in range(8)]
    config = FaceConfig(landmark_rate=20)
    one, two = (
        follow(models, past + rest, config)[:8] for rest in ([wall()] * 4, [wall((500, 100, 0.7))] * 4)
    )
    for mine, other in zip(one, two, strict=True):
        assert [face.face_id for face in mine] == [face.face_id for face in other]
        np.testing.assert_array_equal([face.points for face in mine], [face.points for face in other])


class Counting(OnnxFaceModels):
    """The same models; counts how often each ran."""

    def __init__(self):
        super().__init__()
        self.meshes = self.irises = self.looks = 0

    def detect(self, picture, view=None):
        self.looks += 1
        return super().detect(picture, view)

    def mesh(self, picture, region):
        self.meshes += 1
        return super().mesh(picture, region)

    def iris(self, picture, points, left):
        self.irises += 1
        return super().iris(picture, points, left)


def test_points_are_measured_at_the_rate_asked_and_carried_between():
    counting = Counting()
    config = FaceConfig(max_faces=1, landmark_rate=50, iris_rate=10, detect_every_s=0.25)
    pictures = [wall((150 + i, 200, 1)) for i in range(120)]  # 200 pixels a second
    seen = follow(counting, pictures, config, fps=200)
    views = len(squares(640, 400, SOUGHT * config.min_oed_px))
    assert counting.meshes == 2 + 119 // 4  # twice where it is found, then on every fourth frame
    assert counting.irises <= 2 + 2 * 10 * 119 / 200
    assert counting.looks == views + 2  # everywhere once, then the whole picture twice in 0.6 s
    places = np.array([faces[0].points[4, 0] for faces in seen])
    assert np.abs(np.diff(places[80:]) - 1).max() < 0.5  # velocity learnt: no steps at measured frames


@pytest.mark.parametrize("fps", [25, 200, 500])
@pytest.mark.parametrize("here", [True, False], ids=["a face", "nobody"])
def test_looks_are_spread_over_the_frames_and_seldom(fps, here):
    """However fast the frames come, no frame but the first waits for more than its share of looks."""
    counting = Counting()
    tracker, per_frame = FaceTracker(FaceConfig(), counting), []
    for frame in frames([wall((200, 200, 1) if here else None)] * int(0.6 * fps), fps):
        before = counting.looks
        tracker.push(frame)
        per_frame.append(counting.looks - before)
    assert per_frame[0] == len(squares(640, 400, 45))
    assert max(per_frame[1:]) <= max(1, 120 / fps + 1)
    assert sum(per_frame[1:]) <= 120 * 0.6 + 1
    assert sum(per_frame[1:]) >= (3 if here else 38)


def test_a_second_face_is_found_soon_at_a_high_rate(models):
    script = [((180, 200, 1), None)] * 40 + [((180, 200, 1), (470, 200, -1))] * 120
    seen = follow(models, [wall(*places) for places in script], FaceConfig(iris_rate=0), fps=200)
    first = next(number for number, faces in enumerate(seen) if len(faces) == 2)
    assert 40 <= first <= 40 + 200 * 0.55
    assert owners(seen[-1], *script[-1]) == {0: 0, 1: 1}


def test_a_duplicate_is_not_measured_again():
    counting = Counting()
    tracker = FaceTracker(EVERY_FRAME, counting)
    one, two = frames([wall((200, 200, 1))] * 2)
    first = tracker.push(one)
    ran = counting.meshes, counting.looks
    assert tracker.push(replace(two, duplicate=True)) == first
    assert (counting.meshes, counting.looks) == ran


def test_irises_follow_the_head_between_two_looks(models):
    pictures = [wall((150 + 4 * i, 200, 1)) for i in range(10)]
    seen = [
        faces[0].points for faces in follow(models, pictures, replace(EVERY_FRAME, iris_rate=0.1), fps=100)
    ]
    for iris, corners in ((lm.RIGHT_IRIS, [33, 133]), (lm.LEFT_IRIS, [362, 263])):
        carried = (seen[-1] - seen[0])[iris, :2].mean(axis=0)
        np.testing.assert_allclose(carried, (seen[-1] - seen[0])[corners, :2].mean(axis=0), atol=0.5)


def test_without_the_iris_model_gaze_is_straight_ahead(models):
    (face,) = follow(models, [ASTRONAUT], replace(EVERY_FRAME, iris_rate=0))[0]
    assert lm.gaze(face.points) == pytest.approx((0, 0), abs=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_faces": 0},
        {"min_confidence": 1.0},
        {"landmark_rate": -1},
        {"memory_s": float("nan")},
        {"backend": "x"},
    ],
)
def test_an_impossible_setting_is_refused_in_one_line(wrong):
    with pytest.raises(MicroauError, match=next(iter(wrong))):
        FaceConfig(**wrong)


def test_the_mediapipe_back_end_says_what_it_lacks():
    with pytest.raises(MicroauError, match=r"face_landmarker\.task"):
        open_models("mediapipe", None)


def test_the_region_of_a_mesh_is_mediapipes():
    points = np.zeros((468, 3), np.float32)
    points[:, 0], points[:, 1] = np.linspace(100, 180, 468), np.linspace(50, 150, 468)
    points[33, :2], points[263, :2] = (110, 90), (170, 150)
    region = mesh_region(points)
    assert (region.x, region.y, region.size) == (140, 100, 150)
    assert np.degrees(region.angle) == pytest.approx(45)


# Real clips.


def clip(path, limit=10**6):
    """Frames of a clip as the tracker takes them."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index >= limit:
                return
            rgb = frame.to_ndarray(format="rgb24")
            yield Frame(
                index, frame.pts, frame.time_base, float(frame.pts * frame.time_base), Picture.from_rgb(rgb)
            )


def ids(models, path, limit=10**6, config=None):
    tracker = FaceTracker(config or FaceConfig(iris_rate=0), models)
    return [[face.face_id for face in tracker.push(frame)] for frame in clip(path, limit)]


def test_a_face_that_goes_leaves_empty_frames(models, media):
    seen = ids(models, media / "clips" / "face_noface.mov")
    gone = seen.index([])
    assert seen == [[0]] * gone + [[]] * (len(seen) - gone)
    assert 60 < gone < 90


def test_where_no_face_ever_comes_none_is_seen(models, media):
    assert ids(models, media / "clips" / "no_face.mp4") == [[]] * 95


@pytest.mark.parametrize("name", ["small_face_again.mkv", "small_face_sister.mkv"])
def test_a_small_face_is_followed(models, media, name):
    tracker = FaceTracker(FaceConfig(iris_rate=0), models)
    for frame in clip(media / "clips" / name, 30):
        (face,) = tracker.push(frame)
        assert face.face_id == 0
        assert 36 < face.oed < 50
        assert not tracker.is_small(face)


def test_a_blink_and_a_glance_are_seen(models, media):
    tracker = FaceTracker(FaceConfig(), models)
    seen = [tracker.push(frame)[0].points for frame in clip(media / "clips" / "smile_d0.mp4")]
    opening = np.array([np.mean(lm.eye_opening(points)) for points in seen])
    assert 63 <= opening.argmin() <= 68
    assert opening.min() < 0.6 * np.median(opening)
    gaze = np.array([lm.gaze(points)[0] for points in seen])  # right, left, right, left of the picture
    assert (gaze[[22, 48]] > 0.15).all()
    assert (gaze[[36, 60]] < -0.15).all()
    assert np.abs(gaze[:8]).max() < 0.08
