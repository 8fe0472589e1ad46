"""A head with known pose and known points: ICT-FaceKit's neutral face, drawn triangle by triangle."""

import cv2
import numpy as np

from microau.engine.pose import rotation_of

OED = 8.9  # of the head, in its own unit
SKIN, WHITE, IRIS, LASHES = (205, 160, 135), (235, 235, 235), (60, 40, 30), (50, 35, 25)
COLOURS = {
    "M_Face": SKIN, "M_BackHead": SKIN, "M_ScleraLeft": WHITE, "M_ScleraRight": WHITE,
    "M_IrisLeft": IRIS, "M_IrisRight": IRIS, "M_EyeLashes": LASHES,
}  # fmt: skip
LIGHT = np.array([0.32, -0.51, -0.8])


class Head:
    """Drawn from far away, so that its pose is that of its rotation."""

    def __init__(self, folder):
        with np.load(folder / "ict_facekit.npz") as data:
            quads, materials = data["faces"], [str(name) for name in data["materials"]]
            self.points = data["neutral"].astype(float)
            self.lm68 = data["lm68"]
            kinds = data["face_material"]
        square = quads[:, 3] >= 0
        self.triangles = np.vstack([quads[:, :3], quads[square][:, [0, 2, 3]]])
        names = np.array(materials)[np.concatenate([kinds, kinds[square]])]
        drawn = np.isin(names, list(COLOURS))
        self.triangles, self.names = self.triangles[drawn], names[drawn]

    def draw(self, pose, side=480, oed=105.0):
        """RGB picture (side, side, 3) of the head turned by yaw, pitch, roll, and its 68 points in it."""
        points = (self.points - self.points[self.lm68[30]]) * [1, -1, -1] @ rotation_of(*pose).T
        flat = points[:, :2] * oed / OED + side / 2
        corners = points[self.triangles]  # (n, 3, 3)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        shade = 0.35 + 0.65 * np.clip(-np.sign(normals[:, 2]) * (normals @ LIGHT), 0, 1)
        picture = np.full((side, side, 3), (120, 130, 140), np.uint8)
        for i in np.argsort(-corners[:, :, 2].mean(axis=1)):  # far ones first
            colour = tuple(shade[i] * np.array(COLOURS[self.names[i]], float))
            corner = np.round(flat[self.triangles[i]] * 16).astype(np.int32)
            cv2.fillConvexPoly(picture, corner, colour, cv2.LINE_AA, 4)
        return cv2.GaussianBlur(picture, (0, 0), 0.8), flat[self.lm68]
