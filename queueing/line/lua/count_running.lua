-- count_running: the entries that run are those whose rows say so. What the caller has seen may have changed since then.
-- ARGV    1 number of pairs
--         2... id, ms, id, ms, ...: entries that the caller has seen here, and that do not run by their rows
--         behind them: ids of entries that run by their rows
local pairs_end = 1 + 2 * ARGV[1]
for i = 2, pairs_end, 2 do
  if redis.call('ZSCORE', running, ARGV[i]) == ARGV[i + 1] then
    redis.call('ZREM', running, ARGV[i])
  end
end
for i = pairs_end + 1, #ARGV do
  redis.call('ZADD', running, 'NX', clock(), ARGV[i])
end
