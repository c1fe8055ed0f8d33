"""Typed records: frozen dataclasses that are kept as JSON files, checked when they are read.

A record is written in one place and read by attribute. Its file says which kind of record it is, and in which version
of its format::

    {"kind": "poster", "format": 1, "seed": 5, ...}
"""

import json
from collections.abc import Collection
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter, ValidationError

from magic.checks import short_repr, shown
from magic.json_files import parse_object
from magic.redaction import redact
from pipelines.storage.door import read_object, write_object

MAX_PLACE_CHARS = 200
"""Of a field's name in an error."""
UNREADABLE = "nested too deeply, or with text that is no Unicode"
"""What pydantic cannot read of what Python's JSON reads."""
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}
"""Made once for each class of records."""


class Record:
    """What a record dataclass inherits: its way to a JSON file and back."""

    __slots__ = ()
    KIND: ClassVar[str]
    """What the file says it is."""
    FORMAT: ClassVar[int]
    """Version of the fields and of their meaning; it grows whenever either changes."""
    NOUN: ClassVar[str]
    """What an error calls it: a poster's manifest."""
    NOTES: ClassVar[frozenset[str]] = frozenset()
    """Dotted names of fields that only tell of it. Records that differ in nothing else are of the same thing."""

    def to_json(self) -> dict[str, Any]:
        """Its fields as JSON values, without credentials."""
        fields: dict[str, Any] = redact(self._dumped())
        return fields

    def _dumped(self) -> dict[str, Any]:
        fields: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        return fields

    def deciding(self) -> dict[str, Any]:
        """Its fields as JSON values, without the notes."""
        fields: dict[str, Any] = without(self.to_json(), self.NOTES)
        return fields

    def to_bytes(self) -> bytes:
        """Its file."""
        return json_bytes({"kind": self.KIND, "format": self.FORMAT, **self._dumped()})

    def write(self, url: str) -> None:
        """Write its file in one piece."""
        write_object(url, self.to_bytes())

    @classmethod
    def read(cls, url: str) -> Self | None:
        """The record in a file, or None where there is no file.

        Raises:
            ValueError: if the file is damaged, another kind of record, or of another version.
        """
        data = read_object(url)
        return None if data is None else cls.from_bytes(data, url)

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Self:
        """The record that a file holds.

        Args:
            data: the file.
            where: what an error calls its place.

        Raises:
            ValueError: if it is damaged, another kind of record, or of another version.
        """
        return cls._from_fields(parse_object(data, f"{cls.NOUN} at {shown(where)}"), where)

    @classmethod
    def from_json(cls, fields: dict[str, Any], where: str) -> Self:
        """The record with these fields.

        Raises:
            ValueError: if a field is missing, unknown or not what it should be.
        """
        try:
            record: Self = _adapter(cls).validate_json(json.dumps(fields), strict=True, extra="forbid")
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(map(str, problem["loc"]))[:MAX_PLACE_CHARS] or "all of it"
            reason = UNREADABLE if problem["type"] == "json_invalid" else problem["msg"]
            raise ValueError(
                f"expected {cls.NOUN} at {shown(where)}, got {place}: {reason}; put the file back as it was"
            ) from error
        return record

    @classmethod
    def find(cls, url: str) -> Self | None:
        """The record in a file, or None where there is no file, or one of something else.

        Raises:
            ValueError: if the file is such a record, but damaged or of another version.
        """
        data = read_object(url)
        try:
            fields = {} if data is None else parse_object(data, url)
        except ValueError:  # whatever it is, it does not say that it is such a record
            return None
        return cls._from_fields(fields, url) if fields.get("kind") == cls.KIND else None

    @classmethod
    def _from_fields(cls, fields: dict[str, Any], where: str) -> Self:
        """The record that all fields of a file make, its kind and its format among them."""
        kind, version = fields.pop("kind", None), fields.pop("format", None)
        if (kind, version) != (cls.KIND, cls.FORMAT):
            raise ValueError(
                f"expected {cls.NOUN} (kind {cls.KIND!r}, format {cls.FORMAT}) at {shown(where)}, "
                f"got kind {short_repr(kind)}, format {short_repr(version)}; make it anew with this version of MAGIC"
            )
        return cls.from_json(fields, where)


def json_bytes(value: Any) -> bytes:
    """A value as JSON for people and programs: indented, keys in order, without credentials."""
    return (json.dumps(redact(value), indent=2, sort_keys=True) + "\n").encode()


def without(tree: Any, names: Collection[str], prefix: str = "") -> Any:
    """JSON values without the fields of these dotted names; the items of a list have the name of the list.

    >>> without({"seed": 1, "pictures": [{"url": "a", "px": 5}]}, {"pictures.url"})
    {'seed': 1, 'pictures': [{'px': 5}]}
    """
    if isinstance(tree, list):
        return [without(item, names, prefix) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {key: without(value, names, f"{prefix}{key}.") for key, value in tree.items() if prefix + key not in names}


def _adapter(kind: type) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
