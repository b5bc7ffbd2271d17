"""What pydantic refuses, in the house's own sentences: the same for bodies (wire.read) and for what is in an address or a header."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from starlette.datastructures import UploadFile

from lanterne.errors import counted
from lanterne.service.errors import APIError, invalid

_ELSEWHERE = "/docs says what fits"
Sentence = Callable[[Any, dict], str]  # of a value and pydantic's context: what is wanted


def _always(words: str) -> Sentence:
    return lambda value, context: words


def _limit(words: str, name: str) -> Sentence:
    return lambda value, context: words.format(int(context[name]) if context[name] == int(context[name]) else context[name])


def _length(words: str, name: str) -> Sentence:
    def said(value: Any, context: dict) -> str:
        noun = "character" if isinstance(value, str) else "entry"
        return f"it has {counted(len(value), noun)}; give {words} {context[name]}"

    return said


_WANTED = {  # by pydantic's type of error
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _always("give a whole number")),
    **dict.fromkeys(("float_type", "float_parsing"), _always("give a number")),
    **dict.fromkeys(("bool_type", "bool_parsing"), _always("give true or false")),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _always("give an object")),
    **dict.fromkeys(("string_too_long", "too_long"), _length("at most", "max_length")),
    **dict.fromkeys(("string_too_short", "too_short"), _length("at least", "min_length")),
    "finite_number": _always("give a finite number"),
    "string_type": _always("give text"),
    "string_unicode": _always("give text without lone surrogates"),
    "list_type": _always("give a list"),
    "is_instance_of": _always("upload a file in multipart/form-data"),  # a file is all that schemas ask an instance of
    "literal_error": lambda value, context: f"give {context['expected'].replace(chr(39), '')}",
    "greater_than": _limit("give more than {}", "gt"),
    "greater_than_equal": _limit("give {} or more", "ge"),
    "less_than": _limit("give less than {}", "lt"),
    "less_than_equal": _limit("give {} or less", "le"),
    "string_pattern_mismatch": lambda value, context: PATTERNS.get(context["pattern"], _ELSEWHERE),
    "value_error": lambda value, context: str(context["error"]).rstrip("."),
}
PATTERNS = {
    r"^[^\x00]*$": "leave the null character out",
    r"^[A-Za-z0-9._@-]+$": "give letters, digits and any of . _ @ - alone",
    r"^[A-Za-z0-9_-]+$": "give base64url: letters, digits, - and _ alone",
    r"^[0-9a-f]{64}$": "give a SHA-256 as 64 hexadecimal digits in lower case",
    r"^[0-9a-f]{10}$": "give the 10 hexadecimal digits of a watermark in lower case",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "give a day such as 2026-11-25",
    r"^[0-9]{4}-[0-9]{2}$": "give a month such as 2026-11",
    r"^[0-9]{1,2}(\.[0-9]{1,4}|:[0-5][0-9])?$": 'give hours such as 1.5 or "1:30"',
    r"^[A-Z]{3}$": "give a currency by ISO 4217, such as EUR",
    r"^https?://[!-~]{1,2000}$": "give an address without spaces that begins with https:// or http://",
}


def shown(value: Any) -> str:
    """A value for a sentence, as JSON and not too long."""
    if isinstance(value, UploadFile):
        return "a file"
    try:
        text = json.dumps(value, ensure_ascii=False, default=lambda inner: "a file").encode(errors="backslashreplace").decode()
    except RecursionError:  # it could just be read
        return "lists in lists"
    return text if len(text) <= 60 else text[:57] + "…"


def refusal(errors: list[dict], given: Any, noun: str, known: Iterable[str] = ()) -> APIError:
    """errors: pydantic's, of which the first is told. given: what was read. noun: of its parts. known: their names."""
    error = min((one for one in errors if one["loc"][:1] == errors[0]["loc"][:1]), key=_of_the_wrong_kind)
    name = _name(error["loc"], given, error["type"])
    if error["type"] == "missing":
        return APIError(400, "missing_field", f"The {noun} {name} is missing; give it.", name)
    if error["type"] == "extra_forbidden":
        return APIError(400, "unknown_field", f"The {noun} {name[:80]!r} is not known here; known are {', '.join(known)}.", name[:80])
    wanted = _WANTED.get(error["type"], _always(_ELSEWHERE))(error["input"], error.get("ctx", {}))
    return invalid(f"{name}={shown(error['input'])} cannot be used: {wanted}.", name)


def _of_the_wrong_kind(error: dict) -> int:
    """Where one of several kinds may be given, pydantic tells of each why it does not fit; what is nearly of one should hear of that."""
    return 2 if error["type"] == "is_instance_of" else error["type"].endswith("_type")


def _name(path: tuple, given: Any, kind: str) -> str:
    """Without what pydantic puts between to say which of several kinds was tried."""
    inner, names = path[:-1] if kind == "missing" else path, []
    for part in inner:
        if isinstance(given, str):  # an object in a form, as text
            with suppress(ValueError, RecursionError):
                given = json.loads(given)
        if (isinstance(given, dict) and part in given) or (isinstance(given, list) and isinstance(part, int) and part < len(given)):
            names.append(str(part))
            given = given[part]
    return ".".join([*names, *map(str, path[len(inner):])]) or "body"
