-- A test environment as it was left behind by an earlier clone: small, masked, with work of its
-- testers in it that undo must bring back.
--
--   psql -v ctx=Cust26760 -v company='Test Env - Nordlys Handel AS' -v serial=1801550777
--        -f seed_target.sql
--
-- No address of today's production occurs here; testers sign in from proving-ground.example.

\set QUIET on
begin;
set local search_path = crm7, pg_temp;
set local synchronous_commit = off;

create temp table setting on commit drop as
    select :'ctx'::text as ctx, :'company'::text as company, :'serial'::text as serial,
           'https://online5.superoffice.example/' || :'ctx' as site, timestamp '2025-03-03 09:00' as t0;
create function pg_temp.masked(i int) returns text language sql immutable as $$
    select 'previous.' || i || '_former-' || (array['shop', 'works', 'line'])[1 + i % 3] || '.example@mailinator.com'
$$;

insert into usergroup (usergroup_id, name) values (1, 'Administration'), (2, 'Testers');
insert into role (role_id, name, type) values (1, 'User level 0', 0), (4, 'System', 13);
insert into ejuser (id, loginname, username, password, email, status)
select i, (array['system', 'tess', 'timo', 'tara'])[i], (array['system', 'Tess', 'Timo', 'Tara'])[i], md5('e' || i),
    case when i > 1 then pg_temp.masked(i) end, 1 from generate_series(1, 4) i;
insert into contact (contact_id, name, orgnr, registered)
select 1, company, '987654321', t0 from setting;
insert into person (person_id, contact_id, firstname, lastname, registered)
select i, 1, (array['-', 'Tess', 'Timo', 'Tara'])[i], 'Tester', t0 from setting, generate_series(2, 4) i;
insert into associate (associate_id, name, group_idx, person_id, type, username, ejuserid, encryptedcheck, registered)
select 1, 'SYSTEM', 1, null, 13, null, 1, md5('1' || serial), t0 from setting union all
select i, (array['-', 'TESS', 'TIMO', 'TARA'])[i], 2, i, 0, (array['-', 'tess', 'timo', 'tara'])[i]
    || '@proving-ground.example', i, md5(i || serial), t0 from setting, generate_series(2, 4) i union all
select 5, 'app-insight-hub', 1, null, 13, null, null, md5('5' || serial), t0 from setting;
update person set associate_id = person_id;
insert into userrolelink (userrolelink_id, associate_id, role_id)
select associate_id, associate_id, case type when 13 then 4 else 1 end from associate;
insert into ownercontactlink (ownercontactlink_id, contact_id, remark) values (1, 1, 'Database owner');
insert into credentials (credentials_id, associateid, credentialtype, searchname, secret, isactive, validfrom)
select i, i, 'SuperId', (array['-', 'tess', 'timo', 'tara'])[i] || '@proving-ground.example', md5('s' || i), 1, t0
from setting, generate_series(2, 4) i union all
select 5, 5, 'PartnerSystemUser', 'insight-hub', 'Insight Hub-' || left(md5(ctx || 'token'), 10), 1, t0 from setting;

insert into company (company_id, version, revision, ownercontactname, ownerdepartmentname, ownercontactid, dbcontactname,
    dbcontactid, serialno, extrainfo, encryptedcheck)
select 1, 'Release_11.5_2025.02.10-01', 36, company, '', 1, company, 1, serial, 'ctx=' || ctx, md5(company || serial)
from setting;
insert into moduleowner (moduleowner_id, ownername, licenseversion, expiration, encryptedcheck)
select 1, 'SUPEROFFICE', 11, t0 + interval '1 year', md5('owner' || serial) from setting;
insert into modulelicense (modulelicense_id, modulename, moduledescription, moduleversion, licensetype, licensenumber,
    extraflags, extrainfo, hidden, moduleowner_id) values
    (1, 'ten-sales', 'Sales Premium', '11.5', 3, 2, 1, 'set=user,web', false, 1),
    (2, 'user', 'User login', '11.5', 3, 2, 0, null, true, 1),
    (3, 'web', 'Web client', '11.5', 3, 2, 0, null, true, 1);
insert into licenseassoclink (licenseassoclink_id, modulelicenseid, associd, validfrom)
select row_number() over (), m, a, t0 from setting, generate_series(1, 3) m, generate_series(2, 3) a;

insert into config (id, cgi_url, cgi_url_internal, text_path, attachment_path, template_path, admin_mail, default_mail,
    smtp_host, smtp_port, unique_id, version)
select 1, site || '/CS/scripts', 'http://web5.internal/' || ctx || '/CS/scripts', '/so_arc/' || ctx || '/text',
    '/so_arc/' || ctx || '/attachments', '/so_arc/' || ctx || '/template', pg_temp.masked(2),
    'test@' || lower(ctx) || '.suocrm.example', 'smtp.proving-ground.example', 587, md5('unique' || ctx), '11.5' from setting;
insert into registry (id, reg_id, name, value)
select 1, 101, 'cust_url', site || '/CS/scripts/customer.fcgi' from setting;
insert into userpreference (userpreference_id, deflevel, prefsection, prefkey, prefvalue) values
    (1, 2, 'System', 'Statistics OptIn - Configured', 'No'), (2, 2, 'System', 'UserSync OptIn - Configured', 'No');
insert into cacheinvalidation (cacheinvalidation_id, name, generation, lastchange)
select i, (array['Preferences', 'Lists', 'Users'])[i], 500 + i, t0 from setting, generate_series(1, 3) i;

insert into contact (contact_id, name, associate_id, orgnr, registered)
select i, 'Former customer ' || i, 2 + i % 3, lpad(i::text, 9, '8'), t0 from setting, generate_series(2, 200) i;
insert into person (person_id, contact_id, firstname, lastname, registered)
select i, 2 + i % 199, 'Test' || i, 'Person', t0 from setting, generate_series(5, 400) i;
insert into email (email_id, person_id, protocol, type, email_address)
select i, i, 'SMTP', 0, pg_temp.masked(i) from generate_series(2, 400) i;

insert into ej_category (id, name, notification_email) values (1, 'Test', pg_temp.masked(7));
insert into ticket_status (id, status, name) values (1, 1, 'Open'), (2, 2, 'Closed');
insert into ticket_priority (id, name) values (1, 'Medium');
insert into mail_in_filter (id, server_type, domain, address, category_id, priority, status)
select 1, 8, lower(ctx) || '.suocrm.example', 'test@' || lower(ctx) || '.suocrm.example', 1, 1, 1 from setting;
insert into ticket (id, title, created_at, closed_at, author, owned_by, category, status, ticket_status, priority, cust_id,
    filter_id, from_address)
select i, 'Tester''s case ' || i, t0 + i * interval '1 hour', case when i % 3 = 0 then t0 + interval '30 days' end,
    pg_temp.masked(i), 2 + i % 3, 1, case when i % 3 = 0 then 2 else 1 end, case when i % 3 = 0 then 2 else 1 end, 1,
    5 + i, 1, pg_temp.masked(i) from setting, generate_series(1, 150) i;
insert into ej_message (id, ticket_id, created_at, created_by, author, body)
select i, i, t.created_at, t.owned_by, t.author, 'What the testers wrote about case ' || i || ', worth keeping: ' || md5('w' || i)
from ticket t, lateral (select t.id) as x(i);
insert into text (text_id, type, owner_id, text) select i, 1, i, 'Test note ' || i from generate_series(1, 100) i;

insert into attachment_location (attachment_location_id, path) values (1, 'testdata');
insert into attachment (id, content_type, name, att_size, auth_key, attachment_location_id)
select i, 'text/plain', 'evidence' || i || '.txt', 300 + i, left(md5('t' || i), 16), 1 from generate_series(1, 12) i;
insert into ticket_attachment (id, attachment_id, message_id) select i, i, i from generate_series(1, 12) i;
insert into doctmpl (doctmpl_id, name, filename, record_type) values
    (1, 'Test letter', 'Test letter.docx', 4), (2, 'Offer', 'Offer.docx', 4);

insert into ejscript (id, description, body, unique_identifier) values (1, 'Test script', 'print("test");', md5('ts'));
insert into schedule (id, frequency, disabled, name) values (1, 60, true, 'Off in test');
insert into scheduled_task (id, script_id, schedule_id, description) values (1, 1, 1, 'Off in test');
insert into onlineapp (onlineapp_id, clientid, displayname, partnername) values
    (1, 'test-harness', 'Test Harness', 'QA Partner Ltd'), (2, 'insight-hub', 'Insight Hub', 'Insight GmbH');
insert into extapp (extapp_id, name, url1, apptype)
select 1, 'Test dashboard', 'https://dashboard.proving-ground.example/?ctx=' || ctx, 1 from setting;

do $$
declare
    c record;
begin
    for c in select table_name, column_name from information_schema.columns
             where table_schema = 'crm7' and column_default like '%next_id(%' order by 1 loop
        execute format('insert into sequence (next_id, tablename, tablenumber)
            select coalesce(max(%I), 0) + 1, %L, %s from %I', c.column_name, c.table_name,
            (select count(*) + 1 from sequence), c.table_name);
    end loop;
end
$$;
commit;
analyze;
