-- end_stale_claim: a claim that somebody has looked at is over. A claim that the worker has made since then stays.
-- ARGV    1 worker
--         2 job id
-- Return  1: it ended; 0: the worker has no claim, or another one
local claim = redis.call('HGET', claims, ARGV[1])
if not claim or id_of(claim) ~= ARGV[2] then
  return 0
end
return redis.call('HDEL', claims, ARGV[1])
