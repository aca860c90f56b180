"""The whole examination: the settings, then each transport, and what is to be thought of it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ... import errors as e
from ...routes import TRANSPORTS
from ...settings import Settings, resolve
from .conninfo_advice import advise_conninfo, has_slash_in_password
from .examination import A_POOLER, PGBOUNCER, Examination
from .secrets import Secrets
from .step import FAILED, OK, SKIPPED, Step

#: How long each step may take, in seconds, when connect_timeout does not say otherwise.
PATIENCE = 10


@dataclass
class Diagnosis:
    """What has come of it.

    Attributes:
        transport: the one that `connect()` takes; "" if the settings are not understood.
        usable: the transports that work, in the order in which they were tried.
        steps: all steps.
        summary: what is to be thought of it.
    """

    transport: str = ""
    usable: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    summary: str = ""

    @property
    def works(self) -> bool:
        """Whether `connect()` works with these settings as they are."""
        return self.transport in self.usable


def diagnose(
    conninfo: str, source: str, environ: Mapping[str, str], report: Callable[[Step], None] = lambda step: None
) -> Diagnosis:
    """Examine a connection string.

    Args:
        conninfo: a URL or `keyword=value` pairs.
        source: what it is from, for the reader.
        environ: variables that fill what is left.
        report: takes each step when it has ended.
    """
    diagnosis = Diagnosis()

    def tell(step: Step) -> None:
        diagnosis.steps.append(step)
        report(step)

    ways = _understand(conninfo, source, environ, tell)
    if not ways:
        diagnosis.summary = "The settings are not understood, so that nothing was tried."
        return diagnosis
    diagnosis.transport = next(iter(ways))
    secrets = Secrets()
    for transport, way in ways.items():
        if isinstance(way, str):
            tell(Step("settings", transport, SKIPPED, fact=way))
            continue
        secrets.learn(way)
        examination = Examination(way, secrets, tell, environ)
        if examination.run():
            diagnosis.usable.append(transport)
        elif examination.failed is not None:
            tell(_weighed(examination.failed, diagnosis, way))
    diagnosis.summary = _summary(diagnosis)
    return diagnosis


def _understand(
    conninfo: str, source: str, environ: Mapping[str, str], tell: Callable[[Step], None]
) -> dict[str, Settings | str]:
    """The settings for each transport, or why there are none, that of `connect()` first; empty if none are understood.

    TCP comes last, unless it is what is asked for: where it cannot be reached, the endpoints make up for it.
    """
    began = time.perf_counter()
    try:
        if has_slash_in_password(conninfo):
            # It is a URL, but nobody means that. To go on would show a part of the password as the name of a host.
            raise e.ProgrammingError("there is an @ behind the first / of the URL, and none before it")
        settings = resolve(conninfo, environ=environ)
    except e.Error as error:
        step = Step("settings", None, FAILED, time.perf_counter() - began, f"{source}: {error}")
        step.advice = advise_conninfo(conninfo, str(error))
        tell(step)
        return {}
    seconds = time.perf_counter() - began
    order = sorted(TRANSPORTS, key=lambda name: name != settings.transport)
    ways = {transport: _way(conninfo, transport, environ, settings) for transport in order}
    found = [
        f"{source}: {settings.provider or 'no known provider'}, transport {settings.transport}",
        *(
            f"{transport} to {' or '.join(way.at(host).where for host in way.hosts)}"
            for transport, way in ways.items()
            if isinstance(way, Settings)
        ),
    ]
    tell(Step("settings", None, OK, seconds, "; ".join(found), _notes(settings)))
    return ways


def _notes(settings: Settings) -> list[str]:
    label, _, domain = settings.host.partition(".")
    if settings.port == PGBOUNCER:
        return [f"By the port, {A_POOLER}. Without a pooler it is port 5432."]
    if settings.provider == "Neon" and label.endswith("-pooler"):
        return [f"By the host, {A_POOLER}. Without a pooler it is {label.removesuffix('-pooler')}.{domain}."]
    return []


def _way(conninfo: str, transport: str, environ: Mapping[str, str], chosen: Settings) -> Settings | str:
    """The same for one transport, with bounds on the time; or why there are none."""
    # `lazy` would hide in which step the login has failed.
    bounds: dict[str, Any] = {"transport": transport, "lazy": False}
    patience: float | None = PATIENCE
    if "connect_timeout" in chosen.given:
        patience = chosen.connect_timeout
    else:
        bounds["connect_timeout"] = PATIENCE
    if "timeout" not in chosen.given:
        bounds["timeout"] = patience
    try:
        return resolve(conninfo, bounds, environ)
    except e.Error as error:
        return str(error)


def _weighed(failed: Step, diagnosis: Diagnosis, settings: Settings) -> Step:
    """A failure, or none if it is only that TCP cannot be reached where it is not needed."""
    if (
        failed.transport == "tcp"
        and failed.name in ("dns", "tcp")
        and diagnosis.usable
        and diagnosis.transport != "tcp"
    ):
        failed.result = SKIPPED
        failed.advice = ""
        failed.notes.append(
            f"Port {settings.port} cannot be reached from here. That does no harm: {_work(diagnosis.usable)}."
        )
    return failed


def _summary(diagnosis: Diagnosis) -> str:
    usable, chosen = diagnosis.usable, diagnosis.transport
    if not usable:
        return "No transport works. Mend what has failed first, and run this again."
    if chosen not in usable:
        return (
            f"connect() takes {chosen} with these settings, which does not work, while {_work(usable)}: mend what has "
            f"failed, or add transport={usable[0]} to the settings."
        )
    others = [transport for transport in usable if transport != chosen]
    return f"connect() takes {chosen}, which works." + (f" Also, {_work(others)}." if others else "")


def _work(names: list[str]) -> str:
    return f"{names[0]} works" if len(names) == 1 else f"{' and '.join(names)} work"
