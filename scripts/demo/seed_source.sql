-- A production tenant with something for every step to do.
--
--   psql -v scale=1 -v ctx=Cust26759 -v brand=nordlys -v company='Nordlys Handel AS'
--        -v serial=1801550193 -f seed_source.sql
--
-- scale 1 gives about 50,000 rows, 0.1 is the least.  Every address lies in a domain "<brand>-….example", so that
-- one can search files for "@<brand>-" and know where a hit comes from; the hosted Service
-- mailboxes lie in "<ctx>.suocrm.example".  Same variables, same rows.

\set QUIET on
begin;
set local search_path = crm7, pg_temp;
set local synchronous_commit = off;
select setseed(0.5) \g /dev/null

create temp table setting on commit drop as
    select :'ctx'::text as ctx, :'brand'::text as brand, :'company'::text as company,
           :'serial'::text as serial, :scale::numeric as scale,
           'https://online3.superoffice.example/' || :'ctx' as site,
           timestamp '2026-01-05 08:00' as t0;

-- Names as they come, some beyond ASCII.
create function pg_temp.first_name(i int) returns text language sql immutable as $$
    select (array['Kari', 'Ola', 'Åse', 'Øyvind', 'Zoë', 'José', 'Łukasz', 'Marte', 'Jürgen', '李娜',
        'Søren', 'Þóra', 'Anne-Lise', 'Ivan', 'Nadia', 'Gül'])[1 + i % 16]
$$;
create function pg_temp.last_name(i int) returns text language sql immutable as $$
    select (array['Nordmann', 'Hansen', 'Ødegård', 'Müller', 'García', 'Kowalski', 'Đorđević',
        'O''Brien', 'van der Berg', 'Sæther', 'Björnsson', 'Lindqvist', '王'])[1 + i % 13]
$$;
-- The local part of an address is plain ASCII, as mail systems want it.
create function pg_temp.fold(name text) returns text language sql immutable as $$
    select regexp_replace(lower(translate(replace(replace(replace(replace(replace(name,
        '李娜', 'li.na'), '王', 'wang'), 'Þ', 'Th'), 'æ', 'ae'), 'ü', 'ue'),
        'ÅåØøëéŁłöóĐđćíÜ ''', 'AaOoeeLloo' || 'DdciU..')), '[^a-z0-9.-]', '', 'g')
$$;
create function pg_temp.domain(i int) returns text language sql stable as $$
    select s.brand || '-' || (array['handel', 'bygg', 'shipping', 'kraft', 'fisk', 'energi', 'skole',
        'helse', 'tre', 'stal', 'reise'])[1 + i % 11]
        || case when i < 11 then '' else (i / 11)::text end || '.example' from setting s
$$;
create function pg_temp.address(i int) returns text language sql stable as $$
    select pg_temp.fold(pg_temp.first_name(i)) || '.' || pg_temp.fold(pg_temp.last_name(i))
        || case when i < 208 then '' else i::text end || '@' || pg_temp.domain(i / 7)
$$;

-- 1. Users.  Group, roles, the owner and its people, then the associates.

insert into usergroup (usergroup_id, name) values (1, 'Administration'), (2, 'Sales'), (3, 'Service');
insert into role (role_id, name, type) values
    (1, 'User level 0', 0), (2, 'User level 1', 0), (3, 'Anonymous', 7), (4, 'System', 13);

insert into ejuser (id, loginname, username, password, email, status, signature)
select i,
    case when i = 1 then 'system'
         when i = 4 then 'margrethe.katarina.oestergaard@' || pg_temp.domain(0)
         else pg_temp.fold(pg_temp.first_name(i)) end,
    case when i = 1 then 'system' else pg_temp.first_name(i) end,
    'pbkdf2$' || md5('ejuser' || i),
    case when i > 1 then pg_temp.address(i) end, 1,
    case when i > 1 then '<p>' || pg_temp.first_name(i) || ' ' || pg_temp.last_name(i)
        || '<br><a href="mailto:' || pg_temp.address(i) || '">' || pg_temp.address(i) || '</a><br>'
        || s.site || '/CS/scripts/customer.fcgi</p>' end
from generate_series(1, 13) i, setting s;

insert into contact (contact_id, name, department, orgnr, registered, registered_associate_id, updated, updated_associate_id)
select i, case when i = 1 then s.company else s.company || ' Region ' || i end,
    case when i = 1 then '' else 'Avdeling Ålesund' end, '9' || lpad(i::text, 8, '0'), s.t0, 1, s.t0, 1
from generate_series(1, 2) i, setting s;

insert into person (person_id, contact_id, firstname, lastname, retired, registered, registered_associate_id)
select i, 1 + i % 2, pg_temp.first_name(i), pg_temp.last_name(i), (i = 13)::int, s.t0, 1
from generate_series(1, 15) i, setting s;

-- 2-13 employees of whom 13 is deleted and the first five hold the plan; 14 a room,
-- 15-16 external people, the rest has no person.
insert into associate (associate_id, name, deleted, group_idx, person_id, type, username, ejuserid, encryptedcheck,
    lastlogin, registered, registered_associate_id, updated, updated_associate_id)
select i,
    case i when 1 then 'SYSTEM' when 14 then 'ROOM-FJORD' when 15 then 'ext-15' when 16 then 'ext-16'
        when 17 then 'ANONYMOUS' when 18 then 'app-insight-hub' when 19 then 'app-nordic-invoice'
        else upper(left(pg_temp.fold(pg_temp.first_name(i)), 2)) || i end,
    (i = 13)::int,
    case when i in (1, 17, 18, 19) then 1 else 2 + i % 2 end,
    case when i between 2 and 13 then i when i in (15, 16) then i - 1 end,
    case when i in (1, 18, 19) then 13 when i = 14 then 1 when i in (15, 16) then 4 when i = 17 then 7 else 0 end,
    case when i between 2 and 13 or i in (15, 16) then pg_temp.address(i) end,
    case when i between 1 and 13 then i end,
    md5('assoc' || i || s.serial),
    case when i between 2 and 9 then s.t0 + i * interval '1 hour' end,
    s.t0, 1, s.t0, 1
from generate_series(1, 19) i, setting s;

update person set associate_id = a.associate_id from associate a where a.person_id = person.person_id;

insert into userrolelink (associate_id, role_id, userrolelink_id, encryptedcheck)
select associate_id, case type when 13 then 4 when 7 then 3 else 1 + associate_id % 2 end,
    associate_id, md5('role' || associate_id) from associate;
insert into ownercontactlink (ownercontactlink_id, contact_id, remark) values (1, 1, 'Database owner'), (2, 2, 'Region');

insert into credentials (credentials_id, associateid, credentialtype, searchname, displayname, secret, isactive,
    validfrom, validto, lastuseddate, lastusedinfo)
select i, i, 'SuperId', pg_temp.address(i), pg_temp.first_name(i), md5('sid' || i), 1, s.t0, s.t0 + interval '3 years',
    s.t0, 'IP 192.0.2.' || i || ' ' || pg_temp.address(i)
from generate_series(2, 9) i, setting s
union all
select 20 + i, i, 'Ticket', md5('session' || i), null, md5('ticket' || i), 2, s.t0, s.t0 + interval '6 hours', s.t0, null
from generate_series(2, 5) i, setting s
union all
select 30, 1, 'SmtpRelay', 'relay@' || pg_temp.domain(0), 'Relay', 'relay-secret', 0, s.t0, null, null, null from setting s
union all
-- The partners' system users, with the tokens they were given for this tenant.
select 30 + i, 17 + i, 'PartnerSystemUser', (array['insight-hub', 'nordic-invoice'])[i], null,
    (array['Insight Hub-', 'Nordic Invoice-'])[i] || left(md5(s.ctx || i), 10), 1, s.t0, null, s.t0, null
from generate_series(1, 2) i, setting s;

insert into login (id, user_id, session_key, ns_secret, status)
select i, 1 + i, md5('key' || i), md5('ns' || i), 1 from generate_series(1, 6) i;
insert into email_account (email_account_id, email_address, associate_id, incoming_auth, outgoing_auth, account_status)
select i, pg_temp.address(i + 1), i + 1, i, i, 0 from generate_series(1, 3) i;
insert into service_auth (service_auth_id, server, port, auth_type, username, password, associate_id)
select i, 'imap.' || pg_temp.domain(0), 993, 1, pg_temp.address(i + 1), 'imap-password-' || i, i + 1
from generate_series(1, 3) i;
insert into email_folder (email_folder_id, account_id, name)
select i, 1 + i % 3, (array['INBOX', 'Sent', 'Arkiv'])[1 + i % 3] from generate_series(1, 6) i;

-- 2. Owner, licence, configuration

insert into company (company_id, version, revision, ownercontactname, ownerdepartmentname, ownercontactid, dbcontactname,
    dbdepartmentname, dbcontactid, serialno, extrainfo, encryptedcheck)
select 1, 'Release_11.10_2026.02.24-02', 41, company, '', 1, company, '', 1, serial, 'ctx=' || ctx,
    md5(company || serial) from setting;

insert into moduleowner (moduleowner_id, ownername, licenseversion, expiration, graceto, maintenanceto, nextcheckdate,
    signature, encryptedcheck)
select 1, 'SUPEROFFICE', 11, s.t0 + interval '1 year', s.t0 + interval '1 year 12 days', s.t0 + interval '1 year',
    s.t0 + interval '30 days', md5('sig' || s.serial), md5('owner' || s.serial) from setting s;

-- One plan for five people, and the hidden licences it brings along.
insert into modulelicense (modulelicense_id, modulename, moduledescription, moduleversion, licensetype, licensenumber,
    extraflags, extrainfo, hidden, unrestricted, sortorder, moduleowner_id, signature, encryptedcheck)
select m.id, m.name, m.title, '11.10', m.type, m.number, m.flags, m.info, m.hidden, m.free, m.id, 1,
    md5(m.name), md5(m.name || s.serial)
from setting s, (values
    (1, 'service-t2', 'Service', 1, 1, 2, null, false, false),
    (2, 'expander-services', 'Developer Tools', 1, 1, 0, null, false, false),
    (3, 'stakeholder', 'Stakeholders', 1, 1, 0, null, true, false),
    (4, 'ten-sales', 'Sales Premium', 3, 5, 1, 'set=user,web,selection-cal,sale-cal,visible-for', false, false),
    (5, 'user', 'User login', 3, 5, 0, null, true, false),
    (6, 'web', 'Web client', 3, 5, 0, null, true, false),
    (7, 'selection-cal', 'Selections', 3, 5, 0, null, true, false),
    (8, 'sale-cal', 'Sales', 3, 5, 0, null, true, false),
    (9, 'visible-for', 'Confidential appointments', 3, 1, 0, null, true, true)
) as m(id, name, title, type, number, flags, info, hidden, free);

insert into licenseassoclink (licenseassoclink_id, modulelicenseid, associd, licensenumber, validfrom, comment, encryptedcheck)
select row_number() over (), m.id, a, 1, s.t0, case when m.id = 4 then 'plan' end, md5('lal' || m.id || a)
from setting s, generate_series(4, 9) as m(id), generate_series(2, 6) a;

insert into config (id, cgi_url, cgi_url_internal, text_path, attachment_path, template_path, admin_mail, default_mail,
    panic_mail, smtp_host, smtp_port, unique_id, version)
select 1, site || '/CS/scripts', 'http://web3.internal/' || ctx || '/CS/scripts', '/so_arc/' || ctx || '/text',
    '/so_arc/' || ctx || '/attachments', '/so_arc/' || ctx || '/template', pg_temp.address(2),
    'support@' || lower(ctx) || '.suocrm.example', pg_temp.address(3) || ', ' || pg_temp.address(4),
    'smtp.' || pg_temp.domain(0), 587, md5('unique' || ctx), '11.10' from setting;
insert into registry (id, reg_id, name, value)
select r.id, 100 + r.id, r.name, r.value from setting s, lateral (values
    (1, 'cust_url', s.site || '/CS/scripts/customer.fcgi'),
    (2, 'archive_path', '/so_arc/' || s.ctx),
    (3, 'bounce_address', 'bounce@' || pg_temp.domain(0)),
    (4, 'language', 'no')) as r(id, name, value);

insert into userpreference (userpreference_id, deflevel, owner_id, prefsection, prefkey, prefvalue)
values (1, 2, null, 'System', 'Statistics OptIn - Configured', 'Yes'),
       (2, 2, null, 'System', 'UserSync OptIn - Configured', 'Yes'),
       (3, 2, null, 'System', 'DefaultSender', 'no-reply@' || pg_temp.domain(0));
insert into userpreference (userpreference_id, deflevel, owner_id, prefsection, prefkey, prefvalue)
select 3 + i, 5, 1 + i % 12, 'Mail', 'Signature' || i, 'Mvh ' || pg_temp.first_name(i) || E'\n' || pg_temp.address(i)
from generate_series(1, 40) i;

insert into cacheinvalidation (cacheinvalidation_id, name, generation, lastchange)
select i, (array['Preferences', 'Lists', 'Users', 'Licenses', 'WebPanels'])[i], 10 * i, s.t0
from generate_series(1, 5) i, setting s;
insert into systemevent (systemevent_id, scope, owner, eventkey, eventmess, eta)
select 1, 1, 1, 'maintenance', 'Planlagt vedlikehold lørdag', s.t0 from setting s;
insert into batchtaskdefinition (batchtaskdefinition_id, name) values (1, 'Import'), (2, 'BulkUpdate');
insert into batchtask (batchtask_id, batchtaskdefinition_id, description, dbtag, state, request, startcount)
select i, 1 + i % 2, 'Jobb ' || i, s.ctx, (array[3, 1, 4, 5, 4, 2])[i],
    '{"notify": "' || pg_temp.address(i + 2) || '", "rows": ' || i * 100 || '}', (i <> 2)::int
from generate_series(1, 6) i, setting s;

-- 3. Companies and people

insert into contact (contact_id, name, department, associate_id, orgnr, deleted, registered, registered_associate_id,
    updated, updated_associate_id, updatedcount)
select i, initcap((array['fjord', 'fjell', 'ålesund', 'østfold', 'viken', 'bodø', 'tromsø'])[1 + i % 7]) || ' '
    || initcap(split_part(pg_temp.domain(i), '-', 2)), case when i % 5 = 0 then 'Innkjøp' else '' end,
    2 + i % 11, lpad((900000000 + i)::text, 9, '0'), (i % 97 = 0)::int,
    s.t0 - i % 900 * interval '1 day', 2 + i % 11, s.t0, 2 + i % 11, i % 7
from setting s, generate_series(3, (1500 * s.scale)::int) i;

insert into person (person_id, contact_id, firstname, lastname, associate_id, retired, registered, registered_associate_id)
select i, 3 + (i * 7) % ((1500 * s.scale)::int - 2), pg_temp.first_name(i), pg_temp.last_name(i / 3), null, (i % 53 = 0)::int,
    s.t0 - i % 900 * interval '1 day', 2 + i % 11
from setting s, generate_series(16, (4000 * s.scale)::int) i;

insert into login_customer (id, customer_id, session_key, last_access)
select i, 100 + i, md5('portal' || i), s.t0 from generate_series(1, 20) i, setting s;
insert into user_candidate (id, person_id, secret_key, secret_value)
select i, 100 + i, case when i % 2 = 0 then 'password' else 'username' end,
    case when i % 2 = 0 then md5('pw' || i) else pg_temp.address(100 + i) end from generate_series(1, 20) i;

insert into text (text_id, type, owner_id, text)
select i, 1 + i % 3, 1 + i % (4000 * s.scale)::int,
    case i % 4
    when 0 then 'Ring ' || pg_temp.first_name(i) || ' (' || pg_temp.address(i) || ') før kl. 15, ellers send til <'
        || pg_temp.address(i + 1) || '>;cc:' || pg_temp.address(i + 2) || ',' || pg_temp.address(i + 3) || '.'
    when 1 then repeat('Møtereferat uten adresser, men med krøllalfa @ og a@ og @b. ', 3)
    when 2 then E'Til: "' || pg_temp.last_name(i) || '" <' || upper(pg_temp.address(i)) || E'>\n\tHei!\nVi snakkes.'
    else 'Leveres ' || pg_temp.last_name(i) || ', Storgata ' || i % 90 || E'\\nMerkes 100% @lager ' || i end
from setting s, generate_series(1, (3000 * s.scale)::int) i;

insert into document (document_id, name, header, archiveprovider, extref)
select i, 'Tilbud ' || i || ' til ' || pg_temp.address(i) || '.docx', 'Tilbud ' || pg_temp.last_name(i), 0, 'doc/' || i
from setting s, generate_series(1, (300 * s.scale)::int) i;
insert into appointment (appointment_id, contact_id, person_id, associate_id, document_id, text_id, emailid, do_by,
    registered, registered_associate_id)
select i, 3 + i % ((1500 * s.scale)::int - 2), 16 + i % ((4000 * s.scale)::int - 15), 2 + i % 11,
    case when i <= (300 * s.scale)::int then i end, i, null, s.t0 + i % 400 * interval '3 hours', s.t0, 2 + i % 11
from setting s, generate_series(1, (3000 * s.scale)::int) i;
update document set appointment_id = document_id;

insert into email (email_id, contact_id, person_id, protocol, type, description, email_address, rank, bouncecount,
    registered, registered_associate_id)
select i, case when i % 3 = 2 then 1 + (i / 3) % (1500 * s.scale)::int end,
    case when i % 3 <> 2 then 1 + (i * 2 / 3) % (4000 * s.scale)::int end, 'SMTP', 0,
    case when i % 10 = 0 then 'privat: ' || pg_temp.address(i + 1) else '' end,
    pg_temp.address(i), 1, nullif(i % 50, 0), s.t0, 1
from setting s, generate_series(100, (6000 * s.scale)::int) i;

-- The ones worth having.
insert into email (email_id, person_id, protocol, type, description, email_address, rank, appointment_id)
select e.id, 16 + e.id, e.protocol, e.type, e.what, e.address, 1, e.appointment from setting s, lateral (values
    (1, 'SMTP', 0, 'plain', 'kari.nordmann@' || s.brand || '-handel.example', null::int),
    (2, 'Skype', 1, 'chat', 'live.kari@' || s.brand || '-chat.example', null),
    (3, 'SIP', 2, 'voip, an address', 'kari@' || s.brand || '-voip.example', null),
    (4, 'SIP', 2, 'voip, a number', '+47 22 00 00 00', null),
    (5, 'SMTP', 0, '235 long', repeat('a', 60) || '@' || s.brand || '-' || repeat('b', 54 - length(s.brand)) || '.'
        || repeat('c', 55) || '.' || repeat('d', 54) || '.example', null),
    (6, 'SMTP', 0, 'masked before', 'ola.hansen_' || s.brand || '-bygg.example@mailinator.com', null),
    (7, 'SMTP', 0, 'one local part, two domains', 'kim.lie@' || s.brand || '-handel.example', null),
    (8, 'SMTP', 0, 'one local part, two domains', 'kim.lie@' || s.brand || '-bygg.example', null),
    (9, 'SMTP', 0, 'collides with the next', 'per@' || s.brand || '-a_' || s.brand || '-b.example', null),
    (10, 'SMTP', 0, 'collides with the one before', 'per_' || s.brand || '-a@' || s.brand || '-b.example', null),
    (11, 'SMTP', 0, 'capitals', upper('kari.nordmann@' || s.brand || '-handel.example'), null),
    (12, 'SMTP', 0, 'tagged', 'kari+nyhetsbrev@' || s.brand || '-handel.example', null),
    (13, 'SMTP', 0, 'local part of 64', repeat('x', 64) || '@' || s.brand || '-handel.example', null),
    (14, 'SMTP', 0, 'beyond ASCII', 'øyvind.sæther@' || s.brand || '-handel.example', null),
    (15, 'SMTP', 0, 'with its name', '"Nordmann, Kari" <kari.n@' || s.brand || '-handel.example>', null),
    (16, 'SMTP', 0, 'of an invitation', 'gjest@' || s.brand || '-reise.example', 7)
) as e(id, protocol, type, what, address, appointment);

-- 4. Service

insert into ej_category (id, parent_id, name, notification_email)
select i, nullif(i / 3, 0), (array['Support', 'Salg', 'Faktura', 'Feil', 'Ønsker', 'Spørsmål', 'Intern'])[i],
    pg_temp.address(i + 2) || ',' || pg_temp.address(i + 3) || ', vakt@' || pg_temp.domain(i)
from generate_series(1, 7) i;
insert into ticket_status (id, status, name) values
    (1, 1, 'Open'), (2, 1, 'Waiting for customer'), (3, 2, 'Closed'), (4, 3, 'Postponed'), (5, 4, 'Deleted'), (6, 5, 'Merged');
insert into ticket_priority (id, name) values (1, 'Low'), (2, 'Medium'), (3, 'High');

insert into mail_in_filter (id, server_type, pop_server, pop_user, pop_password, domain, address, category_id, priority,
    next_check, status, mailgun_dsn)
select 1, 8, null, null, null, lower(ctx) || '.suocrm.example', 'support@' || lower(ctx) || '.suocrm.example', 1, 2,
    null::timestamp, 1, true from setting
union all
select 2, 6, 'imap.' || pg_temp.domain(0), 'salg@' || pg_temp.domain(0), 'mailbox-password', pg_temp.domain(0),
    'salg@' || pg_temp.domain(0), 2, 2, t0, 1, false from setting;
insert into mail_alias (id, filter_id, alias) values (1, 1, 'hjelp@' || pg_temp.domain(0)), (2, 2, 'tilbud@' || pg_temp.domain(0));
insert into mail_in_uidl (filter_id, uidl) select 1 + i % 2, md5('uidl' || i) from generate_series(1, 50) i;
insert into inbox (id, mail_in_filter, status, received_at) select i, 1 + i % 2, 1, s.t0 from generate_series(1, 6) i, setting s;
insert into ms_filter (id, description, reply_to, forward_to, new_category)
select i, 'Regel ' || i, 'svar@' || pg_temp.domain(i), 'videresend@' || pg_temp.domain(i + 1), i from generate_series(1, 2) i;
insert into ms_filter_mail (id, mail_sorter_id, mail_in_filter_id) values (1, 1, 1), (2, 2, 2);
insert into ms_trashbin (id, mail_in_filter_id, from_address, subject) select 1, 2, pg_temp.address(900), 'Spam';

insert into ticket (id, title, created_at, last_changed, activate, closed_at, author, owned_by, category, status,
    ticket_status, priority, cust_id, filter_id, display_filter, filter_address, from_address, contact_id, alert_level,
    alert_timeout)
select i, 'Sak ' || i || ': ' || pg_temp.last_name(i) || case when i % 9 = 0 then ' <' || pg_temp.address(i) || '>' else '' end,
    b.at, b.at + interval '2 hours', case when b.base = 3 then b.at + interval '9 days' end,
    case when b.base = 2 then b.at + interval '3 days' end,
    pg_temp.first_name(i) || ' <' || pg_temp.address(i) || '>', 1 + i % 12, 1 + i % 7, b.base,
    case b.base when 1 then 1 + i % 2 else b.base + 1 end, 1 + i % 3,
    case when i % 11 = 0 then null else 16 + i % ((4000 * s.scale)::int - 15) end,
    case i % 4 when 0 then 1 when 1 then 2 when 2 then -1 end,
    case i % 4 when 0 then 'Support' when 1 then 'Salg' end,
    case i % 4 when 0 then 'support@' || lower(s.ctx) || '.suocrm.example' when 1 then 'salg@' || pg_temp.domain(0) end,
    pg_temp.address(i), null, 1, case when b.base = 1 then b.at + interval '1 day' end
from setting s, generate_series(1, (3000 * s.scale)::int) i,
    lateral (select (array[2, 1, 2, 1, 2, 3, 2, 4, 2, 5])[1 + i % 10] as base, s.t0 - i % 700 * interval '11 hours' as at) b;

insert into ticket_status_history (ticket_id, status, ticket_status, started_at, ended_at)
select t.id, case when n = 1 then 1 else t.status end, case when n = 1 then 1 else t.ticket_status end,
    t.created_at + (n - 1) * interval '2 hours', case when n = 1 then t.created_at + interval '2 hours' end
from ticket t, generate_series(1, 2) n;

insert into ej_message (id, ticket_id, created_at, created_by, author, body, html_body, email_header, message_id, customer_id)
select (t.id - 1) * 3 + n, t.id, t.created_at + n * interval '1 hour', case when n = 2 then t.owned_by end,
    pg_temp.address(t.id + n),
    'Hei, dette gjelder sak ' || t.id || E'.\n' || repeat('Vi har sett på saken og kommer tilbake til deg. ', n * 2)
        || E'\n-- \n' || pg_temp.first_name(t.id + n) || ' | ' || pg_temp.address(t.id + n) || ' | +47 22 00 00 00'
        || E'\n> On Mon, ' || pg_temp.address(t.id) || E' wrote:\n> Hei',
    case when n <> 2 then '<html><body><p>Hei, se <a href="mailto:' || pg_temp.address(t.id + n) || '?subject=Sak%20' || t.id
        || '">' || pg_temp.address(t.id + n) || '</a> &lt;' || pg_temp.address(t.id) || '&gt;</p><p>'
        || repeat('Takk for henvendelsen. &Oslash;nsker du hjelp, svar p&aring; denne e-posten. ', 2)
        || '</p><img src="cid:logo' || t.id || '"></body></html>' end,
    case when n = 1 then 'From: "' || pg_temp.last_name(t.id) || '" <' || pg_temp.address(t.id) || E'>\r\nTo: '
        || coalesce(t.filter_address, 'post@' || pg_temp.domain(1)) || E'\r\nCc: ' || pg_temp.address(t.id + 1) || E',\r\n\t'
        || pg_temp.address(t.id + 2) || E'\r\nReturn-Path: <' || pg_temp.address(t.id) || E'>\r\nMessage-ID: <' || t.id || '.'
        || n || '@' || s.brand || '-mail.example' || E'>\r\nSubject: =?UTF-8?Q?Sak_' || t.id || E'?=\r\n' end,
    '<' || t.id || '.' || n || '@' || s.brand || '-mail.example>', t.cust_id
from setting s, ticket t, generate_series(1, 3) n;

insert into message_customers (id, message_id, customer_id, email)
select m.id, m.id, m.customer_id, m.author from ej_message m where m.id % 3 <> 0;
insert into message_header (id, message_id, name, value)
select row_number() over (), m.id, h.name, h.value
from ej_message m, lateral (values ('X-Original-To', m.author), ('References', m.message_id)) as h(name, value)
where m.id % 3 = 1;

insert into outbox (ticket_id, message_id, from_email, from_envelope, rcpt, rfc822_content, status)
select i, i * 3, 'support@' || lower(s.ctx) || '.suocrm.example', 'bounce@' || pg_temp.domain(0), pg_temp.address(i),
    'From: support@' || lower(s.ctx) || E'.suocrm.example\r\nTo: ' || pg_temp.address(i) || E'\r\n\r\nHei igjen!\r\n',
    case when i = 1 then 1 else 3 end
from setting s, generate_series(1, 8) i;

insert into form_submission (form_submission_id, person_id, email_address, response)
select i, 16 + i % ((4000 * s.scale)::int - 15), pg_temp.address(i),
    json_build_object('form', 'kontakt', 'email', pg_temp.address(i), 'nested',
        json_build_object('cc', json_build_array(pg_temp.address(i + 1), 'Se <' || pg_temp.address(i + 2) || '>'),
            pg_temp.address(i + 3), true), 'age', i, 'big', 9007199254740993, 'note', E'linje "en"\nlinje to')::text
from setting s, generate_series(1, (500 * s.scale)::int) i;
insert into chat_session (id, email, name, customer_id)
select i, pg_temp.address(i), pg_temp.first_name(i), case when i % 2 = 0 then 16 + i end from setting s, generate_series(1, (300 * s.scale)::int) i;
insert into eab_entry (id, name, email_address)
select i, pg_temp.last_name(i), pg_temp.address(i * 3) from setting s, generate_series(1, (200 * s.scale)::int) i;

insert into s_shipment (id, description, from_addr, reply_addr, envelope_from, status)
select i, 'Nyhetsbrev ' || i, 'news@' || pg_temp.domain(0), 'svar@' || pg_temp.domain(0), 'bounce@' || pg_temp.domain(0),
    (array[4, 3, 1, 2, 5])[i] from generate_series(1, 5) i;
insert into s_shipment_addr (id, shipment_id, address, customer_id, status)
select i, 1 + i % 5, pg_temp.address(i), 16 + i % ((4000 * s.scale)::int - 15), case when i % 5 < 2 then 1 else 3 end
from setting s, generate_series(1, (800 * s.scale)::int) i;

insert into email_item (email_item_id, account_id, folder_id, "from", "to", cc, subject, mime)
select i, 1 + i % 3, 1 + i % 6, pg_temp.address(i), pg_temp.address(1 + i % 3), pg_temp.address(i + 5), 'Privat ' || i,
    E'MIME-Version: 1.0\r\nFrom: ' || pg_temp.address(i) || E'\r\n\r\n' || repeat('hemmelig ', 20)
from generate_series(1, 60) i;
insert into email_attachment (email_attachment_id, email_item_id, name, content)
select i, i, 'bilde' || i || '.png', decode(repeat(md5('png' || i), 20), 'hex') from generate_series(1, 10) i;

-- 5. Files: rows whose blobs lib.sh writes.  The blob of an attachment is
-- "<attachment_location.path>/<id>", that of a document its extref, of a template its filename.

insert into attachment_location (attachment_location_id, path) values (1, '2024'), (2, '2025/arkiv');
insert into attachment (id, content_type, name, att_size, auth_key, attachment_location_id)
select i, (array['image/png', 'application/pdf', 'text/plain'])[1 + i % 3],
    (array['bilde', 'kvittering', 'logg'])[1 + i % 3] || i || (array['.png', '.pdf', '.txt'])[1 + i % 3],
    200 + (i * 37) % 9000, left(md5('auth' || i), 16), 1 + i % 2
from setting s, generate_series(1001, 1060 + least(60 * s.scale, 600)::int) i;
-- 1001-1020 FAQ, 1021-1030 reply templates, 1031-1033 packages, 1034-1060 pictures and the like,
-- the rest comes with requests.
insert into kb_entry (id, title, body)
select i, 'Hvordan ' || i, '<p>Skriv til ' || pg_temp.address(i) || '</p>' from generate_series(1, 10) i;
insert into kb_attachment (id, entry_id, attachment_id) select i, 1 + i % 10, 1000 + i from generate_series(1, 20) i;
insert into reply_template (id, name, body_html)
select i, 'Svarmal ' || i, '<p>Hei!</p><p><a href="' || s.site || '/CS/scripts/customer.fcgi">Portal</a></p>'
from generate_series(1, 5) i, setting s;
insert into reply_template_attachment (id, entry_id, attachment_id)
select i, 1 + i % 5, 1020 + i from generate_series(1, 10) i;
insert into ejpackage (id, name, attachment_id, locked)
select i, (array['Partner add-on', 'Survey kit', 'Arkivpakke'])[i], 1030 + i, i = 2 from generate_series(1, 3) i;
insert into ticket_attachment (id, attachment_id, message_id)
select row_number() over (), id, (id - 1060) * 3 - 2 from attachment where id > 1060;
update ej_message set body_attachment = 1061 where id = 1;

insert into doctmpl (doctmpl_id, name, filename, autoevent_id, record_type, loadtemplatefromplugin, deleted, senderemailaddress)
select t.id, t.name, t.filename, case when t.id = 3 then 1 end, t.type, t.plugin, t.deleted, 'maler@' || pg_temp.domain(0)
from (values
    (1, 'Offer', 'Offer.docx', 4, 0, 0),
    (2, 'Tilbud – Ålesund', 'norsk/Tilbud – Ålesund.docx', 4, 0, 0),
    (3, 'Confirmation', 'mail/confirmation.html', 5, 0, 0),
    (4, 'Letter', 'Letter.dotx', 4, 0, 0),
    (5, 'Missing since 2023', 'mail/lost.html', 5, 0, 0),
    (6, 'In SharePoint', 'sp-document-7', 4, 1, 0),
    (7, 'Withdrawn', 'Withdrawn.docx', 4, 0, 1),
    (8, 'Spreadsheet', 'sheets/plan 2026.xlsx', 4, 0, 0)
) as t(id, name, filename, type, plugin, deleted);

-- 6. Automation, apps, panels

insert into ejscript (id, description, include_id, body, unique_identifier)
select i, 'Script ' || i, 'inc' || i, 'String to = "' || pg_temp.address(i) || '"; // ' || s.site || '/CS/scripts/ticket.fcgi',
    md5('script' || i) from generate_series(1, 6) i, setting s;
insert into schedule (id, domain, status, frequency, asap, disabled, stop, name, after_schedule_id, next_execution, once_at, lock_pid)
select c.id, c.domain, 0, c.frequency, c.asap, c.disabled, false, c.name, c.after, s.t0 + interval '1 hour', c.once, c.pid
from setting s, lateral (values
    (1, 0, 60, false, false, 'Hver time', null::int, null::timestamp, null::int),
    (2, 0, 1440, false, true, 'Slått av før', null, null, null),
    (3, 0, 0, true, false, 'Så snart som mulig', null, null, null),
    (4, 0, 0, false, false, 'Etter den første', 1, null, null),
    (5, 0, 0, false, false, 'En gang', null, s.t0 + interval '2 days', null),
    (6, 0, 15, false, false, 'Kjører nå', null, null, 4711),
    (7, 1, 30, false, false, 'Integrasjon', null, null, null)
) as c(id, domain, frequency, asap, disabled, name, after, once, pid);
-- 7 belongs to an integration agent, not to a scheduled task.
insert into scheduled_task (id, script_id, schedule_id, description)
select i, i, i, 'Planlagt oppgave ' || i from generate_series(1, 6) i;

insert into onlineapp (onlineapp_id, clientid, displayname, partnername, lastused)
select 1, 'nordic-invoice', 'Nordic Invoice', 'Nordic Apps AS', t0 from setting union all
select 2, 'insight-hub', 'Insight Hub', 'Insight GmbH', t0 from setting;
insert into webhook (webhook_id, name, events, target_url, type, application_token, secret, state, errors_email)
select 1, 'Order events', 'contact.created,sale.changed', 'https://hooks.' || pg_temp.domain(0) || '/in', 'webhook',
    'app-token-1', 'hook-secret-1', 1, 'drift@' || pg_temp.domain(0) union all
select 2, 'Script on sale', 'sale.created', '3', 'crmscript', null, null, 1, 'drift@' || pg_temp.domain(0) union all
select 3, 'Old one', 'person.changed', 'https://old.' || pg_temp.domain(0) || '/in', 'webhook', null, 'hook-secret-3', 3,
    pg_temp.address(5);
insert into webhook_usage (webhook_id, calls, errors, lastcall) select i, i * 100, i, s.t0 from generate_series(1, 3) i, setting s;

insert into extapp (extapp_id, name, filename, url1, apptype, navigation, deleted)
select p.id, p.name, null, p.url, 1, 2, p.deleted from setting s, lateral (values
    (1, 'Requests', s.site || '/CS/scripts/ticket.fcgi?action=listTickets&user=<uid>', 0),
    (2, 'Admin', s.site || '/CS/Scripts/rms.fcgi?action=safeParse', 0),
    (3, 'Portal', 'https://online2.superoffice.example/' || lower(s.ctx) || '/CS/scripts/customer.fcgi?action=mainMenu', 0),
    (4, 'Logic', s.site || '/CS/scripts/blogic.fcgi', 0),
    (5, 'Portal by variable', '<cscu>?action=mainMenu', 0),
    (6, 'Weather', 'https://weather.example/?city=<city>', 0),
    (7, 'Insight Hub', 'https://insight-hub.example/panel?ctx=<ctx>', 0),
    (8, 'Nordic Invoice', 'https://nordic-invoice.example/panel?owner=' || pg_temp.address(2), 0),
    (9, 'Retired panel', s.site || '/CS/scripts/ticket.fcgi?action=old', 1)
) as p(id, name, url, deleted);

insert into erpconnection (erpconnection_id, displayname, connectionid, active)
values (1, 'Visma', 'visma-1', true), (2, 'Old ERP', 'erp-0', false);
insert into ext_datasource (id, name, host, username, password)
values (1, 'Warehouse', 'dwh.' || pg_temp.domain(0), 'reader@' || pg_temp.domain(0), 'datasource-password');

insert into extension_data (entity, owner_id, payload, labels, amount)
select 'person', 16 + i, jsonb_build_object('notify', pg_temp.address(i), 'copies',
        jsonb_build_array(pg_temp.address(i + 1), jsonb_build_object('to', 'Kari <' || pg_temp.address(i + 2) || '>')),
        'score', i * 1.5, pg_temp.address(i + 3), null),
    array['vip', 'ny "kunde"', 'nivå ' || i % 3], i * 12.34
from setting s, generate_series(1, (500 * s.scale)::int) i;

-- 7. The next ids, as the vendor's clients keep them

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
