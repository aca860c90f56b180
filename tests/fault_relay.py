"""A relay between a client and a server that breaks the line at a given byte: cuts it, lets it stall, or slows it down.

But for the bytes behind the fault nothing is lost, and nothing is ever said twice.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from relaying import SelectingRelay, reset_when_closed

#: The directions: what the client says, and what the server says.
UP, DOWN = "up", "down"

#: After these the line is of no use any more.
CUTS = ("fin", "rst", "half")
#: After these nothing says that it is not.
STALLS = ("stall", "dead")
#: These do no harm.
HARMLESS = ("bytes", "delay")


class Fault(NamedTuple):
    """What goes wrong, and when.

    Args:
        kind: "fin" closes the line to both sides, "rst" resets it; "half" ends one direction only, and what the other
            side has to say still arrives. "stall" keeps back what is said in one direction from then on, "dead" all
            that is said on this and on every later line. "bytes" carries byte by byte, "delay" makes a pause.
        direction: whose bytes are counted.
        offset: after how many of them.
    """

    kind: str
    direction: str
    offset: int


class Plan:
    """A fault that is to come, and how many bytes have gone by; for one line or for several.

    Attributes:
        carried: bytes so far, for each direction.
        fired: the fault has happened.
    """

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.carried = {UP: 0, DOWN: 0}
        self.fired = False

    def bytes_before_fault(self, direction: str, size: int) -> int | None:
        """How many of the next `size` bytes are carried before the fault happens; None if it does not now."""
        fault = self.fault
        if fault is None or self.fired or fault.direction != direction:
            return None
        before = fault.offset - self.carried[direction]
        return before if before <= size else None


class _Line:
    """A client and the server that it is led to."""

    def __init__(self, client: socket.socket, server: socket.socket, plan: Plan) -> None:
        self.ends = {UP: client, DOWN: server}  # by the direction of what they say
        self.plan = plan
        self.mute: set[str] = set()  # what is said in these directions goes nowhere any more
        self.slow = False  # byte by byte


class FaultRelay(SelectingRelay):
    """Carries bytes to and from a server, and has faults happen; a context manager.

    Args:
        host, port: the server.
        plan: makes the plan of a new line; it can be set at any time. `arm()` has one for all lines to come.

    Attributes:
        faults: how many have happened, by their kind.
    """

    def __init__(self, host: str, port: int, plan: Callable[[], Plan] = Plan) -> None:
        super().__init__(host, port)
        self.plan = plan
        self.faults: Counter[str] = Counter()
        self._lines: dict[socket.socket, tuple[_Line, str]] = {}

    def arm(self, fault: Fault | None) -> Plan:
        """Have a fault happen once, on one of the lines from now on, whose bytes are counted together."""
        plan = Plan(fault)
        self.plan = lambda: plan
        return plan

    def opened(self, client: socket.socket, server: socket.socket) -> None:
        line = _Line(client, server, self.plan())
        if line.plan.fired and line.plan.fault is not None and line.plan.fault.kind == "dead":
            line.mute = {UP, DOWN}
        for direction, sock in line.ends.items():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(30)
            self._lines[sock] = line, direction

    def carry(self, sock: socket.socket) -> None:
        """Carry what one side has said, up to the fault."""
        line, direction = self._lines[sock]
        try:
            data = sock.recv(1 << 16)
        except OSError:
            self._drop(line, reset=True)
            return
        if not data and direction == DOWN and DOWN in line.mute:
            self.unwatch(sock)  # not even its end gets through
        elif not data:
            self._drop(line)
        elif direction not in line.mute:
            before = line.plan.bytes_before_fault(direction, len(data))
            if before is None:
                self._pass_on(line, direction, data)
            else:
                self._pass_on(line, direction, data[:before])
                line.plan.fired = True
                assert line.plan.fault is not None
                self.faults[line.plan.fault.kind] += 1
                if line.ends:
                    _FAULTS[line.plan.fault.kind](self, line, direction)
                if line.ends and direction not in line.mute:
                    self._pass_on(line, direction, data[before:])

    def _pass_on(self, line: _Line, direction: str, data: bytes) -> None:
        line.plan.carried[direction] += len(data)
        other = line.ends[DOWN if direction == UP else UP]
        try:
            for piece in [data[i : i + 1] for i in range(len(data))] if line.slow else [data]:
                other.sendall(piece)
        except OSError:
            self._drop(line, reset=True)

    def _drop(self, line: _Line, *, reset: bool = False) -> None:
        for sock in line.ends.values():
            self._lines.pop(sock)
            if reset:
                reset_when_closed(sock)
        self.drop(line.ends[UP])
        line.ends = {}

    def _end_half(self, line: _Line, direction: str) -> None:
        line.mute.add(direction)
        with suppress(OSError):
            line.ends[DOWN if direction == UP else UP].shutdown(socket.SHUT_WR)

    def _slow_down(self, line: _Line, direction: str) -> None:
        line.slow = True

    def _die(self, line: _Line, direction: str) -> None:
        for each, _ in self._lines.values():
            each.mute = {UP, DOWN} if each.plan is line.plan else each.mute

    def _pause(self, line: _Line, direction: str) -> None:
        threading.Event().wait(0.003)


_FAULTS: dict[str, Callable[[FaultRelay, _Line, str], object]] = {
    "fin": lambda relay, line, direction: relay._drop(line),
    "rst": lambda relay, line, direction: relay._drop(line, reset=True),
    "half": FaultRelay._end_half,
    "stall": lambda relay, line, direction: line.mute.add(direction),
    "dead": FaultRelay._die,
    "bytes": FaultRelay._slow_down,
    "delay": FaultRelay._pause,
}
