"""What is fuzzed: for each decoder what good input looks like, and a function that gives it any input.

A function does nothing but let the decoder work. Whatever it raises that is not documented is a bug; so is an answer
that depends on how the bytes came in pieces.
"""

from __future__ import annotations

import struct

from fuzz_certificates import CERTIFICATES, run_certificate
from fuzz_http import (
    CONNECT_ANSWERS,
    FRAMES,
    HANDSHAKES,
    HTTP_ANSWERS,
    JSON_ANSWERS,
    run_connect,
    run_frames,
    run_handshake,
    run_http,
    run_json,
)
from fuzz_messages import (
    CHALLENGES,
    MESSAGES,
    SESSIONS,
    run_machine,
    run_parser,
    run_scram,
    run_session,
)
from fuzz_values import (
    PAIR,
    VALUES,
    row_seeds,
    run_arrow,
    run_copy_rows,
    run_copy_text,
    run_parameters,
    run_rows,
    sized,
    value_runner,
)
from fuzzing import Target, prefixed

import neonps
from neonps import errors
from neonps.protocol import backend as b
from neonps.protocol.backend import ProtocolError
from neonps.protocol.websocket_end import UpgradeRefused, WebSocketClosed

_DATA = (errors.DataError, errors.NotSupportedError)
_ROWS = (errors.DataError, errors.NotSupportedError, errors.OperationalError, ProtocolError)

TARGETS: dict[str, Target] = {
    "messages": Target(prefixed(MESSAGES, (b"\1\1", b"\5\3")), run_parser, ()),
    "states": Target(prefixed(MESSAGES, (b"\0", b"\xff")), run_machine, (ProtocolError,)),
    "sessions": Target(SESSIONS, run_session, (neonps.Error, b.ProtocolError)),
    "parameters": Target(
        [b"ISO, MDY\nUTC\nUTF8\npostgres\n18.1\non", b"SQL, DMY\nEurope/Berlin\nLATIN1\niso_8601\n9.6.24\noff"],
        run_parameters,
        (errors.NotSupportedError,),
    ),
    "rows": Target(row_seeds(), run_rows, _ROWS),
    "arrow": Target(row_seeds(), run_arrow, _ROWS),
    "binary copy": Target([struct.pack("!hi", 2, -1) + sized(b"abc")], run_copy_rows, (errors.DataError,)),
    "text copy": Target([b"1\ta\\tb\t\\N\n", b"\\N\t\\x\t\\\\\n"], run_copy_text, _DATA),
    "HTTP": Target(prefixed(HTTP_ANSWERS), run_http, ()),
    "JSON answers": Target(
        prefixed(JSON_ANSWERS, (b"\0", b"\1", b"\x80", b"\x81", b"\2")),
        run_json,
        (errors.OperationalError, *_DATA),
    ),
    "frames": Target(prefixed(FRAMES), run_frames, ()),
    "handshakes": Target(
        prefixed(HANDSHAKES), run_handshake, (ProtocolError, UpgradeRefused, WebSocketClosed)
    ),
    "CONNECT": Target(prefixed(CONNECT_ANSWERS), run_connect, ()),
    "certificates": Target(CERTIFICATES, run_certificate, (ProtocolError,)),
    "SCRAM": Target(CHALLENGES, run_scram, (ProtocolError,)),
    **{
        # A composite can have other fields than those that were registered, if it has been altered meanwhile.
        f"{oid} {format.name}": Target(
            seeds, value_runner(oid, format), (*_DATA, errors.ProgrammingError) if oid == PAIR else _DATA
        )
        for (oid, format), seeds in VALUES.items()
    },
}  # fmt: skip
