"""inet, cidr."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, TypeVar

from .. import errors as e
from ..abc import Buffer
from ..adapt import Dumper, Loader
from ..pq import Format

T = TypeVar("T")

INET_OID = 869
CIDR_OID = 650

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

# An address in binary is its family, the length of the prefix in bits, whether it is a cidr, and the address
# after its length (network_send() of src/backend/utils/adt/network.c). Both are arrays of bytes.
_FAMILIES = {4: 2, 6: 3}
_HEADER_SIZE = 4


class InterfaceDumper(Dumper):
    """Dumps addresses and interfaces as inet, text."""

    oid = INET_OID

    def dump(self, obj: Address | Interface) -> Buffer | None:
        return str(obj).encode()


class NetworkDumper(Dumper):
    """Dumps networks as cidr, text."""

    oid = CIDR_OID

    def dump(self, obj: Network) -> Buffer | None:
        return str(obj).encode()


class AddressBinaryDumper(Dumper):
    """Dumps addresses as inet, binary."""

    format = Format.BINARY
    oid = INET_OID

    def dump(self, obj: Address) -> Buffer | None:
        return _pack(obj, obj.max_prefixlen, is_cidr=False)


class InterfaceBinaryDumper(Dumper):
    """Dumps interfaces as inet, binary."""

    format = Format.BINARY
    oid = INET_OID

    def dump(self, obj: Interface) -> Buffer | None:
        return _pack(obj, obj.network.prefixlen, is_cidr=False)


class InetBinaryDumper(Dumper):
    """Dumps addresses and interfaces as inet, binary: for those who ask for the type."""

    format = Format.BINARY
    oid = INET_OID

    def dump(self, obj: Address | Interface) -> Buffer | None:
        if isinstance(obj, (IPv4Interface, IPv6Interface)):
            return _pack(obj, obj.network.prefixlen, is_cidr=False)
        if isinstance(obj, (IPv4Address, IPv6Address)):
            return _pack(obj, obj.max_prefixlen, is_cidr=False)
        raise e.DataError(f"address or interface expected, got {type(obj).__name__!r}")


class NetworkBinaryDumper(Dumper):
    """Dumps networks as cidr, binary."""

    format = Format.BINARY
    oid = CIDR_OID

    def dump(self, obj: Network) -> Buffer | None:
        return _pack(obj.network_address, obj.prefixlen, is_cidr=True)


class InetLoader(Loader):
    """Loads inet from text: an interface where there is a prefix, else an address."""

    def load(self, data: Buffer) -> Address | Interface:
        text = str(data, "utf-8")
        return _made(ip_interface, text) if "/" in text else _made(ip_address, text)


class InetBinaryLoader(Loader):
    """Loads inet from binary: an interface where the prefix is shorter than the address, else an address."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Address | Interface:
        packed, prefix = _unpack(bytes(data))
        if prefix == len(packed) * 8:
            return _made(ip_address, packed)
        return _made(ip_interface, (packed, prefix))


class CidrLoader(Loader):
    """Loads cidr from text."""

    def load(self, data: Buffer) -> Network:
        return _made(ip_network, str(data, "utf-8"))


class CidrBinaryLoader(Loader):
    """Loads cidr from binary."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Network:
        return _made(ip_network, _unpack(bytes(data)))


def _pack(address: Address | Interface, prefix: int, *, is_cidr: bool) -> bytes:
    packed = address.packed
    return bytes((_FAMILIES[address.version], prefix, is_cidr, len(packed))) + packed


def _unpack(data: bytes) -> tuple[bytes, int]:
    packed = data[_HEADER_SIZE:]
    if len(data) < _HEADER_SIZE or data[0] not in _FAMILIES.values() or data[3] != len(packed):
        raise e.DataError(f"malformed network address: {data[:24].hex()}")
    return packed, data[1]


def _made(make: Callable[[Any], T], value: Any) -> T:
    try:
        return make(value)
    except ValueError as ex:
        raise e.DataError(f"can't parse network address: {ex}") from None
