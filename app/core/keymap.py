"""Which keys reach which action: the table's own, and what the user chose instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.core.actions import ACTIONS, BY_ID, Action, When

_MODIFIERS = ("Meta", "Ctrl", "Alt", "Shift")  # in the order of Qt's portable text
_NAMED = {"Left", "Right", "Up", "Down", "Home", "End", "PgUp", "PgDown", "Ins", "Del", "Backspace", "Tab"}
_NAMED |= {"Return", "Enter", "Space", "Esc", *(f"F{n}" for n in range(1, 25))}
_SPELLINGS = {name.lower(): name for name in (*_NAMED, *_MODIFIERS)} | {"delete": "Del", "escape": "Esc"}


def normal(key: str) -> str:
    """A key in the one spelling that keys are compared in: "shift+ctrl+z" is "Ctrl+Shift+Z".

    ValueError if it is no key.
    """
    text = key.strip()
    *parts, last = [*text[:-2].split("+"), "+"] if text.endswith("++") else text.split("+") if text != "+" else ["+"]
    modifiers = {_SPELLINGS.get(part.strip().lower(), part) for part in parts}
    last = _SPELLINGS.get(last.strip().lower(), last.strip().upper())
    if not modifiers.issubset(_MODIFIERS) or not (last in _NAMED or (len(last) == 1 and last.isprintable())):
        raise ValueError(f'"{key}" is no key; write it like Ctrl+Shift+Z')
    return "+".join([*(m for m in _MODIFIERS if m in modifiers), last])


@dataclass(frozen=True, slots=True)
class KeyMap:
    """Keys by action. Immutable: rebinding gives another map.

    overrides: the user's keys by action id, where they differ from the table; no keys at all is a choice as well.
    """

    overrides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, stored: Mapping[str, object]) -> tuple[KeyMap, tuple[str, ...]]:
        """From what a settings file says, and what of it could not be used, in words.

        An action that is no more, an unreadable key, or one that is taken costs this one entry and no other.
        """
        chosen: dict[str, tuple[str, ...]] = {}
        notes = []
        for name, keys in stored.items():
            if name not in BY_ID:
                notes.append(f'there is no action "{name}"')
                continue
            if not isinstance(keys, (list, tuple)) or not all(isinstance(key, str) for key in keys):
                notes.append(f"{BY_ID[name].text}: what is noted for it is no list of keys")
                continue
            try:
                chosen[name] = tuple(dict.fromkeys(normal(key) for key in keys))
            except ValueError as error:
                notes.append(f"{BY_ID[name].text}: {error}")
        # Keys may have been swapped, so it is the whole that must be free of conflicts, not each step on the way.
        while clash := cls(chosen)._clash():
            name, key, holder = clash
            del chosen[name]
            notes.append(f'{BY_ID[name].text}: {key} is the key of "{holder.text}"')
        return cls({n: k for n, k in chosen.items() if k != BY_ID[n].keys}), tuple(notes)

    def keys(self, name: str) -> tuple[str, ...]:
        """The keys of an action, the one to show first."""
        return self.overrides[name] if name in self.overrides else BY_ID[name].keys

    def shown(self, name: str) -> str:
        """The key that menus and tooltips name; "" if there is none."""
        return next(iter(self.keys(name)), "")

    def holder(self, key: str, name: str) -> Action | None:
        """Another action that this key would reach at the same time as the named one."""
        wanted = normal(key)
        for action in ACTIONS:
            if action.id != name and wanted in self.keys(action.id) and _overlap(action.when, BY_ID[name].when):
                return action
        return None

    def bind(self, name: str, keys: Iterable[str], take: bool = False) -> KeyMap:
        """With these keys for an action instead of its old ones.

        take: take them away from whoever has them. Otherwise ValueError if another action has one; also if there is
        no such action, or something is no key.
        """
        if name not in BY_ID:
            raise ValueError(f'there is no action "{name}"')
        wanted = tuple(dict.fromkeys(normal(key) for key in keys))
        changed = {**self.overrides, name: wanted}
        for key in wanted:
            while holder := KeyMap(changed).holder(key, name):
                if not take:
                    raise ValueError(f'{key} is the key of "{holder.text}"; choose another or take it away there')
                changed[holder.id] = tuple(k for k in KeyMap(changed).keys(holder.id) if k != key)
        return KeyMap({n: k for n, k in changed.items() if k != BY_ID[n].keys})

    def _clash(self) -> tuple[str, str, Action] | None:
        """An action whose keys the user chose, one of these keys, and who has it as well."""
        for name, keys in self.overrides.items():
            for key in keys:
                if holder := self.holder(key, name):
                    return name, key, holder
        return None


def _overlap(a: When, b: When) -> bool:
    return a is b or When.ALWAYS in (a, b)
