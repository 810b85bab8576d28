-- What the registry and the services remember, without ids, times and what names a run.
\set QUIET on
\pset tuples_only on
\pset format unaligned
select 'customer', ctx, company_name, serial_no, state, endpoint, version, file_version, cluster,
    database_name, is_test_of, licence_package from registry.customer order by ctx;
select 'binding', ctx, database_cluster, file_cluster, system_identifier from registry.binding order by ctx;
select 'authorization', client_id, ctx, approved_by, system_token, revoked_at from registry.app_authorization
    order by client_id, ctx;
select 'licence', serial_no, md5(xml::text) from registry.licence_package order by serial_no;
select 'task', ctx, kind, state from registry.customer_task order by id;
select 'route', ctx, address from registry.mail_route order by address;
select 'mailbox', ctx, address from sample.mailbox order by address;
select 'superid', ctx, company_name, serial_no, state, test_of from registry.superid_tenant order by ctx;
select 'user', ctx, upn, associate_id, display_name, active from registry.superid_user order by ctx, upn;
select 'in use', count(*) from registry.archive_use;
select 'image', ctx, cluster, state from registry.image order by ctx;
select 'image in use', count(*) from registry.image_use;
