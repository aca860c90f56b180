"""From a statement with placeholders and Python values to what the server takes: `$1`, … and wire values."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from . import errors as e
from .encodings import text_codec
from .formats import PyFormat
from .pattern import pattern
from .pq import Format
from .record import Record
from .template import Parameter, Template, pieces
from .tokens import parameters

if TYPE_CHECKING:
    from re import Match

    from .abc import Buffer, DumperKey, Params, Query, QueryNoTemplate
    from .packed_rows import PackFunc
    from .protocol.frontend import Frame
    from .transformer import Field, Transformer
    from .typeinfo import TypesRegistry

# A statement that is longer, or has more parameters, was probably made for this one time: keeping it in the
# cache would push out others.
_CACHED_LENGTH = 4096
_CACHED_PARAMETERS = 50

#: Where there are more parameters, or more combinations of their dumpers, packing is not worth the preparations.
_PACKED_VALUES = 100
_PACKED_KINDS = 64

_formats = {format.value: format for format in PyFormat}

# A name and a letter, or one character. A % at the end of a line or of the statement is neither, and is
# left as it is.
_placeholder = pattern(r"%(?:\(([^)]+)\)(.)|(.))")
_start_of_name = pattern(r"%\(\S*")


class PostgresQuery:
    """A statement with the placeholders `%s`, `%t`, `%b`, or `%(name)s` and so on, and `%%` for `%`.

    Args:
        transformer: dumps the parameters.
        text_only: dump every parameter as text, whatever its placeholder says.

    Attributes:
        query: the statement for the server, with `$1`, `$2`, …; in the encoding of the client.
        params: the dumped parameters; None when there is no parameter list at all.
        bound: those of them that are sent beside the statement.
        types: their oids; 0 where the server is to find out.
        formats: their formats; None when there is no parameter list at all.
        has_values: values were written into the statement, so that messages do not show it.
    """

    query: bytes
    has_values: bool
    params: Sequence[Buffer | None] | None
    types: tuple[int, ...]
    formats: list[Format] | None

    def __init__(self, transformer: Transformer, *, text_only: bool = False) -> None:
        self._transformer = transformer
        self._text_only = text_only
        self._placeholders = _NO_PLACEHOLDERS
        self._has_own_params = False  # those of a template string
        self.has_values = False
        self._casts: list[_Cast] = []
        self._packed: dict[tuple[DumperKey | None, ...], PackedParams | None] = {}
        self._clear(b"")

    @property
    def shown(self) -> bytes | None:
        """The statement, for messages; None if there are values in it that were no part of its text."""
        return None if self.has_values else self.query

    def convert(self, query: Query, params: Params | None = None) -> None:
        """Take a statement and its parameters.

        Args:
            query: a str, bytes, an object of `neonps.sql`, or a template string.
            params: a sequence for `%s`, a mapping for `%(name)s`; with None the statement is left alone. A template
                string has its parameters in it.

        Raises:
            ProgrammingError: the placeholders are wrong, or do not fit the parameters.
            TypeError: the statement or the parameters are of a wrong class.
            DataError: Postgres cannot hold a parameter, or the client's encoding cannot hold the statement.
            NotSupportedError: a statement of this kind cannot be a template string.
        """
        self._placeholders = _NO_PLACEHOLDERS
        self.has_values = False
        self._has_own_params = isinstance(query, Template)
        if isinstance(query, Template):
            self._refuse_template(params)
            self._take_template(query)
            return
        if params is not None:
            self._check_params(params)
        text = self._plain(query)
        if params is None:
            self._clear(encode_query(text, self._codec))
            return
        cached = len(text) <= _CACHED_LENGTH and len(params) <= _CACHED_PARAMETERS
        self._placeholders = self._parse(text, cached)
        self._take(params)

    def dump(self, params: Params | None) -> None:
        """Take other parameters for the statement that is here already.

        Raises:
            as `convert()` does.
        """
        if self._has_own_params:
            self._refuse_template(params)
            return
        if params is None:
            if self._placeholders.total:
                raise _wrong_count(self._placeholders.total, 0)
            self._clear(self.query)
            return
        self._check_params(params)
        self._take(params)

    def pack(self, params: Params) -> PackedParams | None:
        """How to pack parameters for the statement that is here already; sets `types` and `formats` to go with them.

        None stands for parameters that have to be taken by `dump()`: unusual ones, and those that are wrong.
        """
        if self._has_own_params or self._text_only:
            return None
        try:
            values = self._packed_values(params)
            if values is None or not 0 < len(values) <= _PACKED_VALUES:
                return None
            formats = self._formats_of(values)
            key = self._transformer.get_keys(values, formats)
            packed = self._packed.get(key)
            if packed is None and len(self._packed) < _PACKED_KINDS:
                packed = self._packed[key] = PackedParams(self._transformer, values, formats, self._placeholders.names)
        except Exception:
            return None
        if packed is not None:
            self.types = packed.types
            self.formats = packed.formats
        return packed

    def _packed_values(self, params: Params) -> Sequence[Any] | None:
        """The values in their order, if such parameters can be packed."""
        fits = isinstance(params, (tuple, list)) if self._placeholders.names is None else type(params) is dict
        return self._placeholders.values(params) if fits else None

    def _formats_of(self, values: Sequence[Any]) -> Sequence[PyFormat]:
        return self._placeholders.formats

    def _take(self, params: Params) -> None:
        placeholders = self._placeholders
        if placeholders.ambiguous is not None:
            raise e.ProgrammingError(f"placeholder '{placeholders.ambiguous}' cannot have different formats")
        self.query = placeholders.query
        self._dump(placeholders.values(params), placeholders.formats)

    def _take_template(self, template: Template) -> None:
        parts: list[bytes] = []
        passed: list[Parameter] = []
        for piece in pieces(template):
            if isinstance(piece, Parameter):
                passed.append(piece)
                parts.append(b"$%d" % len(passed))
            else:
                parts.append(piece.as_bytes(self._transformer))
        self._clear(encode_query(b"".join(parts), self._codec))
        if passed:
            self._dump([parameter.value for parameter in passed], [parameter.format for parameter in passed])

    def _refuse_template(self, params: Params | None) -> None:
        """Refuse a template string that cannot be taken: here, one with parameters beside it."""
        if params is not None:
            raise TypeError("'execute()' with string template query doesn't support parameters")

    def typed_query(self, type_name: Callable[[int], str | None]) -> str:
        """The statement with the types of its parameters written into it, for where there is no other place.

        A parameter of a type that is known becomes `($1::type)`. The server takes that for the type of `$1`,
        as if it had been told so by oid. The parentheses make it fit wherever `$1` alone does, as in `$1[1]`
        or `FETCH FIRST $1 ROWS ONLY`.

        Args:
            type_name: gives the name of a type as SQL has it; None leaves the type open.

        Raises:
            DataError: the statement is not UTF-8.
        """
        try:
            text = self.query.decode()
        except UnicodeDecodeError as ex:
            raise e.DataError(f"the query is not valid UTF-8 at byte {ex.start}") from None
        self._casts = []
        names = [type_name(oid) if oid else None for oid in self.types]
        if not any(names):
            return text
        pieces: list[str] = []
        end = growth = 0
        for parameter in parameters(text):
            name = names[parameter.number - 1] if 0 < parameter.number <= len(names) else None
            if name is None:
                continue
            cast = f"(${parameter.number}::{name})"
            pieces += (text[end : parameter.start], cast)
            end = parameter.end
            start = parameter.start + growth
            self._casts.append(_Cast(start, start + len(cast), parameter.start, end))
            growth += len(cast) - (end - parameter.start)
        return "".join((*pieces, text[end:]))

    def untyped_position(self, position: int) -> int:
        """Where in `query` a place in the text is that `typed_query()` gave last.

        Args:
            position: counts characters from 1, as errors of the server do; so does what is returned.
        """
        index = bisect_right(self._casts, position - 1, key=lambda cast: cast.start) - 1
        if index < 0:
            return position
        cast = self._casts[index]
        if position - 1 < cast.end:
            return cast.parameter_start + 1
        return position - cast.end + cast.parameter_end

    def result_formats(self, columns: Sequence[Field], *, for_arrow: bool = False) -> list[int]:
        """The format to ask for each of these columns in, if they are certain: see `Transformer.result_formats()`."""
        return self._transformer.result_formats(columns, for_arrow=for_arrow)

    @property
    def bound(self) -> Sequence[Buffer | None]:
        return self.params or ()

    @property
    def known_types(self) -> TypesRegistry:
        """The types that are known where the parameters are dumped."""
        return self._transformer.adapters.types

    @property
    def _codec(self) -> str:
        return text_codec(self._transformer.connection)

    def _plain(self, query: QueryNoTemplate) -> str | bytes:
        if isinstance(query, (str, bytes)):
            return query
        if hasattr(query, "as_bytes"):
            has_values = getattr(query, "has_values", None)
            self.has_values = has_values is None or has_values()
            return bytes(query.as_bytes(self._transformer))
        cls = type(query).__name__
        raise TypeError(f"the query should be a str, bytes or an object of neonps.sql, or a template string, got {cls}")

    def _check_params(self, params: Params) -> None:
        if not isinstance(params, (list, tuple, dict, Sequence, Mapping)) or isinstance(params, (str, bytes)):
            raise TypeError(f"query parameters should be a sequence or a mapping, got {type(params).__name__}")

    def _parse(self, text: str | bytes, cached: bool) -> _Placeholders:
        return (_parse_cached if cached else _parse)(text, self._codec)

    def _dump(self, params: Sequence[Any], formats: Sequence[PyFormat]) -> None:
        transformer = self._transformer
        if self._text_only:
            formats = [PyFormat.TEXT] * len(formats)
        self.params = transformer.dump_sequence(params, formats)
        self.types = transformer.types or ()
        self.formats = transformer.formats or []

    def _clear(self, query: bytes) -> None:
        self.query = query
        self.params = None
        self.types = ()
        self.formats = None


class PackedParams:
    """How the parameters of a statement are packed if they need the same dumpers as `values`.

    Attributes:
        types: their oids.
        formats: their formats.
    """

    def __init__(
        self,
        transformer: Transformer,
        values: Sequence[Any],
        formats: Sequence[PyFormat],
        names: Sequence[str] | None,
    ) -> None:
        from .packed_rows import packed_value

        transformer.dump_sequence(values, formats)
        self.types = transformer.types or ()
        self.formats = transformer.formats or []
        self._names = names
        self._values = [packed_value(transformer, obj, format) for obj, format in zip(values, formats, strict=True)]

    def packer(self, frame: Frame) -> PackFunc:
        """What packs the parameters, with `frame` around them."""
        from .packed_rows import row_packer

        return row_packer(self._values, frame, self._names)


class RawQuery(PostgresQuery):
    """A statement that has the placeholders `$1`, `$2`, … already. It is sent as it is; so `%` needs no care.

    How many parameters it needs is for the server to say.
    """

    def _refuse_template(self, params: Params | None) -> None:
        raise e.NotSupportedError(f"{type(self).__name__} doesn't support template strings")

    def _take(self, params: Params) -> None:
        self.query = self._placeholders.query
        self._dump(params, [PyFormat.AUTO] * len(params))  # type: ignore[arg-type]

    def _packed_values(self, params: Params) -> Sequence[Any] | None:
        return params if isinstance(params, (tuple, list)) else None

    def _formats_of(self, values: Sequence[Any]) -> Sequence[PyFormat]:
        return [PyFormat.AUTO] * len(values)

    def _check_params(self, params: Params) -> None:
        if isinstance(params, Mapping):
            raise TypeError("raw queries require a sequence of parameters")
        super()._check_params(params)

    def _parse(self, text: str | bytes, cached: bool) -> _Placeholders:
        return _NO_PLACEHOLDERS._replace(query=encode_query(text, self._codec))


class _Placeholders(Record):
    """A statement whose placeholders have been found."""

    #: The statement with `$1`, `$2`, … in their place.
    query: bytes
    #: What is before the first of them, between them, and after the last.
    between: tuple[bytes, ...]
    #: The parameter that each stands for, counted from 0: a name can be there more than once.
    numbers: tuple[int, ...]
    #: The name of each parameter, in their order; None when they have none.
    names: tuple[str, ...] | None
    #: The format that each parameter is asked for in.
    formats: tuple[PyFormat, ...]
    #: A name that is there in two formats.
    ambiguous: str | None

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.numbers)

    def values(self, params: Params) -> Sequence[Any]:
        """The parameters in their order.

        Raises:
            ProgrammingError, TypeError: they do not fit the placeholders.
        """
        if self.names is None:
            return _by_position(self.total, params)
        return _by_name(self.names, self.total, params)


_NO_PLACEHOLDERS = _Placeholders(b"", (b"",), (), None, (), None)


class _Cast(Record):
    """From where to where a cast is in the typed statement, and the parameter in the other."""

    start: int
    end: int
    parameter_start: int
    parameter_end: int


def _parse(query: str | bytes, codec: str) -> _Placeholders:
    """Find the placeholders of a statement.

    Raises:
        ProgrammingError: they are not right.
    """
    text = query if isinstance(query, str) else query.decode(codec, "surrogateescape")
    between = [""]
    end = 0
    named: bool | None = None
    numbers: list[int] = []
    numbers_by_name: dict[str, int] = {}
    formats: list[PyFormat] = []
    ambiguous: str | None = None
    for match in _placeholder.finditer(text):
        name, letter, character = match.groups()
        between[-1] += text[end : match.start()]
        end = match.end()
        if character == "%":
            between[-1] += "%"
            continue
        format = _formats.get(letter or character)
        if format is None:
            raise _wrong_placeholder(text, match)
        if named is None:
            named = name is not None
        elif named is not (name is not None):
            raise e.ProgrammingError("positional and named placeholders cannot be mixed")
        number = len(formats) if name is None else numbers_by_name.setdefault(name, len(formats))
        if number == len(formats):
            formats.append(format)
        elif formats[number] is not format:
            ambiguous = ambiguous or name
        numbers.append(number)
        between.append("")
    between[-1] += text[end:]
    errors = "strict" if isinstance(query, str) else "surrogateescape"
    dollars = [*(f"${number + 1}" for number in numbers), ""]
    return _Placeholders(
        encode_query("".join(chain.from_iterable(zip(between, dollars, strict=True))), codec, errors),
        tuple([piece.encode(codec, errors) for piece in between]),
        tuple(numbers),
        tuple(numbers_by_name) if named else None,
        tuple(formats),
        ambiguous,
    )


_parse_cached = lru_cache(maxsize=256)(_parse)


def placeholder_names(query: str) -> tuple[str, ...]:
    """The names of the placeholders of a statement.

    Raises:
        ProgrammingError: a placeholder is not right, or has no name.
    """
    placeholders = _parse(query, "utf-8")
    if placeholders.total and placeholders.names is None:
        raise e.ProgrammingError("placeholders need names here: '%(name)s' instead of '%s'")
    return placeholders.names or ()


def encode_query(query: str | bytes, codec: str, errors: str = "strict") -> bytes:
    """Encode a statement.

    Raises:
        DataError, which is a UnicodeEncodeError as well: it has characters that the encoding does not have.
        ProgrammingError: it has a zero character, at which the server would take it to end.
    """
    failure: Exception | None = None
    data = b""
    try:
        data = query if isinstance(query, bytes) else query.encode(codec, errors)
    except UnicodeEncodeError as ex:
        from .types.string import TextEncodeError

        failure = TextEncodeError.of(ex)
    if failure is not None:  # not raised in there: what was caught has the text
        raise failure
    if b"\0" in data:
        raise e.ProgrammingError("the query cannot contain NUL (0x00) characters")
    return data


def _by_position(count: int, params: Params) -> Sequence[Any]:
    if isinstance(params, Mapping):
        if not count:
            return ()
        if params:
            raise TypeError("positional placeholders (%s) require a sequence of parameters")
    if len(params) != count:
        raise _wrong_count(count, len(params))
    return params  # type: ignore[return-value]


def _by_name(names: tuple[str, ...], count: int, params: Params) -> Sequence[Any]:
    if not isinstance(params, Mapping):
        if len(params) != count:
            raise _wrong_count(count, len(params))
        raise TypeError("named placeholders require a mapping of parameters")
    try:
        return [params[name] for name in names]
    except KeyError:
        missing = sorted(name for name in names if name not in params)
        raise e.ProgrammingError(f"query parameter missing: {', '.join(missing)}") from None


def _wrong_count(placeholders: int, passed: int) -> e.ProgrammingError:
    return e.ProgrammingError(f"the query has {placeholders} placeholders but {passed} parameters were passed")


def _wrong_placeholder(text: str, match: Match[str]) -> e.ProgrammingError:
    if match[3] == " ":
        return e.ProgrammingError(
            "incomplete placeholder: '%'; if you want to use '%' as an operator you can double it up, i.e. use '%%'"
        )
    if match[3] == "(" and (start := _start_of_name.match(text, match.start())):
        return e.ProgrammingError(f"incomplete placeholder: '{start.group()}'")
    return e.ProgrammingError(f"only '%s', '%b', '%t' are allowed as placeholders, got '{match.group()}'")
