"""The parameters of statements on the command line: `-p name=value` for `%(name)s`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: The values by name, as text; None for NULL.
Params = Mapping[str, str | None]


def parse_params(arguments: Sequence[str]) -> Params:
    """The parameters that were given.

    Args:
        arguments: each `name=value`, or `name` for NULL.

    Raises:
        ValueError: a name is given twice, or missing. No value is in the message.
    """
    params: dict[str, str | None] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not name:
            raise ValueError("a parameter is NAME=VALUE: the name is missing")
        if name in params:
            raise ValueError(f"the parameter {name} is given twice")
        params[name] = value if equals else None
    return params


def params_of_each(statements: Sequence[str], params: Params) -> list[Params | None]:
    """The parameters of each statement; None for all if none were given, so that `%` means nothing in them.

    Raises:
        ValueError: a parameter is not used or not given, or a placeholder is wrong.
    """
    if not params:
        return [None] * len(statements)
    from ..errors import ProgrammingError
    from ..query import placeholder_names

    try:
        used = [placeholder_names(statement) for statement in statements]
    except ProgrammingError as error:
        raise ValueError(str(error)) from None
    names = {name for each in used for name in each}
    if missing := sorted(names - params.keys()):
        raise ValueError(f"no value is given for %({missing[0]})s: use -p {missing[0]}=VALUE")
    if unused := [name for name in params if name not in names]:
        raise ValueError(f"the parameter {unused[0]} is not used: there is no %({unused[0]})s")
    return [{name: params[name] for name in each} for each in used]
