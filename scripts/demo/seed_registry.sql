-- What the registry knows of the sample tenants.
--
--   psql -v prod_port=… -v test_port=… -f seed_registry.sql
--
-- Cust26759  production         -> Cust26760, Cust26764  its test environments
-- Cust26761  production, no test environment
-- Cust26762  production         -> Cust26763  its test environment

\set QUIET on
begin;
set local search_path = registry;

insert into cluster (name, host, port, isolated) values
    ('prod1', '127.0.0.1', :prod_port, false),
    ('test1', '127.0.0.1', :test_port, true);

create function pg_temp.package(serial text, company text, users int, plan_set text) returns xml
language sql as $$
    select xmlelement(name "LicensePackage", xmlattributes(serial as serial),
        xmlforest(company as "CompanyName", '11.10' as "LicenseVersion", '2027-03-27T00:00:00' as "Expiration",
            '2027-04-08T00:00:00' as "GraceTo", '2027-02-27T00:00:00' as "MaintenanceTo"),
        (select xmlagg(xmlelement(name "Module", xmlattributes(m.name as name, m.title as description,
                '11.10' as version, m.type as type, m.number as number, m.flags as "extraFlags",
                m.info as "extraInfo", m.hidden as hidden, m.free as unrestricted, m.sort as "sortOrder"))
            order by m.sort)
        from (values
            (1, 'service-t2', 'Service', 1, 1, 2, null, false, false),
            (2, 'expander-services', 'Developer Tools', 1, 1, 0, null, false, false),
            (4, 'ten-sales', 'Sales Premium', 3, users, 1, 'set=' || plan_set, false, false),
            (5, 'user', 'User login', 3, users, 0, null, true, false),
            (6, 'web', 'Web client', 3, users, 0, null, true, false),
            (7, 'selection-cal', 'Selections', 3, users, 0, null, true, false),
            (8, 'sale-cal', 'Sales', 3, users, 0, null, true, false),
            (9, 'visible-for', 'Confidential appointments', 3, 1, 0, null, true, true)
        ) as m(sort, name, title, type, number, flags, info, hidden, free)))
$$;

create temp table tenant on commit drop as
    select * from (values
    ('Cust26759', 'Nordlys Handel AS', '1801550193', 'prod1', null, 5, 'Release_11.10_2026.02.24-02', '11.10.55.1021', 'online3'),
    ('Cust26761', 'Fjordmat AS', '1801550266', 'prod1', null, 3, 'Release_11.10_2026.02.24-02', '11.10.55.1021', 'online3'),
    ('Cust26762', 'Sorland Reiser AS', '1801550310', 'prod1', null, 5, 'Release_11.10_2026.02.24-02', '11.10.55.1021', 'online2'),
    ('Cust26760', 'Test Env - Nordlys', '1801550777', 'test1', 'Cust26759', 2, 'Release_11.5_2025.02.10-01', '11.5.12.4411', 'online5'),
    ('Cust26764', 'Test Env - Nordlys training', '1801550788', 'test1', 'Cust26759', 2, 'Release_11.5_2025.02.10-01', '11.5.12.4411', 'online5'),
    ('Cust26763', 'Test Env - Sorland', '1801550799', 'test1', 'Cust26762', 2, 'Release_11.5_2025.02.10-01', '11.5.12.4411', 'online5')
    ) as t(ctx, company, serial, cluster, test_of, users, version, file_version, host);

insert into licence_package (serial_no, company_name, xml)
select t.serial, c.company, pg_temp.package(t.serial, c.company, t.users, 'user,web,selection-cal,sale-cal,visible-for')
from tenant t left join tenant p on p.ctx = t.test_of,
    lateral (select coalesce('Test Env - ' || p.company, t.company) as company) c;

insert into customer (ctx, company_name, serial_no, state, endpoint, version, file_version, cluster, database_name,
    is_test_of, licence_package)
select ctx, company, serial, 2, 'https://' || host || '.superoffice.example/' || ctx, version, file_version, cluster,
    lower(ctx), test_of, serial from tenant order by test_of nulls first, ctx;

insert into superid_tenant (ctx, company_name, serial_no, test_of)
select ctx, company, serial, test_of from tenant;
-- Production's people as its database has them.  Of those who may enter the test environment, two
-- are in today's production too (as they were then), one has left.
insert into superid_user (ctx, upn, associate_id, display_name) values
    ('Cust26759', 'ase.odegard@nordlys-handel.example', 2, 'Åse Ødegård'),
    ('Cust26759', 'oyvind.mueller@nordlys-handel.example', 3, 'Øyvind Müller'),
    ('Cust26759', 'zoe.garcia@nordlys-handel.example', 4, 'Zoë García'),
    ('Cust26759', 'jose.kowalski@nordlys-handel.example', 5, 'José Kowalski'),
    ('Cust26759', 'lukasz.dordevic@nordlys-handel.example', 6, 'Łukasz Đorđević'),
    ('Cust26760', 'ase.odegard@nordlys-handel.example', 17, 'A. Odegard'),
    ('Cust26760', 'oyvind.mueller@nordlys-handel.example', 18, 'Øyvind Müller'),
    ('Cust26764', 'zoe.garcia@nordlys-handel.example', 17, 'Zoë García'),
    ('Cust26762', 'ase.odegard@sorland-handel.example', 2, 'Åse Ødegård'),
    ('Cust26763', 'ase.odegard@sorland-handel.example', 17, 'Åse Ødegård'),
    ('Cust26760', 'timo@proving-ground.example', 3, 'Timo Tester');

insert into app (client_id, name, partner_name, state_change_url, wants_system_user, approved) values
    ('nordic-invoice', 'Nordic Invoice', 'Nordic Apps AS', null, false, true),
    ('test-harness', 'Test Harness', 'QA Partner Ltd', null, false, true),
    ('insight-hub', 'Insight Hub', 'Insight GmbH', null, true, true);
insert into app_authorization (client_id, ctx, approved_by, approved_at, system_token)
select a.client_id, a.ctx, a.by, timestamptz '2025-06-01 12:00+00', a.token from (values
    ('nordic-invoice', 'Cust26759', 'ase.odegard@nordlys-handel.example', null),
    ('insight-hub', 'Cust26759', 'ase.odegard@nordlys-handel.example', 'Insight Hub-' || left(md5('Cust267591'), 10)),
    ('test-harness', 'Cust26760', 'tess@proving-ground.example', null),
    ('insight-hub', 'Cust26760', 'tess@proving-ground.example', 'Insight Hub-' || left(md5('Cust26760token'), 10)),
    ('insight-hub', 'Cust26763', 'tess@proving-ground.example', 'Insight Hub-' || left(md5('Cust26763token'), 10)),
    ('insight-hub', 'Cust26764', 'tess@proving-ground.example', 'Insight Hub-' || left(md5('Cust26764token'), 10))
) as a(client_id, ctx, by, token);

insert into mail_route (address, ctx)
select 'support@' || lower(ctx) || '.suocrm.example', ctx from tenant where test_of is null union all
select 'test@' || lower(ctx) || '.suocrm.example', ctx from tenant where test_of is not null;
insert into sample.mailbox (address, ctx) select address, ctx from mail_route;

insert into customer_task (ctx, kind, state, queued_at, started_at, finished_at) values
    ('Cust26760', 'Mirroring', 'done', now() - interval '2 hours', now() - interval '2 hours', now() - interval '115 minutes'),
    ('Cust26760', 'UpgradeDatabase', 'failed', now() - interval '3 days', now() - interval '3 days', now() - interval '3 days'),
    ('Cust26759', 'Mirroring', 'done', now() - interval '1 hour', now() - interval '1 hour', now() - interval '58 minutes');
commit;
analyze;
