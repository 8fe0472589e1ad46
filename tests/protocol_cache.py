"""A prepared cache without pictures: flows in which each unit moves its own patch, labels that say so."""

import hashlib

import numpy as np

from microau.engine.facial_flow import RUNTIME
from microau.engine.landmarks import to_68
from microau.engine.tokens import token_indices
from microau.training.prepare.cache import Entry, write_arrays, write_index
from microau.training.prepare.pair import GRID, Prepared

PATCHES = {1: (60, 110, 0.0, -1.0), 4: (75, 110, 0.0, 1.0), 12: (160, 110, 0.8, -0.8)}
"""Unit -> row, column, direction."""
COMBINATIONS = ("4", "12", "1", "1+4", "12", "4", "1")


def prepared(aus, rng, strength=3.0):
    rows, columns = np.indices((224, 224), dtype=np.float32)
    flow = rng.normal(0, 0.05, (224, 224, 2))
    for au in aus:
        row, column, right, down = PATCHES[au]
        weight = np.exp(-(((rows - row) / 18) ** 2 + ((columns - column) / 50) ** 2))
        flow += strength * weight[..., None] * np.array([right, down])
    points = np.concatenate([rng.uniform(40, 184, (478, 2)), np.zeros((478, 1))], axis=1)
    points = points.astype(np.float32)
    tokens = token_indices(to_68(points)[:, :2], (224, 224), GRID).astype(np.int16)
    still = np.zeros((224, 224), np.uint8)
    return Prepared(still, still, points, points, flow.astype(np.float16), tokens)


def put_cache(folder, subjects=4, clips=4, dataset="casme2", seed=0, pictures=None, emotion="disgust"):
    """Write it; `pictures` maps sample keys to hashes of frames instead of their own."""
    folder.mkdir(parents=True)
    rng, entries = np.random.default_rng(seed), []
    for s in range(subjects):
        for c in range(clips):
            aus = COMBINATIONS[(s + c) % len(COMBINATIONS)]
            subject, clip = f"sub{s + 1:02d}", f"EP{c + 1:02d}"
            key = f"{subject}/{clip}/10"
            own = tuple(hashlib.sha256(f"{dataset} {key} {k}".encode()).hexdigest() for k in range(3))
            file = f"{hashlib.sha256(f'{dataset} {key}'.encode()).hexdigest()[:24]}.safetensors"
            write_arrays(folder / file, prepared([int(au) for au in aus.split("+")], rng))
            entries.append(
                Entry(
                    key=key,
                    file=file,
                    dataset=dataset,
                    subject=subject,
                    clip=clip,
                    kind="micro",
                    rate=200.0,
                    onset=10,
                    apex=20,
                    offset=30,
                    aus=aus,
                    emotion="happiness" if aus == "12" else emotion,
                    objective=None,
                    source=f"row {len(entries)}",
                    errata=(),
                    pictures=(pictures or {}).get(key, own),
                )
            )
    write_index(folder, {"flow": RUNTIME.to_json()}, entries, {})
    return folder
