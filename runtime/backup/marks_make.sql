-- What of a copy is done: one row for each unit of work, written in that unit's transaction.
CREATE SCHEMA cloner_unfinished_copy;
REVOKE ALL ON SCHEMA cloner_unfinished_copy FROM PUBLIC;
CREATE TABLE cloner_unfinished_copy.copy (
    key text NOT NULL,
    options text NOT NULL, -- hash of what was asked for
    token text NOT NULL,   -- of the snapshot, or of the archive
    source text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE cloner_unfinished_copy.mark (
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    rows bigint NOT NULL,
    sum0 bigint NOT NULL, -- of the rows, in a copy that compares
    sum1 bigint NOT NULL,
    bytes bigint NOT NULL,
    seen bigint NOT NULL, -- values the mask looked at; masked, shortened, kept: what became of them
    masked bigint NOT NULL,
    shortened bigint NOT NULL,
    kept bigint NOT NULL,
    note text,    -- what else the unit must know
    done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, name, number)
)
