SELECT kind, name, number, rows, sum0, sum1, bytes, seen, masked, shortened, kept, note
  FROM cloner_unfinished_copy.mark
 ORDER BY kind, name, number
