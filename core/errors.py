"""The root of all errors that a person is meant to read."""

from typing import ClassVar


class SkvozError(Exception):
    """Something the reader can mend: `str(error)` is a whole sentence that says what to do.

    `code` is stable and machine-readable; it goes out as GraphQL's `extensions.code` and as the word in logs.
    The sentence never holds a secret or personal data.
    """

    code: ClassVar[str] = "ERROR"


class SettingsError(SkvozError):
    """A setting is missing or has a value that can't be used."""

    code = "BAD_SETTINGS"


class DatabaseError(SkvozError):
    """The database can't be started, reached or used as it is."""

    code = "DATABASE"


class RoleError(DatabaseError):
    """A database role is missing, or holds more rights than row-level security allows."""

    code = "DATABASE_ROLES"


class KeyringError(SkvozError):
    """A master key is missing, malformed or not the one that sealed the data."""

    code = "MASTER_KEY"


class AddressError(SkvozError):
    """An address isn't one that Skvoz may connect to."""

    code = "ADDRESS_REFUSED"
