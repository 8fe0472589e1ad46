"""Draw docs/pictures/flow.jpg: a known movement of the astronaut's face, and what each flow finds.

python benchmarks/flow_picture.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from flow import errors
from known_motion import Array, Bytes, Condition, load_faces, render

from microau.engine.flow import optical_flow

PICTURE = Path(__file__).parents[1] / "docs/pictures/flow.jpg"
AMPLITUDE = 1.5
SHOWN = ("tvl1", "tvl1-half", "dis-medium", "dis-ultrafast")


def main() -> None:
    """Onset, truth, four flows, and the wheel that explains the colours."""
    pair = render(load_faces(1)[0], Condition(AMPLITUDE, noise=1.0), np.random.default_rng(3))
    panels = [titled(cv2.cvtColor(pair.onset, cv2.COLOR_GRAY2BGR), "onset")]
    panels.append(titled(coloured(pair.truth), f"truth, peak {AMPLITUDE:g} px"))
    for name in SHOWN:
        found = optical_flow(name)(pair.onset, pair.apex)
        error = errors(found, pair.truth, AMPLITUDE)["moving_px"]
        panels.append(titled(coloured(found), f"{name}, error {error:.2f} px"))
    panels[0][-56:-4, 4:56] = wheel(52)
    rows = [np.hstack(panels[i : i + 3]) for i in (0, 3)]
    PICTURE.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(PICTURE), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(PICTURE, PICTURE.stat().st_size, "bytes")


def coloured(flow: Array) -> Bytes:
    """Direction as hue, size as saturation (full at the peak), (H, W, 3) BGR."""
    angle = np.rad2deg(np.arctan2(flow[..., 1], flow[..., 0])) % 360 / 2
    strength = np.clip(np.linalg.norm(flow, axis=-1) / AMPLITUDE, 0, 1) * 255
    hsv = np.stack([angle, strength, np.full_like(angle, 255)], axis=-1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)


def wheel(size: int) -> Bytes:
    """The colour of each direction."""
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    flow = np.stack([x, y], axis=-1) * AMPLITUDE
    return coloured(flow * (np.hypot(x, y) <= 1)[..., None])


def titled(picture: Bytes, title: str) -> Bytes:
    """With a line of text above and a margin."""
    framed = cv2.copyMakeBorder(picture, 22, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    cv2.putText(framed, title, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.asarray(framed, np.uint8)


if __name__ == "__main__":
    main()
