"""The emulated vendors: one folder each, found by looking."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from pkgutil import iter_modules

from sandbox.vendors.contract import Vendor


def discover(only: Collection[str] | None = None) -> dict[str, Vendor]:
    """Every vendor below this folder by its key (its folder's name), in the order of keys; or ``only`` some.
    LookupError for one that isn't there."""
    vendors = {}
    found = {module.name for module in iter_modules(__path__) if module.ispkg}
    if only is not None and not found.issuperset(only):
        raise LookupError(f"there is no emulator of {', '.join(set(only) - found)}; there are {sorted(found)}")
    for name in found if only is None else only:
        vendor: Vendor = import_module(f"{__name__}.{name}").VENDOR
        vendors[vendor.key] = vendor
    return dict(sorted(vendors.items()))
