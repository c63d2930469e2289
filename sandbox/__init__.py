"""A pretend market over real HTTP: one generated world, seen through emulated vendors, its truth known.

- :mod:`sandbox.world`: the generator of happenings, the same for the same seed, endless, in flat memory
- :mod:`sandbox.vendors`: the emulated systems, and the contract that they follow
- :mod:`sandbox.faults`, :mod:`sandbox.control`: faults on demand, the request log, time
- :mod:`sandbox.server`: ``python -m sandbox`` and :func:`sandbox.server.start`
- :mod:`sandbox.truth`: what really happened, for tests and the demo

It imports none of the system that it tests, so that it can't share its mistakes.
"""
