"""Webhooks in: what external systems tell by themselves, stored before it is answered and looked into afterwards.

A delivery is mostly a hint: the record that it names is fetched anew and goes the ordinary way of a page, so that
repeated, late and reordered deliveries change nothing wrong. Reading on schedule stays, and closes the gaps.
"""
