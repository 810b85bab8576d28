-- The registry: what an operator's control plane knows about its tenants.
--
-- Plain DDL, no roles and no rows, so that an operator can adopt it.  Run it once in an empty
-- database.  scripts/platform/registry.lua is the only script that reads and writes it.

create schema registry;

create table registry.cluster (
    name     text primary key,
    host     text    not null,
    port     integer not null check (port between 1 and 65535),
    -- Test tenants live on clusters which production never shares.
    isolated boolean not null default false
);

create table registry.licence_package (
    serial_no    text primary key,
    company_name text not null,
    -- The package as the vendor issues it: company, expiry and modules.
    xml          xml  not null,
    issued_at    timestamptz not null default now()
);

create table registry.customer (
    ctx             text primary key check (ctx ~ '^Cust[0-9]+$'),
    company_name    text    not null,
    serial_no       text    not null,
    -- 0 unknown, 1 provisioning, 2 running, 3 deleted, 4 suspended, 5 online maintenance,
    -- 6 offline maintenance, 8 provisioning failed, 10 deleting, 11 delete failed,
    -- 12 migration pending
    state           integer not null default 1 check (state between 0 and 12),
    endpoint        text    not null,
    version         text    not null,
    file_version    text    not null default '',
    cluster         text    not null references registry.cluster (name),
    database_name   text    not null,
    -- Set: this tenant is the test environment of that one, and may be overwritten by it.
    is_test_of      text    references registry.customer (ctx),
    licence_package text    references registry.licence_package (serial_no),
    updated_at      timestamptz not null default now(),
    unique (cluster, database_name),
    check (is_test_of is distinct from ctx)
);

create index customer_is_test_of on registry.customer (is_test_of);

-- Which database and which files a tenant is connected to, proved by identity rather than by name.
create table registry.binding (
    ctx               text primary key references registry.customer (ctx),
    database_cluster  text   not null references registry.cluster (name),
    file_cluster      text   not null references registry.cluster (name),
    -- pg_control_system() of that cluster and pg_database.oid: what a rename cannot fake.
    system_identifier bigint not null,
    database_oid      bigint not null,
    bound_at          timestamptz not null default now()
);

-- Verified archives of tenants, and the runs that still need them: those are never expired.
create table registry.archive (
    folder     text primary key,
    ctx        text   not null references registry.customer (ctx),
    tables     bigint not null,
    rows       bigint not null,
    bytes      bigint not null,
    created_at timestamptz not null default now()
);

create table registry.archive_use (
    folder text not null references registry.archive (folder) on delete cascade,
    run_id text not null,
    primary key (folder, run_id)
);

-- Masked images of tenants on the clusters of test environments, each a database of its own, and the
-- runs that need them: those are neither dropped nor renamed.
create table registry.image (
    -- The run that made it, or is making it.
    saga              text primary key,
    ctx               text not null references registry.customer (ctx),
    cluster           text not null references registry.cluster (name),
    database_name     text not null,
    system_identifier bigint,
    database_oid      bigint,
    -- Hash of the rules it was masked by.
    rules             text not null,
    state             text not null default 'making' check (state in ('making', 'ready', 'taken')),
    -- The run that made it its own.
    taken_by          text,
    -- Its files are copied, it stays until it has had its time.
    kept              boolean not null default false,
    tables            bigint,
    rows              bigint,
    bytes             bigint,
    masked            bigint,
    shortened         bigint,
    -- What the full scan found, and what the statistics said then.
    certificate       jsonb,
    mark              jsonb,
    -- Before its data was read.
    created_at        timestamptz not null default clock_timestamp(),
    unique (cluster, database_name),
    check (state = 'making' or database_oid is not null)
);

-- A run says that it needs an image before there is one, hence no reference.
create table registry.image_use (
    saga   text not null,
    run_id text not null,
    primary key (saga, run_id)
);

-- Background jobs of one tenant, run one after another by the platform.
create table registry.customer_task (
    id          bigint generated always as identity primary key,
    ctx         text not null references registry.customer (ctx),
    kind        text not null,
    state       text not null default 'queued'
                check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
    queued_at   timestamptz not null default now(),
    started_at  timestamptz,
    -- When its worker expects to be done; the sample platform's worker finishes it then.
    finishes_at timestamptz,
    finished_at timestamptz,
    detail      jsonb not null default '{}'
);

create index customer_task_unfinished on registry.customer_task (ctx)
    where state in ('queued', 'running');

create table registry.app (
    client_id         text primary key,
    name              text    not null,
    partner_name      text    not null default '',
    -- NULL: the app does not want to hear of state changes.
    state_change_url  text,
    wants_system_user boolean not null default false,
    approved          boolean not null default false
);

-- Consent of one tenant to one app; never carried over from one tenant to another.
create table registry.app_authorization (
    client_id    text not null references registry.app (client_id),
    ctx          text not null references registry.customer (ctx),
    approved_by  text not null,
    approved_at  timestamptz not null default now(),
    -- Constant for (tenant, app) until revoked.
    system_token text,
    revoked_at   timestamptz,
    primary key (client_id, ctx)
);

create index app_authorization_ctx on registry.app_authorization (ctx);

-- Where the mail system delivers what is sent to a hosted address.
create table registry.mail_route (
    address    text primary key,
    ctx        text not null references registry.customer (ctx),
    created_at timestamptz not null default now()
);

create index mail_route_ctx on registry.mail_route (ctx);

-- SuperId, the sign-in service: the tenants it knows and the people who may enter them.
create table registry.superid_tenant (
    ctx          text primary key,
    state        text not null default 'Normal' check (state in ('Normal', 'InMigration')),
    company_name text not null,
    serial_no    text not null,
    test_of      text,
    updated_at   timestamptz not null default now()
);

create table registry.superid_user (
    id           uuid primary key default gen_random_uuid(),
    ctx          text not null references registry.superid_tenant (ctx) on delete cascade,
    -- The sign-in name: an e-mail address, unique within a tenant whatever its case.
    upn          text not null,
    associate_id integer,
    display_name text not null default '',
    active       boolean not null default true,
    resource     jsonb not null default '{}',
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);

create unique index superid_user_upn on registry.superid_user (ctx, lower(upn));
