"""Everything that the window can be told to do, in one table.

Menus, tool bar, tooltips, keys and the F1 page are made from it; `app.core.keymap` says which keys reach what. Texts
are English here and are translated where they are shown, in the context "Actions".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """A menu. One without actions is not shown."""

    FILE = "File"
    EDIT = "Edit"
    VIEW = "View"
    LABELS = "Labels"
    PROPAGATE = "Propagate"
    TRAIN = "Train"
    HELP = "Help"


class When(StrEnum):
    """While what an action's keys reach it: one key may do one thing while a propagation runs, another while not."""

    ALWAYS = "always"
    IDLE = "idle"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    id:        for good: the user's own keys are kept under it.
    keys:      portable texts ("Ctrl+Shift+Z"); the first is the one shown.
    tooltip:   one sentence, without its full stop.
    icon:      a qtawesome name, or "".
    checkable: it stays on until it is turned off, or until another of its group is chosen (see `EXCLUSIVE`).
    group:     its section of the menu, or its submenu (see `SUBMENUS`).
    """

    id: str
    text: str
    category: Category
    keys: tuple[str, ...] = ()
    tooltip: str = ""
    icon: str = ""
    checkable: bool = False
    group: str = ""
    when: When = When.ALWAYS


EXCLUSIVE = frozenset({"tool", "mode"})
SUBMENUS = {"mode": "Picture", "go": "Go to", "panels": "Panels", "number": "Choose object"}
CHECKABLE = {"view.overlay", "view.contours", "view.wipe", "view.full_screen", "labels.solo", "propagate.follow"}
KEYS_WHEN = {"view.play": When.IDLE, "propagate.stop": When.RUNNING}

# Category, group, and of each action: id, text, keys (separated by spaces), tooltip, icon.
_TABLE: tuple[tuple[Category, str, tuple[tuple[str, str, str, str, str], ...]], ...] = (
    (
        Category.FILE,
        "open",
        (
            ("file.open", "Open video…", "Ctrl+O", "Open a video; it is read where it lies", "film-strip"),
            ("file.folder", "Open folder…", "Ctrl+Shift+O", "Open a project, or a folder of frames", "folder-open"),
            ("file.sample", "Open the sample", "", "Try the program on a short film", "sparkle"),
        ),
    ),
    (
        Category.FILE,
        "save",
        (
            ("file.save", "Save", "Ctrl+S", "Save the project", "floppy-disk"),
            ("file.save_as", "Save as…", "Ctrl+Shift+S", "Save the project under another name", ""),
        ),
    ),
    (
        Category.FILE,
        "exchange",
        (
            ("file.import", "Import labels…", "Ctrl+I", "Take masks or keypoints from a file", "download-simple"),
            ("file.import_folder", "Import folder…", "", "Take the masks in a folder; dropping it does the same", ""),
            ("file.export", "Export…", "Ctrl+E", "Write masks, keypoints or a video, and check them", "export"),
            ("file.relink", "Relink media…", "", "Say where the video is now", "link"),
        ),
    ),
    (
        Category.FILE,
        "close",
        (
            ("file.close", "Close project", "Ctrl+W", "Go back to the welcome page", ""),
            ("file.quit", "Quit", "Ctrl+Q", "Leave MER Studio", ""),
        ),
    ),
    (
        Category.EDIT,
        "history",
        (
            (
                "edit.undo",
                "Undo",
                "Ctrl+Z",
                "Take the last change back, a whole propagation included",
                "arrow-u-up-left",
            ),
            ("edit.redo", "Redo", "Ctrl+Shift+Z Ctrl+Y", "Do again what was undone", "arrow-u-up-right"),
        ),
    ),
    (
        Category.EDIT,
        "clear",
        (
            ("edit.cancel", "Cancel", "Esc", "Leave the polygon or the clicks that were begun", ""),
            ("edit.erase", "Erase here", "Del", "Erase the chosen object, or keypoint, on this frame", ""),
            ("edit.clear_frame", "Clear frame", "Shift+Del", "Forget all labels of this frame", ""),
            (
                "edit.tidy",
                "Clean up here",
                "",
                "Remove stray islands of the chosen object, fill its small holes",
                "",
            ),
            (
                "edit.tidy_range",
                "Clean up range",
                "",
                "The same on all propagated frames between the in and the out point",
                "",
            ),
            ("edit.clear_range", "Clear range", "", "Forget all labels between the in and the out point", ""),
        ),
    ),
    (
        Category.EDIT,
        "settings",
        (("edit.settings", "Settings…", "Ctrl+,", "Change how the program looks and works, and its keys", "gear-six"),),
    ),
    (
        Category.VIEW,
        "mode",
        (
            ("view.labels", "Labels", "Ctrl+1", "The picture with its labels", "image-square"),
            ("view.image", "Image", "Ctrl+2", "The picture alone", "image"),
            ("view.flow", "Flow", "Ctrl+3", "How every pixel moves to the next frame", "wind"),
            ("view.value", "Value", "Ctrl+4", "What the network takes for moving objects", "sun"),
            ("view.doubt", "Doubt", "Ctrl+5", "Hatching where the propagation is not sure", "question"),
            ("view.clusters", "Clusters", "Ctrl+6", "Which parts of the picture look alike", "circles-three"),
            ("view.pca", "Features", "Ctrl+7", "What the network sees, as three colours", "palette"),
            ("view.votes", "Votes", "Ctrl+8", "Which reference pixels vote for the one under the pointer", "crosshair"),
        ),
    ),
    (
        Category.VIEW,
        "overlay",
        (
            ("view.overlay", "Show labels", "H", "Show or hide what is drawn on the picture", "eye"),
            ("view.contours", "Outlines", "Shift+H", "Draw an outline around every object", "selection"),
            (
                "view.wipe",
                "Side by side",
                "Shift+W",
                "The plain picture left of a line, the drawn one right",
                "square-half",
            ),
        ),
    ),
    (
        Category.VIEW,
        "zoom",
        (
            ("view.fit", "Fit", "Ctrl+F", "Show the whole picture", "frame-corners"),
            ("view.actual", "100 %", "Ctrl+0", "One pixel of the video is one of the screen", ""),
            ("view.zoom_in", "Zoom in", "Ctrl++ Ctrl+=", "Show the picture larger", "magnifying-glass-plus"),
            ("view.zoom_out", "Zoom out", "Ctrl+-", "Show the picture smaller", "magnifying-glass-minus"),
        ),
    ),
    (
        Category.VIEW,
        "play",
        (("view.play", "Play", "Space", "Play or pause, at the video's own rate", "play"),),
    ),
    (
        Category.VIEW,
        "go",
        (
            ("go.next", "Next frame", "Right D", "One frame on", "caret-right"),
            ("go.previous", "Previous frame", "Left A", "One frame back", "caret-left"),
            ("go.next_10", "10 frames on", "Shift+Right", "Ten frames on", ""),
            ("go.previous_10", "10 frames back", "Shift+Left", "Ten frames back", ""),
            ("go.first", "First frame", "Home", "To frame 0", "skip-back"),
            ("go.last", "Last frame", "End", "To the last frame", "skip-forward"),
            ("go.next_human", "Next labelled frame", "Alt+Right", "To the next frame that a person labelled", ""),
            ("go.previous_human", "Previous labelled frame", "Alt+Left", "To the last one that a person labelled", ""),
            ("go.frame", "Frame…", "Ctrl+J", "To a frame by its number; frames count from 0", ""),
            ("go.doubtful", "Next doubtful frame", "N", "To where a correction helps most", "caret-double-right"),
        ),
    ),
    (
        Category.VIEW,
        "panels",
        (
            ("panels.objects", "Objects", "", "Show or hide the list of objects", ""),
            ("panels.references", "References", "", "Show or hide the list of references", ""),
            ("panels.view", "View", "", "Show or hide the choice of pictures", ""),
            ("panels.hints", "Hints", "", "Show or hide the line that says what to do next", ""),
        ),
    ),
    (
        Category.VIEW,
        "screen",
        (("view.full_screen", "Full screen", "F11", "Use the whole screen, or the window again", ""),),
    ),
    (
        Category.LABELS,
        "tool",
        (
            ("tool.pan", "Pan", "V", "Move the picture", "hand"),
            ("tool.brush", "Brush", "P", "Paint; the right button erases, the wheel sets the size", "paint-brush"),
            ("tool.eraser", "Eraser", "E", "Erase what is not locked", "eraser"),
            ("tool.polygon", "Polygon", "O", "Click around the object; a double click closes the outline", "polygon"),
            ("tool.lasso", "Lasso", "Shift+O", "Draw around the object in one go", "scribble-loop"),
            ("tool.fill", "Fill", "G", "Fill an area that is closed all around", "paint-bucket"),
            ("tool.pick", "Pick", "L", "Choose the object under the pointer", "eyedropper"),
            ("tool.click", "Click to segment", "W", "Click on the object; right click on what is not it", "magic-wand"),
            ("tool.keypoint", "Keypoints", "K", "Place and drag the points of the skeleton", "tree-structure"),
            ("tool.inspect", "Inspect", "I", "See who voted for the pixel under the pointer", "crosshair-simple"),
        ),
    ),
    (
        Category.LABELS,
        "brush",
        (
            ("labels.brush_smaller", "Smaller brush", "Ctrl+[", "Make the brush smaller", ""),
            ("labels.brush_larger", "Larger brush", "Ctrl+]", "Make the brush larger", ""),
        ),
    ),
    (
        Category.LABELS,
        "object",
        (
            ("labels.new_object", "New object", "Ctrl+N", "Add an object; the others keep their labels", "plus"),
            ("labels.remove_object", "Remove object", "", "Forget the chosen object in all frames", "trash"),
            ("labels.solo", "Show only this object", "S", "Hide all other objects, or show them again", ""),
        ),
    ),
    (
        Category.LABELS,
        "number",
        tuple((f"object.{n}", f"Object {n}", str(n), f"Choose object {n}", "") for n in range(1, 10)),
    ),
    (
        Category.LABELS,
        "frame",
        (
            (
                "labels.reference",
                "Mark as reference",
                "C",
                "This frame is right: keep it, propagate from it",
                "push-pin",
            ),
            (
                "labels.drop",
                "Drop reference",
                "Shift+C",
                "Propagate nothing from this frame, or again",
                "push-pin-slash",
            ),
        ),
    ),
    (
        Category.LABELS,
        "skeleton",
        (("labels.skeleton", "Edit skeleton…", "Ctrl+K", "Name the keypoints and join them", ""),),
    ),
    (
        Category.PROPAGATE,
        "run",
        (
            (
                "propagate.forward",
                "Propagate forward",
                "F",
                "Carry the labels forward, to the out point",
                "arrow-right",
            ),
            ("propagate.backward", "Propagate backward", "B", "Carry the labels back, to the in point", "arrow-left"),
            ("propagate.both", "Propagate both ways", "Shift+F", "Carry the labels both ways", "arrows-left-right"),
            (
                "propagate.update",
                "Update stale frames",
                "U",
                "Make the stale frames anew, and only these",
                "arrows-clockwise",
            ),
            ("propagate.stop", "Stop", "Space", "Stop; finished frames are kept", "stop-circle"),
        ),
    ),
    (
        Category.PROPAGATE,
        "range",
        (
            ("propagate.set_in", "Set in point", "[", "Propagate and export from this frame on", ""),
            ("propagate.set_out", "Set out point", "]", "Propagate and export up to this frame", ""),
            ("propagate.whole", "Whole video", "", "Take the in and the out point away", ""),
        ),
    ),
    (
        Category.PROPAGATE,
        "check",
        (
            (
                "propagate.options",
                "Options…",
                "",
                "Working size, reach, votes, outlines and memory, for this project",
                "sliders-horizontal",
            ),
            ("propagate.preflight", "Check before a run…", "", "What a run needs: memory, disk and time", "gauge"),
            ("propagate.follow", "Follow the run", "", "Show each frame as it is finished, or stay", ""),
        ),
    ),
    (
        Category.TRAIN,
        "train",
        (
            (
                "train.retrain",
                "Retrain on my videos…",
                "",
                "A better encoder from your own footage, without labels",
                "graduation-cap",
            ),
            (
                "train.adapt",
                "Adapt to this video…",
                "",
                "A short training on the open video alone, kept only if it helps there",
                "crosshair-simple",
            ),
            ("train.runs", "Training runs", "", "How runs go, and what they are worth", "chart-line"),
        ),
    ),
    (
        Category.TRAIN,
        "encoder",
        (
            ("train.restore", "Back to the encoder before", "", "Use the encoder again that was in use before", ""),
            ("train.shipped", "Back to the encoder of MER Studio", "", "Use the one that came with the program", ""),
            ("train.usual", "Back to the usual encoder", "", "Leave the encoder that was adapted to this video", ""),
        ),
    ),
    (Category.HELP, "keys", (("help.keys", "Keys", "F1", "All keys, as they are now", "keyboard"),)),
    (
        Category.HELP,
        "about",
        (
            ("help.diagnostics", "Copy diagnostics", "", "What a report of a fault needs, to the clipboard", "copy"),
            ("help.about", "About MER Studio", "", "Version, licence and encoder", "info"),
        ),
    ),
)


def _actions() -> Iterator[Action]:
    for category, group, rows in _TABLE:
        for name, text, keys, tooltip, icon in rows:
            checkable = name in CHECKABLE or group in EXCLUSIVE or group == "panels"
            glyph = f"ph.{icon}" if icon else ""
            when = KEYS_WHEN.get(name, When.ALWAYS)
            yield Action(name, text, category, tuple(keys.split()), tooltip, glyph, checkable, group, when)


ACTIONS: tuple[Action, ...] = tuple(_actions())
BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

# What the mouse does on the canvas: nothing that one could bind, but part of the F1 page.
GESTURES: tuple[tuple[str, str], ...] = (
    ("Left button", "Use the tool"),
    ("Right button", "Erase; when clicking to segment: not this"),
    ("Wheel", "Brush size while painting"),
    ("Ctrl+wheel", "Zoom about the pointer"),
    ("Middle button", "Move the picture"),
)


def grouped(category: Category) -> list[tuple[str, list[Action]]]:
    """The actions of a menu by group, both in the order of the table."""
    groups: dict[str, list[Action]] = {}
    for action in ACTIONS:
        if action.category is category:
            groups.setdefault(action.group, []).append(action)
    return list(groups.items())
