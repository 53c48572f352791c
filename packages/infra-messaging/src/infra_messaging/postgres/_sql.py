"""The table of an outbox in PostgreSQL, and what is asked of it."""

from typing import Final

from infra_messaging._outbox import require_table

SLOTS: Final = 256
"""Into how many parts the rows fall, by their keys: as many marks a transaction leaves at most."""


class OutboxStatements:
    """
    The SQL for one table.

    A row gets its number when it is written, and can be seen when its transaction has ended: a smaller number may come
    to light later. So a transaction leaves a mark in each slot that it writes to, a shared advisory lock that it takes
    before its first number there. It waits for nobody and ends with the transaction, and it says which number was the
    last before. A relay reads the marks in `pg_locks`, and leaves alone what is behind one of them: up to there, all
    that was written has been committed or rolled back.

    What a relay claims it locks, which ends with its connection. It claims a slot by the first row that it can publish
    there; another relay that finds this one locked leaves the slot alone.
    """

    def __init__(self, table: str) -> None:
        self._name: str = require_table(table)
        table = f'"{self._name}"'
        # 24 bits of the table and 8 of the slot, then 32 of the number.
        oid = f"('{table}'::regclass::oid::bigint & 16777215)"
        last = f"coalesce(pg_sequence_last_value('{self._name}_number'::regclass), 0)"
        mark = f"'infra_outbox.m' || {oid} || '_' || %(slot)s::int"
        columns = "slot, id, topic, key, headers, carried, message"
        values = ", ".join(f"%({name})s" for name in columns.split(", "))
        lock = f"pg_advisory_xact_lock_shared(((({oid} << 8) | %(slot)s::int) << 32) | ({last} & 4294967295))"
        marked = f"""marked AS MATERIALIZED (
                SELECT CASE
                    WHEN %(key)s::text IS NULL OR %(key)s::text = (SELECT key FROM before) THEN ''
                    WHEN current_setting({mark}, true) = 'left' THEN ''
                    ELSE set_config({mark}, 'left', true) || {lock}::text
                END AS done
            )"""
        self.create: bytes = f"""
            WITH before AS (SELECT NULL::text AS key), {marked}
            INSERT INTO {table} ({columns}) SELECT {values} FROM marked WHERE done IS NOT NULL
            ON CONFLICT (id) DO NOTHING RETURNING number""".encode()
        replaced = ", ".join(f"{name} = %({name})s" for name in columns.split(", ") if name != "id")
        # A row that comes to another key leaves a mark there too: what is written to that key later waits for it.
        self.update: bytes = f"""
            WITH before AS MATERIALIZED (SELECT key FROM {table} WHERE id = %(id)s FOR UPDATE), {marked}
            UPDATE {table} SET {replaced} FROM marked WHERE id = %(id)s AND done IS NOT NULL
            RETURNING number""".encode()
        self.delete: bytes = f"DELETE FROM {table} WHERE id = %(id)s RETURNING number".encode()
        self.exists: bytes = f"SELECT number FROM {table} WHERE id = %(id)s".encode()
        shown = "id, topic, key, headers, carried, message, number"
        self.get: bytes = f"SELECT {shown} FROM {table} WHERE id = %(id)s".encode()
        self.get_all: bytes = f"SELECT {shown} FROM {table} ORDER BY number".encode()

        # A relay waits for its broker in its transaction, which is not to be ended for that.
        self.begin: bytes = b"""
            SELECT set_config('idle_in_transaction_session_timeout', '0', true), CASE
                WHEN current_setting('transaction_timeout', true) IS NOT NULL
                THEN set_config('transaction_timeout', '0', true)
            END"""  # which PostgreSQL 17 has
        # The newest row is as this statement began, and the marks are read after that: a row that is not newer, and
        # not behind a mark, can have none in front of it whose transaction still runs.
        ahead = f"((({last} - objid::bigint + 2147483648) & 4294967295) - 2147483648)"
        # The table is empty most of the time: what PostgreSQL has noted of it then would have it read all of a slot
        # for the first few rows, and compile what is done in no time.
        off = ", ".join(f"set_config('{name}', 'off', true)" for name in ("enable_seqscan", "enable_bitmapscan", "jit"))
        self.bounds: bytes = f"""
            WITH marks AS MATERIALIZED (
                SELECT classid::bigint & 255 AS slot, min({last} - {ahead}) AS bound FROM pg_locks
                WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 8 = {oid}
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                GROUP BY 1
            )
            SELECT (SELECT max(number) FROM {table}),
                ARRAY(SELECT slot FROM marks ORDER BY slot), ARRAY(SELECT bound FROM marks ORDER BY slot),
                {off}""".encode()
        free = """slot = open.slot AND number <> ALL (%(numbers)s::bigint[])
                    AND (key IS NULL OR (number <= open.bound AND key <> ALL (%(keys)s::text[])))"""
        self.claim: bytes = f"""
            WITH RECURSIVE slots AS (
                (SELECT slot FROM {table} ORDER BY slot LIMIT 1)
                UNION ALL
                SELECT (SELECT slot FROM {table} WHERE slot > slots.slot ORDER BY slot LIMIT 1)
                FROM slots WHERE slots.slot IS NOT NULL
            ), open AS MATERIALIZED (
                SELECT slots.slot, coalesce(least(marks.bound, %(newest)s), %(newest)s) AS bound FROM slots
                LEFT JOIN unnest(%(slots)s::smallint[], %(bounds)s::bigint[]) AS marks (slot, bound) USING (slot)
                WHERE slots.slot IS NOT NULL
            ), heads AS MATERIALIZED (
                SELECT head.number FROM open CROSS JOIN LATERAL (
                    SELECT number FROM {table} WHERE {free} ORDER BY slot, number LIMIT 1
                ) AS head
            ), mine AS MATERIALIZED (
                SELECT slot FROM {table} WHERE number = ANY (ARRAY(SELECT number FROM heads))
                ORDER BY number LIMIT %(most)s FOR UPDATE SKIP LOCKED
            ), there AS MATERIALIZED (
                SELECT found.number, found.key FROM open JOIN mine USING (slot) CROSS JOIN LATERAL (
                    SELECT number, key FROM {table} WHERE {free} ORDER BY slot, number
                    LIMIT 1 + 4 * %(most)s / (SELECT count(*) FROM mine)
                ) AS found ORDER BY number LIMIT %(most)s
            ), locked AS MATERIALIZED (
                SELECT {shown} FROM {table} WHERE number = ANY (ARRAY(SELECT number FROM there)) FOR UPDATE SKIP LOCKED
            )
            SELECT there.key, {", ".join(f"locked.{name}" for name in shown.split(", "))}
            FROM there LEFT JOIN locked USING (number) ORDER BY there.number""".encode()
        self.forget: bytes = f"DELETE FROM {table} WHERE number = ANY (%(numbers)s)".encode()

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that make the table, in order; a step is never changed, others come behind it."""
        name = self._name
        return (
            f"""
            CREATE SEQUENCE {name}_number AS bigint CACHE 1;
            CREATE TABLE "{name}" (
                number bigint PRIMARY KEY DEFAULT nextval('{name}_number'),
                slot smallint NOT NULL,
                id text NOT NULL UNIQUE,
                topic text NOT NULL,
                key text,
                headers text NOT NULL,
                carried text NOT NULL,
                message bytea NOT NULL
            );
            ALTER SEQUENCE {name}_number OWNED BY "{name}".number;
            CREATE INDEX {name}_by_slot ON "{name}" (slot, number);""",
        )
