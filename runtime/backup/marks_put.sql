INSERT INTO cloner_unfinished_copy.mark
       (kind, name, number, rows, sum0, sum1, bytes, seen, masked, shortened, kept, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
