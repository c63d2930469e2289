"""Write-back: what happens here becomes a change in an external system, once.

A rule says what becomes what (``rules``, ``rulebook``); in the transaction that brings a cause, ``intents`` puts
each change into the outbox; ``deliver`` carries it out, looking before it creates and before it repeats; ``echo``
knows what comes back as ours; ``outbox`` is how people see and steer it, ``undo`` how they take it back.
"""
