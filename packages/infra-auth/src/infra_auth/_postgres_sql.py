"""The tables of a token store in PostgreSQL, and what is asked of them."""

import re
from typing import Final

from infra_protocols import or_raise, require_match

_TABLE: Final = re.compile("[a-z_][a-z0-9_]{0,39}")


class Statements:
    """
    The SQL for one table.

    Decisions of time go by the clock of the server, and by the moment at which they are made: a statement may have
    waited for a lock. What only clears away goes by when the statement came, for which an index can be used.
    """

    def __init__(self, table: str) -> None:
        self.table: str = or_raise(require_match(table, "table", _TABLE))
        columns = "digest, user_digest, family_digest, ends_at, state, token"
        values = ", ".join(f"%({name})s" for name in columns.split(", "))
        replaced = ", ".join(f"{name} = excluded.{name}" for name in columns.split(", ")[1:])
        self.store: bytes = f"""
            WITH swept AS (
                DELETE FROM {table} WHERE digest IN (
                    SELECT digest FROM {table} WHERE ends_at <= statement_timestamp() AND digest <> %(digest)s
                    ORDER BY ends_at LIMIT 4 FOR UPDATE SKIP LOCKED
                )
            )
            INSERT INTO {table} AS known ({columns}) SELECT {values} WHERE %(ends_at)s > clock_timestamp()
            ON CONFLICT (digest) DO UPDATE SET {replaced}, rotated_at = NULL, sealed = NULL
            WHERE known.ends_at <= clock_timestamp() RETURNING true""".encode()
        self.is_over: bytes = b"SELECT %(ends_at)s <= clock_timestamp()"
        self.find: bytes = (
            f"SELECT state, token FROM {table} WHERE digest = %(digest)s AND ends_at > clock_timestamp()".encode()
        )
        self.revoke: bytes = f"""
            UPDATE {table} SET state = 'revoked'
            WHERE digest = %(digest)s AND state = 'valid' AND ends_at > clock_timestamp() RETURNING true""".encode()
        self.lock: bytes = b"SELECT pg_advisory_xact_lock(%(lock)s)"
        self.revoke_family: bytes = _revoke_all(table, "family_digest")
        self.revoke_user: bytes = _revoke_all(table, "user_digest")
        self.lock_old: bytes = f"""
            SELECT state, user_digest, family_digest, sealed,
                extract(epoch FROM clock_timestamp() - rotated_at)::float8 >= %(grace)s
            FROM {table} WHERE digest = %(digest)s AND ends_at > clock_timestamp() FOR UPDATE""".encode()
        self.rotate: bytes = f"""
            UPDATE {table} SET state = 'rotated', rotated_at = clock_timestamp(), sealed = %(sealed)s
            WHERE digest = %(digest)s""".encode()
        self.sweep: bytes = f"""
            WITH swept AS (
                DELETE FROM {table} WHERE digest IN (
                    SELECT digest FROM {table} WHERE ends_at <= statement_timestamp() FOR UPDATE SKIP LOCKED
                ) RETURNING 1
            ) SELECT count(*) FROM swept""".encode()

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that make the tables, in order; a step is never changed, others come behind it."""
        table = self.table
        return (
            f"""
            CREATE TABLE {table} (
                digest bytea PRIMARY KEY,
                user_digest bytea NOT NULL,
                family_digest bytea NOT NULL,
                ends_at timestamptz NOT NULL,
                state text NOT NULL CHECK (state IN ('valid', 'rotated', 'revoked')),
                rotated_at timestamptz,
                sealed bytea,
                token bytea NOT NULL
            );
            CREATE INDEX {table}_by_user ON {table} (user_digest);
            CREATE INDEX {table}_by_family ON {table} (family_digest);
            CREATE INDEX {table}_by_end ON {table} (ends_at);""",
        )


def _revoke_all(table: str, owner: str) -> bytes:
    # In one order, so that two who revoke what overlaps do not wait for each other.
    return f"""
        WITH theirs AS (
            SELECT digest, state FROM {table} WHERE {owner} = %(owner)s AND ends_at > clock_timestamp()
            ORDER BY digest FOR UPDATE
        ), revoked AS (
            UPDATE {table} SET state = 'revoked', sealed = NULL FROM theirs
            WHERE {table}.digest = theirs.digest RETURNING theirs.state AS before
        ) SELECT count(*) FILTER (WHERE before = 'valid') FROM revoked""".encode()
