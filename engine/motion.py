"""Follow one face: what moved on it since it was at rest, head motion taken out.

in    Picture and face points, frame by frame
out   Motion   displacement of every region, and what could be mistaken for it

The crop stays where the reference frame put it (registration once, not by trembling landmarks);
when the head has moved too far for that, a new reference is taken and the displacement carried on.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .landmarks import eye_opening, gaze, mouth_opening
from .records import Face, Frame, Gray
from .region_tracking import Reference, make_reference, track
from .regions import STIFFNESS, centres
from .registration import CROP, CROP_OED, Affine, crop_matrix, to_crop
from .rigid import fit_rigid, normalised, rigid_shift

Array = NDArray[np.float32]

SMOOTHING = 1.0
"""Pixels, sigma of the Gaussian before tracking: below it lies noise and compression."""
FARTHEST = 0.06
"""OED; where the head has shifted more a new reference is taken."""
LARGEST_TURN = 0.07
"""Radians, or relative change of size, likewise."""
LANDMARK_ERROR = 0.035
"""OED; a region found farther than this from its landmarks, and looking otherwise, was lost."""
LANDMARK_LOST = 0.15
"""OED; this far from its landmarks it was lost however it looks: cheeks look alike."""
LOST_ERROR = 18.0
"""Gray levels; a disc that differs more from its reference shows something else (a closed lid)."""
DOUBTFUL_ERROR = 6.0
"""Gray levels; such a disc says little about the head: an eye corner while the lids are shut. Sensor noise
alone gives one or two."""
LANDMARK_LEAD = 0.025
"""OED; where the landmarks put the head this far from where it was tracked, the landmarks win."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What one face did up to one frame."""

    index: int
    """Frame number."""
    time: float
    """Seconds, presentation time."""
    face: Face
    shift: Array
    """(K, 2) displacement of each region since the track began, percent of OED, head motion removed."""
    rest: Array
    """(K,) 0..1, how well each region was seen: 0 where its disc shows something else."""
    head: Array
    """(6,) head motion since the track began: tx, ty in percent of OED, scale in percent, three turns
    in radians x 100 (so that 1 is about one percent of the eye distance at the rim of the face)."""
    eyes: tuple[float, float]
    """Lid gap over eye width, subject's right and left."""
    mouth: float
    """Lip gap over mouth width."""
    gaze: tuple[float, float]
    """Iris relative to the eye, x and y, in eye widths."""
    light: float
    """Mean brightness of the crop, gray levels."""
    crop: Gray
    """(224, 224) registered luma."""
    matrix: Affine
    """(2, 3) crop pixels to picture pixels."""
    missing: int
    duplicate: bool
    cut: bool
    """True: the first frame of the track; nothing came before it."""


class FaceMotion:
    """The state of one followed face."""

    def __init__(self) -> None:
        self._reference: Reference | None = None
        self._matrix: Affine = np.zeros((2, 3))
        self._places: Array = np.zeros((0, 3), np.float32)
        self._middles: Array = np.zeros((0, 3), np.float32)
        self._base = np.zeros((len(STIFFNESS), 2), np.float32)
        self._head_base = np.zeros(6, np.float32)
        self._motion = np.zeros(6, np.float32)
        self._residual = np.zeros((len(STIFFNESS), 2), np.float32)
        self._prior = STIFFNESS

    def push(self, frame: Frame, face: Face) -> Motion:
        """Measure the face in the next frame."""
        cut = self._reference is None
        if cut:
            self._matrix = crop_matrix(face.points)
        crop = frame.picture.warp_luma(self._matrix, (CROP, CROP))
        image = smooth(crop)
        if cut:
            self._take(image, face)
            error = np.zeros(len(STIFFNESS), np.float32)
        else:
            error = self._follow(image, face)
        motion = self._record(frame, face, crop, error, cut)
        if not cut and self._has_moved_far(face):
            self._renew(frame, face)
        return motion

    def _take(self, image: Array, face: Face) -> None:
        """Make this frame the reference."""
        points = to_crop(face.points, self._matrix)
        self._middles = centres(points)
        self._reference = make_reference(image, self._middles)
        _, middle, oed = normalised(points)
        self._places = ((self._middles - middle) / np.float32(oed)).astype(np.float32)
        seen = self._reference.texture / (self._reference.texture + np.float32(0.5))
        self._prior = (STIFFNESS * seen).astype(np.float32)
        self._motion = np.zeros(6, np.float32)
        self._residual = np.zeros_like(self._base)

    def _follow(self, image: Array, face: Face) -> Array:
        """Track the regions and split their motion into the head's and the face's own."""
        assert self._reference is not None
        landmarks = self._landmark_shift(face)
        rigid = rigid_shift(self._best_guess(landmarks), self._places)
        guess = (rigid + self._residual) * np.float32(CROP_OED)
        shift, error = track(self._reference, image, guess, rigid * np.float32(CROP_OED))
        shift /= np.float32(CROP_OED)
        astray = np.hypot(*(shift - landmarks).T)
        # A small contradiction is no reason by itself: in a blink the landmarks pull the brows down.
        lost = (error > LOST_ERROR) | (astray > LANDMARK_LOST)
        lost |= (error > DOUBTFUL_ERROR) & (astray > LANDMARK_ERROR)
        shift = np.where(lost[:, None], landmarks, shift)
        prior = self._prior * np.exp(-((error / np.float32(DOUBTFUL_ERROR)) ** 2))
        self._motion = fit_rigid(self._places, shift, prior.astype(np.float32))
        self._residual = shift - rigid_shift(self._motion, self._places)
        return error

    def _landmark_shift(self, face: Face) -> Array:
        """(K, 2) OED: how far the landmarks say that each region has moved since the reference. Coarse,
        but never lost: by them the tracker finds its way back after a large movement.
        """
        now = centres(to_crop(face.points, self._matrix))
        return (now[:, :2] - self._middles[:, :2]) / np.float32(CROP_OED)

    def _best_guess(self, landmarks: Array) -> Array:
        """The last head motion, or the landmarks' where the head has leapt since (low frame rates)."""
        leap = np.median(landmarks, axis=0)
        if np.hypot(*(leap - self._motion[:2])) < LANDMARK_LEAD:
            return self._motion
        guess = self._motion.copy()
        guess[:2] = leap
        return guess

    def _has_moved_far(self, face: Face) -> bool:
        far = np.hypot(self._motion[0], self._motion[1]) > FARTHEST
        return bool(far or np.abs(self._motion[2:]).max() > LARGEST_TURN)

    def _renew(self, frame: Frame, face: Face) -> None:
        """A new reference from the same frame; displacement goes on from where it is."""
        self._base = self._base + self._residual
        self._head_base = self._head_base + self._motion
        self._matrix = crop_matrix(face.points)
        self._take(smooth(frame.picture.warp_luma(self._matrix, (CROP, CROP))), face)

    def _record(self, frame: Frame, face: Face, crop: Gray, error: Array, cut: bool) -> Motion:
        return Motion(
            index=frame.index,
            time=frame.time,
            face=face,
            shift=100 * (self._base + self._residual),
            rest=np.exp(-((error / np.float32(LOST_ERROR)) ** 2)),
            head=100 * (self._head_base + self._motion),
            eyes=eye_opening(face.points),
            mouth=mouth_opening(face.points),
            gaze=gaze(face.points),
            light=float(cv2.mean(crop)[0]),
            crop=crop,
            matrix=self._matrix,
            missing=frame.missing,
            duplicate=frame.duplicate,
            cut=cut,
        )


def smooth(crop: Gray) -> Array:
    """(S, S) float32, lightly blurred."""
    return np.asarray(cv2.GaussianBlur(crop.astype(np.float32), (0, 0), SMOOTHING), np.float32)
