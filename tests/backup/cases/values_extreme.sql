-- NaN, infinities, dates BC, limits of numbers, control characters, huge text, NULL and ''.
CREATE TABLE v (id serial PRIMARY KEY, f4 float4, f8 float8, n numeric, d date, ts timestamp, tz timestamptz, t time, ttz timetz, iv interval, i8 bigint, t1 text, b bytea, m money, bits varbit, u uuid, ip inet, mac macaddr8, x xml);
INSERT INTO v (f4, f8, n, d, ts, tz, t, ttz, iv) VALUES
    ('NaN', 'NaN', 'NaN', 'infinity', 'infinity', 'infinity', '24:00', '24:00-15:59', '178000000 years'),
    ('-Infinity', '-Infinity', '-Infinity', '-infinity', '-infinity', '-infinity', '00:00', '00:00+15:59', '-178000000 years'),
    ('Infinity', 'Infinity', 'Infinity', '4713-01-01 BC', '4713-01-01 BC', '4713-01-02 BC', '12:00:00.000001', '12:00', '-1 mon +2 days -3:04:05.678901'),
    ('1e-37', '1e-307', 0.00000000000000000000000000000000000001, '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31', NULL, NULL, '0'),
    (1.1, 0.1, 1e100, '0001-12-31 BC', '0044-03-15 BC', '0044-03-15 BC', '1:2:3', '1:2:3+0:30:15', '1 year 2 mons'),
    ('-0', '-0', '-0.00', '2000-01-01', 'epoch', 'epoch', NULL, NULL, NULL);
INSERT INTO v (n) SELECT (repeat('9', 300) || '.' || repeat('7', 300))::numeric UNION ALL SELECT 1.500 UNION ALL SELECT 1e-200;
INSERT INTO v (i8, t1, b, m, bits, u, ip, mac) VALUES
    (-9223372036854775808, '', '', '-92233720368547758.08', '', '00000000-0000-0000-0000-000000000000', '::1/128', '08:00:2b:01:02:03:04:05'),
    (9223372036854775807, E'\x01\x02\x1f\x7f\u0085\u2028\ufeff\ufffd', '\x00ff5c0a0d09', '92233720368547758.07', '1', NULL, '10.0.0.1/8', NULL),
    (0, E'a\\b\\N\nc\rd\te\bf\fg\vh', E'\\\\000', 0, repeat('10', 5000)::varbit, NULL, '255.255.255.255', NULL),
    (1, '\N', '\x5c4e', 1, NULL, NULL, NULL, NULL), (2, '\.', NULL, 2, NULL, NULL, NULL, NULL), (3, 'NULL', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO v (t1) SELECT repeat('wide ' || i || '@corp.example ', 60000) FROM generate_series(1, 3) i;
INSERT INTO v (b) SELECT decode(repeat('00ff5c0a', 500000), 'hex');
INSERT INTO v (x) VALUES ('<a b="x@corp.example">text &amp; more</a>'), ('only text'), (''), ('<?xml version="1.0"?><r/>');
INSERT INTO v (t1) SELECT chr(i) || i FROM generate_series(1, 1200) i;
