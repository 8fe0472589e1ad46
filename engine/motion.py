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
from .regions import STIFFNESS, centres, members
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
ANOTHER_SCENE = 0.72
"""Change of the crop from one frame to the next (1 - correlation) plus the growth of the share of the
bony discs' variance that their reference does not explain. Joined clips of different persons reach 0.8 to
1.7, heads that turn quickly at 25 frames per second 0.55, blinks and speech 0.2."""
UNLIKE = 0.2
"""Growth of that share below which nothing else is looked at: cuts reach 0.3 to 0.9."""
ASTRAY = 0.08
"""OED; where half of the regions lie farther from their landmarks, something else is followed: after a
scene cut the landmarks take a few frames to find the new face. Fast turns reach 0.04."""
LOOK = 32
"""Pixels, side of the small picture that is compared from frame to frame."""


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
    """True: the first frame of the track, or of another scene; nothing before it can be compared."""


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
        self._crop: Gray = np.zeros((CROP, CROP), np.uint8)
        self._found_at = self._landmarks = np.zeros_like(self._residual)
        self._unlike = 0.0

    def push(self, frame: Frame, face: Face) -> Motion:
        """Measure the face in the next frame."""
        if self._reference is None:
            return self._begin(frame, face)
        crop = frame.picture.warp_luma(self._matrix, (CROP, CROP))
        error = self._follow(smooth(crop), face)
        if self._is_another_scene(crop, error):
            return self._begin(frame, face)
        motion = self._record(frame, face, crop, error, cut=False)
        if self._has_moved_far(face):
            self._renew(frame, face)
        return motion

    def _begin(self, frame: Frame, face: Face) -> Motion:
        """The first frame of a track: nothing has moved."""
        self._matrix = crop_matrix(face.points)
        crop = frame.picture.warp_luma(self._matrix, (CROP, CROP))
        self._base, self._head_base = np.zeros_like(self._base), np.zeros_like(self._head_base)
        self._take(crop, face)
        return self._record(frame, face, crop, np.zeros(len(STIFFNESS), np.float32), cut=True)

    def _is_another_scene(self, crop: Gray, error: Array) -> bool:
        """True at a cut: the picture has leapt and the bones are not where they were, or something
        that is not this face is being followed.
        """
        assert self._reference is not None
        before, self._crop = self._crop, crop
        known, self._unlike = self._unlike, self._reference.unlike(error, BONY)
        if self._unlike - known > UNLIKE:
            leap = 1 - float(look_of(crop) @ look_of(before)) + self._unlike - known
            if leap > ANOTHER_SCENE:
                return True
        away = self._found_at - self._landmarks
        return bool(np.partition((away**2).sum(axis=1), len(away) // 2)[len(away) // 2] > ASTRAY**2)

    def _take(self, crop: Gray, face: Face) -> None:
        """Make this frame the reference."""
        image = smooth(crop)
        self._crop, self._unlike = crop, 0.0
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
        landmarks = self._landmarks = self._landmark_shift(face)
        guess = self._best_guess(landmarks)
        if guess is not self._motion:
            # A leap is only a place to look from: what is expected of bare skin must come from the discs
            # that were found there, or leap and memory would take turns from frame to frame.
            self._motion, self._residual, _ = self._found(image, guess, landmarks)
        self._motion, self._residual, error = self._found(image, self._motion, landmarks)
        return error

    def _found(self, image: Array, motion: Array, landmarks: Array) -> tuple[Array, Array, Array]:
        """The head's motion, the face's own (K, 2) in OED and the error (K,), looked for from a guess of
        the head's.
        """
        assert self._reference is not None
        rigid = rigid_shift(motion, self._places)
        guess = (rigid + self._residual) * np.float32(CROP_OED)
        shift, error = track(self._reference, image, guess, rigid * np.float32(CROP_OED))
        shift /= np.float32(CROP_OED)
        lost = _lost(shift, error, landmarks)
        if lost.any():
            self._search_again(lost, image, landmarks, shift, error)
        self._found_at = shift
        prior = self._prior * np.exp(-((error / np.float32(DOUBTFUL_ERROR)) ** 2))
        found = fit_rigid(self._places, shift, prior.astype(np.float32))
        return found, np.asarray(shift - rigid_shift(found, self._places), np.float32), error

    def _search_again(
        self, lost: NDArray[np.bool_], image: Array, landmarks: Array, shift: Array, error: Array
    ) -> None:
        """Look for lost regions where the landmarks say, in place; where they are not there either, the
        landmarks must do.
        """
        assert self._reference is not None
        there = landmarks[lost] * np.float32(CROP_OED)
        found, gap = track(self._reference.only(lost), image, there, there)
        found /= np.float32(CROP_OED)
        again = _lost(found, gap, landmarks[lost])
        shift[lost] = np.where(again[:, None], landmarks[lost], found)
        error[lost] = np.where(again, error[lost], gap)

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
        self._take(frame.picture.warp_luma(self._matrix, (CROP, CROP)), face)

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


BONY = members("still", "brow", "nose", "cheek")
"""Regions that look alike whatever the eyes and the mouth do."""


def _lost(shift: Array, error: Array, landmarks: Array) -> NDArray[np.bool_]:
    """(k,) regions that something else was found for; shifts (k, 2) in OED, error (k,) in gray levels."""
    astray = np.hypot(*(shift - landmarks).T)
    # A small contradiction is no reason by itself: in a blink the landmarks pull the brows down.
    lost = (error > LOST_ERROR) | (astray > LANDMARK_LOST)
    return np.asarray(lost | ((error > DOUBTFUL_ERROR) & (astray > LANDMARK_ERROR)))


def look_of(crop: Gray) -> Array:
    """The crop in little, (LOOK * LOOK,), mean 0, length 1: the product of two is their correlation."""
    small = cv2.resize(crop, (LOOK, LOOK), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)


def smooth(crop: Gray) -> Array:
    """(S, S) float32, lightly blurred."""
    return np.asarray(cv2.GaussianBlur(crop.astype(np.float32), (0, 0), SMOOTHING), np.float32)
