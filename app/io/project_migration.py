"""Project files of earlier versions, brought up to date step by step.

A step is a pure function from the content of one schema to that of the next. Steps are never changed once they are
released, and they use nothing of the present schema: both would change what old files mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from app.io.project_schema import SCHEMA

Content = dict[str, Any]


def migrated(content: Any) -> Content:
    """The content in the present schema. ValueError if it is none of a project, or comes from a newer version."""
    if not isinstance(content, dict) or not isinstance(content.get("schema"), int):
        raise ValueError("is not a project of mer")
    schema = content["schema"]
    if schema > SCHEMA:
        raise ValueError(
            f"was saved by a newer version (schema {schema}, this one reads up to {SCHEMA}): update mer-studio"
        )
    if schema < 0:
        raise ValueError(f"has schema {schema}, which never was")
    for step in STEPS[schema:]:
        try:
            content = step(content)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ValueError(f"is of schema {schema} and damaged ({type(error).__name__}: {error})") from error
    return content


def migrated_values(line: bytes, schema: int) -> bytes:
    """A record of a journal that was written under an older schema, as the present one writes it. ValueError if not."""
    try:
        content = json.loads(line)
        for step in VALUE_STEPS[schema - 1 :]:
            content = step(content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"a record of schema {schema} is damaged ({type(error).__name__}: {error})") from error
    return json.dumps(content).encode()


def from_0_to_1(old: Content) -> Content:
    """Schema 0 knew the video by one absolute path, masks of human frames and objects by a mapping of id to name.

    Its videos had no fingerprint, removed objects left no trace, and what propagated labels were made from was not
    kept: they are stale now, whatever they are.
    """
    video = old["video"]
    frames = []
    for number, frame in old["frames"].items():
        entry: Content = {"frame": int(number), "origin": "human" if frame["human"] else "propagated", "revision": 0}
        if "mask" in frame:
            entry["labels"] = {"objects": sorted(frame["mask"]["objects"]), "blob": frame["mask"]["at"]}
        if "points" in frame:
            entry["keypoints"] = frame["points"]
        frames.append(entry)
    return {
        "schema": 1,
        "mer": old["mer"],
        "saved": old["saved"],
        "media": {
            "relative": None,
            "absolute": video["path"],
            "size": [video["height"], video["width"]],
            "frames": video["frames"],
            "fps": video["fps"],
        },
        "revision": 0,
        "journal": 0,
        "pack": old["pack"],
        "pack_end": old["pack_end"],
        "values": {
            "objects": [{"id": int(number), "name": name} for number, name in old["objects"].items()],
            "skeleton": {"names": old["keypoints"], "bones": []},
            "span": [0, video["frames"]],
            "frames": frames,
        },
    }


def from_1_to_2(old: Content) -> Content:
    """Schema 1 called an object's certainty its confidence."""
    return {**old, "schema": 2, "values": values_from_1_to_2(old["values"])}


def values_from_1_to_2(old: Content) -> Content:
    """The same of the values of a journal's record."""
    frames = []
    for frame in old.get("frames", ()):
        frame = dict(frame)
        if "confidence" in frame:
            frame["certainty"] = frame.pop("confidence")
        frames.append(frame)
    return {**old, "frames": frames} if frames else old


STEPS: tuple[Callable[[Content], Content], ...] = (from_0_to_1, from_1_to_2)
# Of a journal's records, from schema 1 on: there was no journal before.
VALUE_STEPS: tuple[Callable[[Content], Content], ...] = (values_from_1_to_2,)
assert len(VALUE_STEPS) == SCHEMA - 1
assert len(STEPS) == SCHEMA, "every schema but the first has a step that leads to it"
