"""Record what MediaPipe itself says about scikit-image's astronaut: reference data of the face tests.

Runs in an environment of its own, because mediapipe 0.10.21 needs an old NumPy:
    python3.11 -m venv reference && . reference/bin/activate
    pip install mediapipe==0.10.21 ai-edge-litert scikit-image
    python tests/data/record_face_models.py
Writes mediapipe_astronaut.npz beside itself: `detection` (8, 2), the face's box as centre and size, then
six key points; `still` (468, 3), static image mode; `followed` (468, 3) and `irises` (10, 3), after ten
frames of the same picture (all in pixels; the irises are those of the attention model);
`<model>_<output>`, what LiteRT answers to a piece of the photograph.
"""

from pathlib import Path

import mediapipe as mp
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from skimage import data

HERE = Path(__file__).parent
MODULES = Path(mp.__file__).parent / "modules"
# Model -> file, place (row, column) and side of the piece, value of black, names of the outputs.
MODELS = {
    "face_detector": (
        "face_detection/face_detection_short_range", (60, 160), 128, -1, ("boxes", "scores")
    ),
    "face_mesh": ("face_landmark/face_landmark", (27, 129), 192, 0, ("points", "score")),
    "iris": ("iris_landmark/iris_landmark", (76, 176), 64, 0, ("contour", "iris")),
}  # fmt: skip


def landmarks(photograph, frames, **options):
    """Points of the only face, in pixels, after so many frames."""
    height, width = photograph.shape[:2]
    with mp.solutions.face_mesh.FaceMesh(max_num_faces=1, **options) as mesh:
        for _ in range(frames):
            (face,) = mesh.process(photograph).multi_face_landmarks
    return np.array([[p.x * width, p.y * height, p.z * width] for p in face.landmark], np.float32)


def detection(photograph):
    """The only face's box and key points, in pixels."""
    with mp.solutions.face_detection.FaceDetection(model_selection=0) as detector:
        (found,) = detector.process(photograph).detections
    place = found.location_data
    box = place.relative_bounding_box
    rows = [(box.xmin + box.width / 2, box.ymin + box.height / 2), (box.width, box.height)]
    rows += [(point.x, point.y) for point in place.relative_keypoints]
    return np.array(rows, np.float32) * np.array(photograph.shape[1::-1], np.float32)


def answers(photograph, path, place, side, low):
    """Every output of one model, as LiteRT computes it."""
    model = Interpreter(model_path=str(MODULES / f"{path}.tflite"))
    model.allocate_tensors()
    piece = photograph[place[0] : place[0] + side, place[1] : place[1] + side].astype(np.float32)
    model.set_tensor(model.get_input_details()[0]["index"], (piece / 255 * (1 - low) + low)[None])
    model.invoke()
    return [model.get_tensor(output["index"]) for output in model.get_output_details()]


def main():
    photograph = data.astronaut()
    record = {
        "detection": detection(photograph),
        "still": landmarks(photograph, 1, static_image_mode=True),
        "followed": landmarks(photograph, 10, static_image_mode=False),
        "irises": landmarks(photograph, 10, static_image_mode=False, refine_landmarks=True)[468:],
    }
    for label, (path, place, side, low, outputs) in MODELS.items():
        for name, value in zip(outputs, answers(photograph, path, place, side, low), strict=True):
            record[f"{label}_{name}"] = value
    np.savez_compressed(HERE / "mediapipe_astronaut.npz", **record)


if __name__ == "__main__":
    main()
