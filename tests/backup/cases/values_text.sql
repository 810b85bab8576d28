-- Everything that is swept by a mask, with and without addresses; fixed and limited widths.
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE TABLE s (id serial, a text, b varchar(30), c char(40), d citext, e name, f json, g jsonb, h xml, i hstore, j text[], k varchar(25)[], l jsonb[], m tsvector, n tsquery, o text[][], p json[], q citext[], r hstore[]);
INSERT INTO s (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r) SELECT
    'text <b' || i || '@corp.example> and c@corp.example,', 'v' || i || '@corp.example', 'c' || i || '@corp.example', 'Ci' || i || '@Corp.Example', 'n' || i || '@corp.example',
    ('{"b": "j' || i || '@corp.example",  "a":1, "b":"\u0041\n"}')::json, jsonb_build_object('k@corp.example', i, 'n', 1.50, 'l', jsonb_build_array('x@corp.example', NULL)),
    '<m>x@corp.example</m>', 'a=>"h@corp.example", "k@corp.example"=>NULL', ARRAY['a@corp.example', NULL, '{"q"}', E'\\'], ARRAY['k@corp.example'],
    ARRAY['{"l":"l@corp.example"}'::jsonb], to_tsvector('simple', 'to t@corp.example now'), 'a & b:*', '{{a@corp.example,b},{c,d}}',
    ARRAY['{"p":  "p@corp.example"}'::json], ARRAY['Q@Corp.Example'::citext], ARRAY['r=>"r@corp.example"'::hstore] FROM generate_series(1, 150) i;
INSERT INTO s DEFAULT VALUES;
INSERT INTO s (a, f, g, j) VALUES ('no address', 'null', 'null', '{}'), ('', '""', '[]', '[2:3]={a,b}'), ('@', '1e400', '1e400', '{""}');
