"""Downloads of published weights and data: a host that does not answer is noticed within seconds.

Hub clients repeat a request several times, and torch's has no time limit: without a network both may wait for minutes.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

CONNECTING, SILENT = 10.0, 60.0
"""Seconds in which a host must accept a connection, and for which a started download may receive nothing."""


@contextmanager
def downloading_from_hub() -> Iterator[None]:
    """Around a download from the Hugging Face Hub, whose own switch HF_HUB_OFFLINE leaves what is in its cache. Raises
    OSError as `downloading` does."""
    from huggingface_hub import constants

    with nullcontext() if constants.HF_HUB_OFFLINE else downloading(constants.ENDPOINT):
        yield


@contextmanager
def downloading(*addresses: str) -> Iterator[None]:
    """Around a download from the first of `addresses` that answers. Raises OSError if no host of them, or no proxy to
    them, can be reached in time; without addresses, only the silence of a started download is noticed."""
    for place, address in enumerate(addresses, 1):
        try:
            check_reachable(address)
            break
        except OSError:
            if place == len(addresses):
                raise
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def check_reachable(address: str) -> None:
    """Raises OSError if the host of a URL, or the proxy to it, accepts no connection within ten seconds."""
    host, port = _endpoint(address)
    failed: list[OSError] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECTING).close()
        except OSError as error:
            failed.append(error)

    # In a thread, because looking up a name has no time limit of its own.
    trying = threading.Thread(target=connect, daemon=True)
    trying.start()
    trying.join(CONNECTING)
    if trying.is_alive():
        raise TimeoutError(f"{host} did not answer within {CONNECTING:.0f} seconds.")
    if failed:
        raise ConnectionError(f"{host} cannot be reached: {failed[0].strerror or failed[0]}.")


def _endpoint(address: str) -> tuple[str, int]:
    """Host and port to connect to for a URL."""
    whole = urlsplit(address)
    proxy = getproxies().get(whole.scheme)
    if proxy and not proxy_bypass(whole.hostname or ""):
        whole = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return whole.hostname or "", whole.port or (80 if whole.scheme == "http" else 443)
