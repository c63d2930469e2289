"""The emulated vendors: one folder each, found by looking."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from sandbox.vendors.contract import Vendor


def discover() -> dict[str, Vendor]:
    """Every vendor below this folder by its key, in the order of keys."""
    vendors = {}
    for module in iter_modules(__path__):
        if module.ispkg:
            vendor: Vendor = import_module(f"{__name__}.{module.name}").VENDOR
            vendors[vendor.key] = vendor
    return dict(sorted(vendors.items()))
