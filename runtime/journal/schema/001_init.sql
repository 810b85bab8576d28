-- The journal: what cloner did, is doing and must still do. One schema, `cloner`.
-- state says who may touch a run, phase what it is doing, result how it ended.

CREATE TABLE cloner.script_blob (
  hash       text PRIMARY KEY CHECK (hash = encode(sha256(source), 'hex')),
  source     bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cloner.script_bundle (
  hash       text PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'),
  folder     text NOT NULL,
  entry      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cloner.script_bundle_module (
  bundle_hash text NOT NULL REFERENCES cloner.script_bundle,
  path        text NOT NULL,
  blob_hash   text NOT NULL REFERENCES cloner.script_blob,
  PRIMARY KEY (bundle_hash, path)
);

-- One row a process. Its lease covers every run it owns. No index on the lease: HOT updates.
CREATE TABLE cloner.worker (
  worker_id        uuid PRIMARY KEY,
  host             text NOT NULL,
  pid              int NOT NULL,
  machine          text NOT NULL,
  process_started  bigint NOT NULL,
  started_at       timestamptz NOT NULL DEFAULT now(),
  lease_expires_at timestamptz NOT NULL,
  stopped_at       timestamptz
) WITH (fillfactor = 50);

CREATE TABLE cloner.run (
  run_id              uuid PRIMARY KEY,
  name                text NOT NULL,
  title               text NOT NULL,
  bundle_hash         text NOT NULL REFERENCES cloner.script_bundle,
  target_key          text,
  idempotency_key     text,
  parent_run_id       uuid,
  params              jsonb NOT NULL,
  output              jsonb,
  error               jsonb,
  state               text NOT NULL CHECK (state IN ('ready', 'running', 'paused', 'done')),
  phase               text NOT NULL DEFAULT 'forward' CHECK (phase IN ('forward', 'undo')),
  result              text CHECK (result IN ('succeeded', 'cancelled', 'undone', 'abandoned')),
  owner               uuid REFERENCES cloner.worker,
  epoch               bigint NOT NULL DEFAULT 0,
  claims              int NOT NULL DEFAULT 0,
  next_seq            int NOT NULL DEFAULT 1,
  steps_total         int NOT NULL DEFAULT 0,
  cancel_requested_at timestamptz,
  cancel_reason       text,
  created_at          timestamptz NOT NULL DEFAULT now(),
  finished_at         timestamptz,
  CHECK ((state = 'running') = (owner IS NOT NULL)),
  CHECK ((state = 'done') = (result IS NOT NULL)),
  CHECK ((state = 'done') = (finished_at IS NOT NULL))
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX run_idempotency ON cloner.run (name, idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX run_one_target ON cloner.run (target_key)
  WHERE target_key IS NOT NULL AND state <> 'done';
CREATE INDEX run_unfinished ON cloner.run (created_at) WHERE state <> 'done';
CREATE INDEX run_owned ON cloner.run (owner) WHERE state = 'running';
CREATE INDEX run_by_target ON cloner.run (target_key, created_at) WHERE target_key IS NOT NULL;
CREATE INDEX run_by_age ON cloner.run (created_at);

CREATE TABLE cloner.step (
  run_id      uuid NOT NULL REFERENCES cloner.run ON DELETE CASCADE,
  step_key    text NOT NULL,
  seq         int NOT NULL,
  title       text NOT NULL,
  state       text NOT NULL CHECK (state IN ('started', 'done', 'failed', 'skipped')),
  attempts    int NOT NULL DEFAULT 1,
  epoch       bigint NOT NULL,
  worker_id   uuid NOT NULL,
  result      jsonb,
  error       jsonb,
  reason      text,
  progress    jsonb,
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  undo_state  text NOT NULL DEFAULT 'none'
    CHECK (undo_state IN ('none', 'armed', 'started', 'done', 'failed', 'skipped')),
  undo_attempts    int NOT NULL DEFAULT 0,
  undo_error       jsonb,
  undo_started_at  timestamptz,
  undo_finished_at timestamptz,
  PRIMARY KEY (run_id, step_key),
  UNIQUE (run_id, seq),
  CHECK ((state = 'started') = (finished_at IS NULL))
) WITH (fillfactor = 80);

-- Failed attempts only; the last success is the step row itself.
CREATE TABLE cloner.step_attempt (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id     uuid NOT NULL REFERENCES cloner.run ON DELETE CASCADE,
  step_key   text NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('run', 'undo')),
  attempt    int NOT NULL,
  epoch      bigint NOT NULL,
  started_at timestamptz,
  ended_at   timestamptz NOT NULL DEFAULT now(),
  error      jsonb NOT NULL,
  UNIQUE (run_id, step_key, kind, attempt)
);

CREATE TABLE cloner.memo (
  run_id   uuid NOT NULL REFERENCES cloner.run ON DELETE CASCADE,
  step_key text NOT NULL,
  key      text NOT NULL,
  value    jsonb NOT NULL,
  at       timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, step_key, key)
);

-- Who did what, when: the audit trail, and what steps wrote with run:log and run:warn.
CREATE TABLE cloner.event (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz NOT NULL DEFAULT now(),
  run_id   uuid NOT NULL REFERENCES cloner.run ON DELETE CASCADE,
  step_key text,
  kind     text NOT NULL,
  data     jsonb
);
CREATE INDEX event_by_run ON cloner.event (run_id, id);

-- A run as `list` and `show` tell it, and as an operator may query it: how far it is, and which
-- process owns it.
CREATE VIEW cloner.run_overview AS
SELECT r.run_id, r.name, r.title, r.bundle_hash, r.target_key, r.idempotency_key, r.parent_run_id,
  r.params, r.output, r.error, r.state, r.phase, r.result, r.owner, r.epoch, r.claims, r.steps_total,
  r.cancel_requested_at IS NOT NULL AS cancel_requested, r.cancel_reason,
  r.created_at,
  (extract(epoch FROM r.created_at) * 1000)::bigint AS created_ms,
  (extract(epoch FROM r.finished_at) * 1000)::bigint AS finished_ms,
  (extract(epoch FROM coalesce(r.finished_at, now()) - r.created_at) * 1000)::bigint AS age_ms,
  (SELECT count(*) FROM cloner.step s WHERE s.run_id = r.run_id AND s.state IN ('done', 'skipped'))
    AS steps_done,
  (SELECT s.step_key FROM cloner.step s WHERE s.run_id = r.run_id
   AND s.state IN ('started', 'failed') ORDER BY s.seq DESC LIMIT 1) AS step_key,
  w.host, w.pid
FROM cloner.run r LEFT JOIN cloner.worker w ON w.worker_id = r.owner;
