-- What the sample services (services.lua) remember: receipts, mailboxes, requests.
-- Lives beside the registry in the demo; no operator needs it.

create schema sample;

-- A notice a partner app received, and what it thought of it.
create table sample.receipt (
    id          bigint generated always as identity primary key,
    client_id   text not null,
    ctx         text,
    change_type integer,
    accepted    boolean not null,
    reason      text,
    body        jsonb,
    claims      jsonb,
    -- A notice sent twice with the same key is kept once.
    idempotency_key text,
    received_at timestamptz not null default now(),
    unique (client_id, idempotency_key)
);

-- Mailboxes that exist on the mail platform.
create table sample.mailbox (
    address    text primary key,
    ctx        text not null,
    created_at timestamptz not null default now()
);

create table sample.recycle (
    id          bigint generated always as identity primary key,
    ctx         text not null,
    reason      text,
    -- A repeated call with the same key is answered from here.
    idempotency_key text unique,
    recycled_at timestamptz not null default now()
);

-- Every request a service answered, for those who want to see what was said.
create table sample.request (
    id         bigint generated always as identity primary key,
    service    text not null,
    method     text not null,
    path       text not null,
    status     integer,
    body       jsonb,
    at         timestamptz not null default now()
);
