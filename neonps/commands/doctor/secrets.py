"""Keeping secrets out of what is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from urllib.parse import quote, quote_plus

from ...conninfo import SECRET_KEYWORDS
from ...settings import Settings


class Secrets:
    """What must not be shown, in all the forms in which a server could quote it."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    def learn(self, settings: Settings) -> None:
        """Take the secrets of these settings."""
        token = settings.auth_token
        values = {settings.password, token if isinstance(token, str) else None, *_secret_values(settings.given)}
        values.update(host.password for host in settings.hosts)
        if settings.proxy is not None:
            values.update((settings.proxy.password, settings.proxy.authorization))
        forms = {
            form
            for value in filter(None, values)
            for form in (
                value,
                quote(value, safe=""),
                quote(value),
                quote_plus(value),
                repr(value)[1:-1],
                json.dumps(value)[1:-1],
                escape(value),
            )
        }
        # The longest first: one can be a part of another.
        self._forms = sorted(forms.union(self._forms), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """The text without them."""
        for form in self._forms:
            text = text.replace(form, "…")
        return text


def _secret_values(given: Mapping[str, str]) -> list[str]:
    # The URL of a proxy has a secret in it, which is not all of it.
    return [value for keyword, value in given.items() if keyword in SECRET_KEYWORDS and keyword != "proxy"]
