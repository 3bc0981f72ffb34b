-- migration: 1
CREATE TABLE outbox (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition smallint NOT NULL,
    position  bigint, -- dense per partition; given by the sequencer to committed rows
    type      text NOT NULL,
    key       text NOT NULL,
    payload   bytea NOT NULL,
    at        bigint NOT NULL,
    trace     text NOT NULL
);
CREATE INDEX outbox_pending ON outbox (id) WHERE position IS NULL;
CREATE UNIQUE INDEX outbox_position ON outbox (partition, position);
CREATE TABLE outbox_head (
    partition smallint PRIMARY KEY,
    position  bigint NOT NULL,
    epoch     bigint NOT NULL
);
INSERT INTO outbox_head SELECT p, 0, 1 FROM generate_series(0, 15) p;
CREATE TABLE inbox (
    producer  text NOT NULL,
    partition smallint NOT NULL,
    position  bigint NOT NULL, -- the last one applied
    PRIMARY KEY (producer, partition)
);

-- query: outbox_put
INSERT INTO outbox (partition, type, key, payload, at, trace) VALUES ($1, $2, $3, $4, $5, $6)

-- query: outbox_lock
SELECT partition FROM outbox_head WHERE partition = 0 FOR UPDATE

-- query: outbox_sequence
WITH pending AS (
    SELECT id, partition, row_number() OVER (PARTITION BY partition ORDER BY id) AS n
    FROM (SELECT id, partition FROM outbox WHERE position IS NULL ORDER BY id LIMIT $1::bigint) p
), heads AS (
    UPDATE outbox_head h SET position = h.position + c.n
    FROM (SELECT partition, count(*) AS n FROM pending GROUP BY partition) c
    WHERE h.partition = c.partition
    RETURNING h.partition, h.position - c.n AS base, h.epoch
), done AS (
    UPDATE outbox o SET position = heads.base + pending.n
    FROM pending JOIN heads USING (partition)
    WHERE o.id = pending.id
    RETURNING o.id, o.partition, o.position, o.type, o.key, o.payload, o.at, o.trace, heads.epoch
)
SELECT partition, position, type, key, payload, at, trace, epoch FROM done ORDER BY id

-- query: outbox_heads
SELECT partition, position, epoch FROM outbox_head ORDER BY partition

-- query: outbox_read
SELECT partition, position, type, key, payload, at, trace
FROM (
    SELECT *, sum(length(payload)) OVER (ORDER BY position) - length(payload) AS before -- bytes
    FROM (
        SELECT * FROM outbox WHERE partition = $1::smallint AND position >= $2::bigint ORDER BY position LIMIT $3::bigint
    ) o
) o WHERE before < $4::bigint ORDER BY position

-- query: outbox_head_of
SELECT position, epoch FROM outbox_head WHERE partition = $1::smallint

-- query: inbox_add
INSERT INTO inbox (producer, partition, position) SELECT $1, p, 0 FROM generate_series(0, 15) p ON CONFLICT DO NOTHING

-- query: inbox_of
SELECT position FROM inbox WHERE producer = $1 AND partition = $2::smallint

-- query: inbox_list
SELECT partition, position FROM inbox WHERE producer = $1 AND partition BETWEEN 0 AND 15

-- query: inbox_move
UPDATE inbox SET position = $4::bigint WHERE producer = $1 AND partition = $2::smallint AND position = $3::bigint
