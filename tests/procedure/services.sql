-- What reached the services: notices and recycles, without ids, times and tokens.
\set QUIET on
\pset tuples_only on
\pset format unaligned
select 'receipt', client_id, ctx, change_type, accepted, body, claims - array['iat', 'nbf', 'exp', 'jti']
    from sample.receipt order by client_id, ctx, id;
select 'recycle', ctx, count(*) from sample.recycle group by ctx order by ctx;
